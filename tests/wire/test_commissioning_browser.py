"""The commissioning report in a real browser: hostile names do nothing, nothing leaves, it prints, it has two themes."""

from __future__ import annotations

import base64
import io
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from selenium import webdriver

from ivn_provision.report.commissioning import Commissioning
from ivn_provision.report.commissioning_html import render
from ivn_provision.verify.result import State
from tests.support.browser import CHROMIUM, DRIVER, MISSING, WayOut, browser, console, requested, way_out
from tests.support.commissioned import HOSTILE, accepted_of, checked_of, report_of

ELSEWHERE = "127.0.0.1:9999/"
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason=MISSING)


@dataclass
class Looking:
    """A browser, and what tried to leave it."""

    driver: webdriver.Chrome
    out: WayOut
    folder: Path

    def at(self, page: str) -> webdriver.Chrome:
        path = self.folder / "page.html"
        path.write_text(page, "utf-8")
        self.driver.get(path.as_uri())
        return self.driver


@pytest.fixture(scope="module")
def looking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Looking]:
    folder = tmp_path_factory.mktemp("browser")
    with way_out() as out, browser(folder / "profile", out) as driver:
        yield Looking(driver, out, folder)


def jpeg() -> bytes:
    raw = io.BytesIO()
    Image.new("RGB", (320, 200), "navy").save(raw, "JPEG")
    return raw.getvalue()


def hostile() -> Commissioning:
    return report_of(HOSTILE, checked=checked_of(*State, text=HOSTILE, jpeg=jpeg()))


def asked_within(out: WayOut, seconds: float) -> list[str]:
    """What pages asked of that address; as soon as there is something."""
    end = time.monotonic() + seconds
    while not out.asked_for(ELSEWHERE) and time.monotonic() < end:
        time.sleep(0.02)
    return out.asked_for(ELSEWHERE)


def test_hostile_names_are_read_not_run(looking: Looking) -> None:
    driver = looking.at(render(hostile()))
    assert driver.title.startswith("Commissioning report: </title></style><script>")
    assert (
        "</title></style><script>document.title='owned'</script>"
        in driver.find_element("tag name", "h1").text
    )
    assert driver.find_elements("tag name", "script") == []
    assert len(driver.find_elements("tag name", "img")) == 1
    assert driver.find_element("tag name", "img").get_property("naturalWidth") == 320
    assert console(driver) == []
    assert requested(driver) == {"file", "data"}
    rows = driver.find_elements("css selector", ".pins tbody tr")
    assert [each.find_element("css selector", "th").text.split("\n")[0] for each in rows] == ["2 S", "3 H"]
    assert len(driver.find_elements("css selector", "[aria-labelledby=deviations] .results tbody tr")) == 8
    assert asked_within(looking.out, 0.3) == []


def test_the_policy_stops_what_gets_in(looking: Looking) -> None:
    """Were there a hole in the escaping: no script runs and nothing is loaded, for the page says so itself."""
    hole = (
        "<script>document.title='owned'</script><img src='http://127.0.0.1:9999/a.png' onerror='document.title=1'>"
        "<link rel=stylesheet href='http://127.0.0.1:9999/a.css'><iframe src='http://127.0.0.1:9999/'></iframe>"
    )
    driver = looking.at(render(report_of()).replace("<main>", f"<main>{hole}"))
    assert driver.title == "Commissioning report: Harbor"
    assert len(console(driver)) >= 4, "the browser says what it refused"
    assert asked_within(looking.out, 0.3) == []


def test_what_leaves_would_be_seen(looking: Looking) -> None:
    """The two tests above are worth something: without the policy the same picture is asked for."""
    looking.at("<img src='http://127.0.0.1:9999/a.png'>")
    assert asked_within(looking.out, 10) == ["GET http://127.0.0.1:9999/a.png HTTP/1.1"]
    looking.out.asked.clear()
    console(looking.driver)


def test_it_prints(looking: Looking) -> None:
    results = [State.FAIL, *[State.PASS] * 60]
    long = report_of(verified=accepted_of(State.PASS), checked=checked_of(*results, jpeg=jpeg()))
    driver = looking.at(render(long))
    printed = driver.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    pdf = base64.b64decode(printed["data"])
    assert pdf.startswith(b"%PDF")
    assert 3 <= len(re.findall(rb"/Type /Page\b", pdf)) <= 12
    assert b"/MediaBox [0 0 594.95996 841.91998]" in pdf, "A4"
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    for selector in ("tr", "figure", ".sign", ".verdict"):
        assert driver.find_element("css selector", selector).value_of_css_property("break-inside") == "avoid"
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


@pytest.mark.parametrize(
    ("theme", "ground"), [("light", "rgba(255, 255, 255, 1)"), ("dark", "rgba(21, 24, 28, 1)")]
)
def test_themes_and_narrow_screens(looking: Looking, theme: str, ground: str) -> None:
    feature = {"name": "prefers-color-scheme", "value": theme}
    looking.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    driver = looking.at(render(hostile()))
    assert driver.find_element("tag name", "body").value_of_css_property("background-color") == ground
    narrow = {"width": 360, "height": 700, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", narrow)
    wide = driver.execute_script("return document.documentElement.scrollWidth")
    assert wide <= 360, "only tables scroll sideways, not the page"
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
