"""The page of an audit in a real browser: filters, links, keys, paper; and hostile names that do nothing."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from ivn_provision.report.audit.html import render_html
from ivn_provision.report.audit.page.rows import Row, rows_of
from ivn_provision.run.audit.record import FindingKind, SiteState
from tests.support.audits import audit_of, hostile_audit
from tests.support.browser import CHROMIUM, DRIVER, MISSING, WayOut, browser, console, requested, way_out
from tests.support.commissioned import HOSTILE

AUDIT = audit_of(120, unwell=0.4)
ROWS = rows_of(AUDIT)
NAMES = [row.site.site for row in ROWS]
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason=MISSING)


@dataclass
class Looking:
    """A browser, and what tried to leave it."""

    driver: webdriver.Chrome
    out: WayOut
    page: Path

    def at(self, page: str, hash_: str = "") -> webdriver.Chrome:
        self.page.write_text(page, "utf-8")
        self.driver.get("about:blank")
        self.driver.get(self.page.as_uri() + hash_)
        return self.driver

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)

    def shown(self) -> list[str]:
        """Names of the sites that are not filtered away, in their order."""
        script = "return [...document.querySelectorAll('.site:not([hidden]) .name')].map((each) => each.textContent)"
        return [str(each) for each in self.run(script)]

    def wait(self, holds: Callable[[], object]) -> None:
        WebDriverWait(self.driver, 20, poll_frequency=0.05).until(lambda _: holds())

    def expect(self, names: list[str]) -> None:
        """So much is shown, it is said aloud, and the picture says the same."""
        self.wait(lambda: self.shown() == names)
        said = self.driver.find_element("id", "result").text
        assert said.startswith(f"{len(names)} of {len(ROWS)} sites, "), said
        bright = self.run("return document.querySelectorAll('#picture a:not(.off)').length")
        assert bright == len(names)

    def hash(self) -> dict[str, list[str]]:
        return parse_qs(str(self.run("return location.hash.slice(1)")))


@pytest.fixture(scope="module")
def looking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Looking]:
    folder = tmp_path_factory.mktemp("browser")
    with way_out() as out, browser(folder / "profile", out) as driver:
        yield Looking(driver, out, folder / "page.html")


@pytest.fixture(scope="module")
def page() -> str:
    return render_html(AUDIT)


def names_of(holds: Callable[[Row], object]) -> list[str]:
    found = [row.site.site for row in ROWS if holds(row)]
    assert 0 < len(found) < len(ROWS), "a filter that does nothing shows nothing"
    return found


def choose(driver: webdriver.Chrome, name: str, value: str) -> None:
    driver.find_element("css selector", f"[name={name}][value={value}]").click()


# Filters


def test_by_state(looking: Looking, page: str) -> None:
    driver = looking.at(page)
    assert looking.shown() == NAMES
    choose(driver, "state", "drift")
    looking.expect(names_of(lambda row: row.site.state is SiteState.DRIFT))
    choose(driver, "state", "failing")
    looking.expect(names_of(lambda row: row.site.state in (SiteState.DRIFT, SiteState.FAILING)))
    assert looking.hash() == {"state": ["drift,failing"]}
    assert console(driver) == []


@pytest.mark.parametrize("kind", ["drift", "check", "open"])
def test_by_kind(looking: Looking, page: str, kind: str) -> None:
    choose(looking.at(page), "kind", kind)
    looking.expect(names_of(lambda row: any(each.kind is FindingKind(kind) for each in row.site.findings)))
    assert (
        looking.run(
            "return document.querySelectorAll(`.finding:not([hidden]):not([data-kind='${arguments[0]}'])`).length",
            kind,
        )
        == 0
    )
    findings = sum(each.kind is FindingKind(kind) for row in ROWS for each in row.site.findings)
    assert re.search(rf" {findings} findings?\.$", looking.driver.find_element("id", "result").text)


def test_by_trouble(looking: Looking, page: str) -> None:
    choose(looking.at(page), "kind", "trouble")
    looking.expect(names_of(lambda row: row.site.trouble))


def test_by_words(looking: Looking, page: str) -> None:
    driver = looking.at(page)
    box = driver.find_element("id", "q")
    box.send_keys(NAMES[3].upper())
    looking.expect([NAMES[3]])
    for words, holds in (
        ("nvr/alarm/", lambda row: any("/nvr/alarm/" in each.address for each in row.site.findings)),
        ("dealer=lone-star clock", lambda row: row.site.labels["dealer"] == "lone-star" and any("clock" in each.what for each in row.site.findings)),
        ("R-57", lambda row: any("R-57" in each.refs for each in row.site.findings)),
    ):  # fmt: skip
        box.clear()
        box.send_keys(words)
        looking.expect(names_of(holds))
    box.clear()
    box.send_keys("nothing is called so")
    looking.expect([])
    assert looking.run("return document.querySelectorAll('.state:not([hidden])').length") == 0


@pytest.mark.parametrize(
    ("value", "holds"),
    [
        ("label:region=gulf", lambda row: row.site.labels["region"] == "gulf"),
        ("label:dealer=sentry", lambda row: row.site.labels["dealer"] == "sentry"),
        ("group:retail", lambda row: "retail" in row.site.groups),
        ("network:vpn-no-1", lambda row: row.site.network == "vpn-no-1"),
    ],
)
def test_by_place(looking: Looking, page: str, value: str, holds: Callable[[Row], object]) -> None:
    select = Select(looking.at(page).find_element("id", "where"))
    select.select_by_value(value)
    names = names_of(holds)
    looking.expect(names)
    assert select.first_selected_option.text.endswith(f" ({len(names)})")


def aged(row: Row, least: float, below: float = 1e9) -> bool:
    days = [each.days for each in row.shown] + [row.standing for _ in row.site.trouble]
    return any(each is not None and least <= each < below for each in days)


def test_by_age(looking: Looking, page: str) -> None:
    select = Select(looking.at(page).find_element("id", "age"))
    select.select_by_value("7")
    looking.expect(names_of(lambda row: aged(row, 7)))
    select.select_by_value("30")
    looking.expect(names_of(lambda row: aged(row, 30)))
    select.select_by_value("-1")
    looking.expect(names_of(lambda row: aged(row, 0, 1)))


def test_by_waiver(looking: Looking, page: str) -> None:
    select = Select(looking.at(page).find_element("id", "waived"))
    select.select_by_value("yes")
    looking.expect(names_of(lambda row: any(each.finding.excused for each in row.shown)))
    select.select_by_value("expired")
    looking.expect(names_of(lambda row: any(each.waived == "expired" for each in row.shown)))


def test_filters_go_together_and_are_cleared(looking: Looking, page: str) -> None:
    driver = looking.at(page)
    choose(driver, "state", "drift")
    choose(driver, "kind", "check")
    Select(driver.find_element("id", "where")).select_by_value("label:region=southeast")
    looking.expect(
        names_of(
            lambda row: (
                row.site.state is SiteState.DRIFT
                and row.site.labels["region"] == "southeast"
                and any(each.kind is FindingKind.CHECK for each in row.site.findings)
            )
        )
    )
    driver.find_element("css selector", "button[type=reset]").click()
    looking.wait(lambda: looking.shown() == NAMES)
    assert looking.hash() == {}
    assert driver.find_element("id", "result").text.startswith("120 sites, ")


def test_a_link_brings_its_filters(looking: Looking, page: str) -> None:
    driver = looking.at(page, "#state=drift,failing&kind=check&q=clock&nonsense=1&where=no+such")
    expected = names_of(
        lambda row: (
            row.site.state in (SiteState.DRIFT, SiteState.FAILING)
            and any(each.kind is FindingKind.CHECK for each in row.site.findings)
            and any("clock" in each.title for each in row.site.findings)
        )
    )
    looking.expect(expected)
    assert driver.find_element("id", "q").get_property("value") == "clock"
    driver.find_element("css selector", ".counts .open a").click()
    looking.expect(names_of(lambda row: row.site.state is SiteState.OPEN))
    assert driver.find_element("css selector", "[name=state][value=open]").is_selected()
    assert console(driver) == []


# Links and keys


def is_open_and_seen(looking: Looking, number: int) -> bool:
    script = """const row = document.getElementById(arguments[0]), box = row.getBoundingClientRect();
    return row.querySelector('details').open && row.contains(document.activeElement) && box.top > -2 && box.top < innerHeight"""
    return bool(looking.run(script, f"s{number}"))


def test_squares_open_their_site(looking: Looking, page: str) -> None:
    driver = looking.at(page)
    for number in (0, 9):
        driver.find_element("css selector", f"#picture a[href='#s{number}']").click()
        looking.wait(partial(is_open_and_seen, looking, number))
        assert looking.hash() == {"site": [NAMES[number]]}
    title = looking.run("return document.querySelector('#picture a[href=\"#s0\"] title').textContent")
    assert title.startswith(f"{NAMES[0]}: {ROWS[0].site.state.value}")
    state = ROWS[9].site.state.value
    looking.at(page, f"#state={state}&site={NAMES[9]}")
    looking.wait(lambda: is_open_and_seen(looking, 9))
    looking.expect(names_of(lambda row: row.site.state.value == state))
    assert looking.hash() == {"state": [state], "site": [NAMES[9]]}
    looking.at(page, "#s9")
    looking.wait(lambda: is_open_and_seen(looking, 9))


def test_a_link_to_a_site_that_is_filtered_away_shows_it(looking: Looking, page: str) -> None:
    driver = looking.at(page, "#state=clean")
    looking.expect(names_of(lambda row: row.site.state is SiteState.CLEAN))
    driver.find_element("css selector", ".worst li a").click()
    looking.wait(lambda: is_open_and_seen(looking, 0))
    assert looking.shown() == NAMES


def active(looking: Looking) -> str:
    return str(
        looking.run(
            "const at = document.activeElement; return at.getAttribute('href') || at.id || at.tagName"
        )
    )


def test_keys_are_enough(looking: Looking, page: str) -> None:
    driver = looking.at(page)
    body = driver.find_element("tag name", "body")
    body.send_keys(Keys.TAB)
    assert active(looking) == "#sites", "the way past it all"
    assert driver.switch_to.active_element.location["x"] >= 0, "is seen when it has the focus"
    driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert active(looking) == "sites"
    driver.switch_to.active_element.send_keys(Keys.TAB)
    assert active(looking) == "q"
    stops = looking.run("return document.querySelectorAll('#picture a[tabindex=\"0\"]').length")
    assert stops == 1, "the picture is one stop, whatever the fleet's size"
    looking.run("document.querySelector('#picture a[tabindex=\"0\"]').focus()")
    order = looking.run(
        "return [...document.querySelectorAll('#picture a')].map((each) => each.getAttribute('href'))"
    )
    columns = int(looking.run("return document.querySelector('#picture svg').dataset.columns"))
    for key, at in ((Keys.ARROW_RIGHT, 1), (Keys.ARROW_DOWN, 1 + columns), (Keys.ARROW_LEFT, columns), (Keys.ARROW_UP, 0), (Keys.END, -1), (Keys.HOME, 0)):  # fmt: skip
        driver.switch_to.active_element.send_keys(key)
        assert active(looking) == order[at]
    driver.switch_to.active_element.send_keys(Keys.ENTER)
    looking.wait(lambda: is_open_and_seen(looking, int(order[0][2:])))
    driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert not looking.run(
        "return document.getElementById(arguments[0]).querySelector('details').open", order[0][1:]
    )


def test_all_can_be_opened_and_closed(looking: Looking, page: str) -> None:
    driver = looking.at(page, "#state=failing")
    failing = names_of(lambda row: row.site.state is SiteState.FAILING)
    looking.expect(failing)
    driver.find_element("id", "open").click()
    assert looking.run("return document.querySelectorAll('.site details[open]').length") == len(failing)
    driver.find_element("id", "close").click()
    assert looking.run("return document.querySelectorAll('.site details[open]').length") == 0


# What must not happen, and paper


def test_hostile_names_are_read_not_run(looking: Looking) -> None:
    looking.driver.get("about:blank")
    requested(looking.driver)
    driver = looking.at(render_html(hostile_audit(HOSTILE)))
    driver.find_element("id", "open").click()
    driver.find_element("id", "q").send_keys("script")
    looking.wait(lambda: "q" in looking.hash())
    choose(driver, "state", "drift")
    looking.wait(lambda: len(looking.shown()) == 1)
    assert driver.title.startswith("Audit of </title></style><script>document.title='owned'")
    assert looking.run("return document.scripts.length") == 1
    assert driver.find_elements("css selector", "img, iframe, link, a[href^=java]") == []
    Select(driver.find_element("id", "where")).select_by_index(1)
    looking.wait(lambda: "where" in looking.hash())
    assert len(looking.shown()) == 1
    assert console(driver) == []
    assert requested(driver) == {"file"}
    assert looking.out.asked_for("127.0.0.1:9999/") == []


def test_the_policy_stops_what_gets_in(looking: Looking, page: str) -> None:
    hole = (
        "<script>document.title='owned'</script><img src='http://127.0.0.1:9999/a.png' onerror='document.title=1'>"
        "<link rel=stylesheet href='http://127.0.0.1:9999/a.css'><p style='color:red'>x</p>"
    )
    driver = looking.at(page.replace("<main>", f"<main>{hole}"))
    assert driver.title.startswith("Audit of sites: ")
    assert len(console(driver)) >= 4, "the browser says what it refused"
    choose(driver, "state", "open")
    looking.expect(names_of(lambda row: row.site.state is SiteState.OPEN))
    assert looking.out.asked_for("127.0.0.1:9999/") == []


@pytest.mark.parametrize("script", [True, False])
def test_paper_has_every_finding_open(looking: Looking, page: str, script: bool) -> None:
    small = replace(AUDIT, sites=tuple(row.site for row in ROWS[:12]))
    text = render_html(small)
    driver = looking.at(text if script else re.sub("<script>.*</script>", "", text, flags=re.DOTALL))
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    if script:
        looking.run("dispatchEvent(new Event('beforeprint'))")
        assert looking.run("return document.querySelectorAll('.site details:not([open])').length") == 0
    heights = looking.run(
        "return [...document.querySelectorAll('.finding')].map((each) => each.getBoundingClientRect().height)"
    )
    assert min(heights) > 20
    assert not driver.find_element("id", "filters").is_displayed()
    if script:
        looking.run("dispatchEvent(new Event('afterprint'))")
        assert looking.run("return document.querySelectorAll('.site details[open]').length") == 0
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    pdf = base64.b64decode(driver.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"])
    assert 2 <= len(re.findall(rb"/Type /Page\b", pdf)) <= 8
    assert b"/MediaBox [0 0 594.95996 841.91998]" in pdf, "A4"


@pytest.mark.parametrize(
    ("theme", "ground"), [("light", "rgba(255, 255, 255, 1)"), ("dark", "rgba(21, 24, 28, 1)")]
)
def test_themes_and_narrow_screens(looking: Looking, theme: str, ground: str) -> None:
    feature = {"name": "prefers-color-scheme", "value": theme}
    looking.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    narrow = {"width": 360, "height": 700, "deviceScaleFactor": 1, "mobile": False}
    looking.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", narrow)
    for audit in (hostile_audit(HOSTILE + "x" * 800), AUDIT):
        driver = looking.at(render_html(audit))
        looking.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        assert driver.find_element("tag name", "body").value_of_css_property("background-color") == ground
        wide = looking.run("return document.documentElement.scrollWidth")
        assert wide <= 360, "only tables scroll sideways, not the page"
    looking.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    looking.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_five_thousand_sites_are_seen_and_filtered(looking: Looking) -> None:
    audit = audit_of(5000)
    driver = looking.at(render_html(audit))
    picture = Image.open(io.BytesIO(driver.get_screenshot_as_png()))
    assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 50
    choose(driver, "state", "unreachable")
    expected = [row.site.site for row in rows_of(audit) if row.site.state is SiteState.UNREACHABLE]
    looking.wait(lambda: looking.shown() == expected)
    assert driver.find_element("id", "result").text.startswith(f"{len(expected)} of 5,000 sites, ")
    assert console(driver) == []
