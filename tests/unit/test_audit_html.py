"""The page of an audit: nothing from outside acts, nothing is hidden, the worst is first, and it stays small."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivn_provision.report.audit.html import MOST_SHORT, WORST, render_html
from ivn_provision.report.audit.page.rows import MOST_FINDINGS, rows_of
from ivn_provision.report.pages import MOST_CHARACTERS
from ivn_provision.run.audit.record import Audit, Level, SiteAudit, SiteState
from tests.support.audits import AT, audit_of, hostile_audit
from tests.support.commissioned import HOSTILE

VOID = {"meta", "input", "col"}
THREE = audit_of(3, unwell=0.7)
SMALL = audit_of(60)


@dataclass
class Page(HTMLParser):
    """What a page is made of: elements with what is in them, in their order."""

    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    unbalanced: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    @property
    def ids(self) -> list[str]:
        return [attributes["id"] for _, attributes in self.tags if "id" in attributes]

    def classed(self, name: str) -> list[dict[str, str]]:
        return [each for _, each in self.tags if name in each.get("class", "").split()]


def read(page: str) -> Page:
    found = Page()
    found.feed(page)
    found.close()
    return found


def shape(page: Page) -> Counter[tuple[str, tuple[str, ...]]]:
    """All elements, each with the names of its attributes."""
    return Counter((tag, tuple(attributes)) for tag, attributes in page.tags)


def harmless_shape(text: str) -> Counter[tuple[str, tuple[str, ...]]]:
    """Of the page with letters instead: only backquotes mean something, where they stand around a command."""
    return shape(read(render_html(hostile_audit(re.sub("[^`]", "a", text, flags=re.DOTALL)))))


def between(page: str, tag: str) -> str:
    return page.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]


# Nothing from outside acts


def test_hostile_text_makes_the_same_elements_as_harmless_text() -> None:
    assert shape(read(render_html(hostile_audit(HOSTILE)))) == harmless_shape(HOSTILE)


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters() | st.characters(categories=["Cc", "Cf", "Cs"]), min_size=1, max_size=30))
def test_any_text_is_text(text: str) -> None:
    page = render_html(hostile_audit(f"<b {text}"))
    assert all(line.isprintable() for line in page.split("\n"))
    assert "<b " not in page.replace('<b class="', "")
    assert shape(read(page)) == harmless_shape(f"<b {text}")


def test_marks_that_deceive_are_written_out() -> None:
    page = render_html(hostile_audit("a\u202eb\u200b\x1b[2J\x00"))
    assert "a\\u202eb\\u200b\\x1b[2J\\x00" in page


def test_the_policy_names_the_one_script_and_the_one_style_and_nothing_else() -> None:
    page = render_html(SMALL)
    found = read(page)
    tags = Counter(tag for tag, _ in found.tags)
    assert (tags["script"], tags["style"]) == (1, 1)
    assert not tags["link"] + tags["img"] + tags["iframe"] + tags["base"] + tags["object"]
    digests = [
        "sha256-" + base64.b64encode(hashlib.sha256(between(page, tag).encode()).digest()).decode()
        for tag in ("script", "style")
    ]
    policies = [each["content"] for _, each in found.tags if "http-equiv" in each]
    assert policies == [
        f"default-src 'none'; script-src '{digests[0]}'; style-src '{digests[1]}'; base-uri 'none'; form-action 'none'"
    ]


def test_nothing_is_loaded_and_no_element_brings_its_own_style_or_script() -> None:
    page = render_html(hostile_audit("https://example.com/x"))
    for _, attributes in read(page).tags:
        assert attributes.get("href", "#").startswith("#")
        assert not {"src", "style", "action", "srcset", "data"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
    assert not re.search(r"url\(|@import|https?:|//", between(page, "style"))
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|fetch\(", between(page, "script")
    )


# A page that people and their programs can read


@pytest.mark.parametrize("audit", [THREE, SMALL, hostile_audit(HOSTILE), replace(THREE, sites=(), trend=())])
def test_it_is_well_made(audit: Audit) -> None:
    page = render_html(audit)
    found = read(page)
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert found.unbalanced == []
    assert found.open == []
    assert len(found.ids) == len(set(found.ids))
    targets = {each["href"][1:] for _, each in found.tags if "href" in each and "=" not in each["href"]}
    assert targets <= set(found.ids), "every link has its end"
    pointers = {
        each[name]
        for _, each in found.tags
        for name in ("aria-labelledby", "aria-describedby")
        if name in each
    }
    assert pointers <= set(found.ids)
    levels = [int(tag[1]) for tag, _ in found.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels)), "no level is left out"
    tags = Counter(tag for tag, _ in found.tags)
    assert tags["main"] == tags["header"] == tags["nav"] == 1


def test_without_a_script_all_is_there_but_the_filters() -> None:
    found = read(render_html(SMALL))
    hidden = [(tag, attributes.get("id")) for tag, attributes in found.tags if "hidden" in attributes]
    assert hidden == [("form", "filters")]
    assert all(site.site in found.text for site in SMALL.sites)
    assert all(each.title in found.text for site in SMALL.sites for each in site.findings)


def contrast(one: str, other: str) -> float:
    """WCAG 2: of two colours `#abc` or `#aabbcc`."""

    def light(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(each * 2 for each in colour[1:])
        parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        red, green, blue = [
            each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts
        ]
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    bright, dark = sorted((light(one), light(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1])
def test_colours_can_be_read(theme: int) -> None:
    """WCAG AA: text 4.5 to 1 on every ground that it stands on, squares 3 to 1."""
    style = files("ivn_provision.report").joinpath("templates", "audit.css").read_text("utf-8")
    block = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[theme]
    colours = dict(re.findall(r"--([\w-]+): (#\w+)", block))
    states = [state.value for state in SiteState]
    for name in ("ink", "soft", "accent", *states):
        assert contrast(colours[name], colours["paper"]) >= 4.5, name
    for name in ("ink", "soft", "accent"):
        assert contrast(colours[name], colours["head"]) >= 4.5, name
    assert min(contrast(colours["on"], colours[name]) for name in states) >= 4.5
    assert min(contrast(colours["ink"], colours[name]) for name in ("add", "cut")) >= 4.5
    assert contrast(colours["clean-square"], colours["paper"]) >= 3


# What it says


def test_the_worst_is_first() -> None:
    rows = rows_of(SMALL)
    order = [(list(SiteState).index(row.site.state), -row.errors, -(row.days or 0)) for row in rows]
    assert order == sorted(order)
    found = read(render_html(replace(SMALL, sites=tuple(reversed(SMALL.sites)))))
    assert [each["id"] for each in found.classed("site")] == [f"s{number}" for number in range(60)]
    assert len(found.classed("worst")) == 1
    unwell = sum(row.unwell for row in rows)
    assert f"{unwell} of 60 sites need a look" in found.text
    assert unwell < WORST or found.text.count(rows[WORST].site.site) < found.text.count(rows[0].site.site)


def test_every_site_has_a_square_a_title_and_a_line() -> None:
    found = read(render_html(SMALL))
    squares = [each["href"] for tag, each in found.tags if tag == "a" and each.get("tabindex") == "-1"]
    assert sorted(squares) == sorted(f"#s{number}" for number in range(60))
    states = Counter(each["class"].split()[-1] for each in found.classed("site"))
    assert states == Counter(site.state.value for site in SMALL.sites)
    for state in SiteState:
        assert f"{SMALL.count(state)} {state.value} " in found.text


def drifted() -> SiteAudit:
    return next(
        site
        for site in audit_of(300).sites
        if any(each.waiver and each.waiver.expired and each.fields for each in site.findings)
    )


def test_a_finding_says_all_that_is_known() -> None:
    site = drifted()
    text = read(render_html(replace(THREE, sites=(site,)))).text
    for finding in site.findings:
        assert finding.title in text
        assert finding.address in text
        assert finding.remedy.replace("`", "") in text
        assert finding.what in text
        assert ", ".join(finding.refs) in text
        assert finding.cause.value in text
        for each in finding.fields:
            assert f"{each.live}{each.declared}" in text
        if finding.place:
            assert f"declared in {finding.place.path}:{finding.place.line}" in text
        if finding.waiver:
            assert f"Waiver expired on {finding.waiver.until}: it counts again." in text
            assert f"{finding.waiver.owner}: {finding.waiver.reason}" in text
    assert "checks: 29 pass, 2 inconclusive" in text


def test_ages_come_from_when_it_was_first_seen() -> None:
    site = drifted()
    for back, words in (
        (timedelta(0), "new"),
        (timedelta(hours=5), "5 hours ago"),
        (timedelta(days=12), "12 days ago"),
        (timedelta(days=400), "13 months ago"),
    ):
        seen = tuple(replace(each, first_seen=(AT - back).isoformat()) for each in site.findings)
        assert words in read(render_html(replace(THREE, sites=(replace(site, findings=seen),)))).text
    unknown = tuple(replace(each, first_seen="") for each in site.findings)
    page = render_html(replace(THREE, sites=(replace(site, findings=unknown, since=""),)))
    assert "first seen" not in page
    assert "data-days" not in page


def test_the_trend_is_drawn_and_written() -> None:
    found = read(render_html(SMALL))
    bars = {each["x"] for tag, each in found.tags if tag == "rect"}
    assert len(bars) == len(SMALL.trend)
    drawn = [tag for tag, _ in found.tags if tag == "rect"]
    assert len(drawn) == sum(
        1
        for each in SMALL.trend
        for state, count in each.states.items()
        if count and state is not SiteState.CLEAN
    )
    assert "2026-11-24 03:15 UTC" in found.text
    assert "There is no earlier audit" in read(render_html(replace(SMALL, trend=SMALL.trend[-1:]))).text
    calm = tuple(replace(each, states={SiteState.CLEAN: 60}) for each in SMALL.trend)
    assert "<rect" not in render_html(replace(SMALL, trend=calm))


def test_waivers_that_excuse_nothing_are_named() -> None:
    text = read(render_html(SMALL)).text
    assert all(glob in text for glob in SMALL.unused_waivers)
    assert "expired Router" not in text.partition("Waivers that excused nothing")[2]


@pytest.mark.parametrize(
    ("states", "title"),
    [
        ((), "No site was chosen"),
        ((SiteState.CLEAN,), "The one site is as declared"),
        ((SiteState.CLEAN, SiteState.CLEAN), "All 2 sites are as declared"),
        ((SiteState.CLEAN, SiteState.WAIVED), "All 2 sites are as declared or excused"),
        ((SiteState.CLEAN, SiteState.OPEN), "1 of 2 sites needs a look"),
    ],
)
def test_the_title_says_how_it_stands(states: tuple[SiteState, ...], title: str) -> None:
    sites = tuple(SiteAudit(f"site-{at}", "s.yml", state) for at, state in enumerate(states))
    page = render_html(Audit("2026-11-24T03:15:00Z", 1.0, "sites", "", sites))
    assert between(page, "h1") == title
    assert between(page, "title") == f"Audit of sites: {title}"


def test_a_site_without_end_is_cut_and_says_so() -> None:
    site = drifted()
    many = tuple(replace(site.findings[0], id=str(at), title="t" * 5000) for at in range(MOST_FINDINGS + 40))
    page = render_html(replace(THREE, sites=(replace(site, site="n" * 5000, findings=many),)))
    assert "And 40 findings more: see the JSON." in page
    assert f"({5000 - MOST_CHARACTERS} more characters, see the JSON)" in page
    assert f"{'n' * (MOST_SHORT - 1)}…" in page
    assert len(page) < MOST_FINDINGS * 4000 + 100_000


def test_five_thousand_sites_are_a_small_file() -> None:
    page = render_html(audit_of(5000))
    assert len(page.encode()) < 5_000_000
    assert page.count("<details>") < 900, "only those with something to open"


def test_levels_and_states_have_a_shape_as_well_as_a_colour() -> None:
    found = read(render_html(hostile_audit("x")))
    marks = {
        each["d"].split("h12v12", 1)[1]
        for tag, each in found.tags
        if tag == "path" and "h12v12" in each.get("d", "")
    }
    assert len(marks) == len(SiteState)
    for level in Level:
        assert any(level.value in each["class"].split() for each in found.classed("finding"))
