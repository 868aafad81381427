"""The commissioning report: nothing hidden, nothing from outside that acts, and a digest that can be made again."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from ivn_provision.errors import PlanError
from ivn_provision.report.commissioning import MOST_PICTURE_BYTES, Verdict
from ivn_provision.report.commissioning_html import render
from ivn_provision.report.commissioning_json import commissioning_json, commissioning_junit
from ivn_provision.report.pages import MOST_CHARACTERS
from ivn_provision.run.checking import Checked
from ivn_provision.run.verifying import Verified
from ivn_provision.verify.result import State
from tests.support.commissioned import HOSTILE, JPEG, accepted_of, checked_of, report_of

TAGS = {
    "html", "head", "meta", "title", "style", "body", "header", "main", "section", "div", "span", "p", "b", "br",
    "strong", "h1", "h2", "h3", "ul", "li", "table", "caption", "colgroup", "col", "thead", "tbody", "tr", "th",
    "td", "pre", "code", "figure", "figcaption", "img",
}  # fmt: skip
ATTRIBUTES = {
    "lang", "charset", "http-equiv", "content", "name", "class", "id", "role", "scope", "src", "alt", "tabindex",
    "aria-hidden", "aria-label", "aria-labelledby",
}  # fmt: skip


@dataclass
class Page(HTMLParser):
    """What a page is made of."""

    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)

    def named(self, *names: str) -> list[str]:
        return [tag for tag, _ in self.tags if tag in names]


def read(page: str) -> Page:
    found = Page()
    found.feed(page)
    found.close()
    return found


# Nothing from outside acts


def test_hostile_text_is_text_everywhere() -> None:
    page = read(render(report_of(HOSTILE)))
    assert set(page.named(*TAGS)) == {tag for tag, _ in page.tags} <= TAGS
    assert {name for _, attributes in page.tags for name in attributes} <= ATTRIBUTES
    assert page.named("img") == ["img"], "the one picture"
    assert len(page.named("style")) == len(page.named("title")) == 1
    assert "xxxxxxxxx" not in page.text, "no template in a name is filled"


def test_marks_that_deceive_are_written_out() -> None:
    page = render(report_of(HOSTILE))
    assert all(line.isprintable() for line in page.split("\n")), (
        "no control, direction or invisible character"
    )
    assert "\\u202egpj\\u200b\\x1b[2J\\x00\\u2028" in page
    commissioning_junit(report_of(HOSTILE)).encode()


@settings(deadline=None)
@given(st.text(st.characters() | st.characters(categories=["Cc", "Cf", "Cs"]), max_size=30))
def test_any_text_makes_a_page_a_document_and_a_suite(text: str) -> None:
    report = report_of(text)
    assert all(line.isprintable() for line in render(report).split("\n"))
    json.dumps(commissioning_json(report)).encode("ascii")
    etree.fromstring(commissioning_junit(report).encode())


def test_the_page_may_load_nothing() -> None:
    page = read(render(report_of(HOSTILE)))
    policies = [each["content"] for tag, each in page.tags if each.get("http-equiv")]
    assert policies == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    sources = [each["src"] for _, each in page.tags if "src" in each]
    assert all(each.startswith("data:image/jpeg;base64,/9h") for each in sources)
    style = render(report_of()).partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_very_long_text_is_cut_visibly_and_whole_in_the_json() -> None:
    huge = "a" * 100_000
    report = report_of(huge)
    assert len(render(report)) < 200 * MOST_CHARACTERS
    assert f"({100_000 - MOST_CHARACTERS} more characters, see the JSON)" in render(report)
    assert commissioning_json(report)["evidence"]["site"]["name"] == huge


@pytest.mark.parametrize(
    ("jpeg", "reason"),
    [
        (JPEG, ""),
        (JPEG + b"\x00\x00", ""),
        (b"\xff\xd8" + bytes(MOST_PICTURE_BYTES - 4) + b"\xff\xd9", ""),
        (b"\xff\xd8" + bytes(MOST_PICTURE_BYTES) + b"\xff\xd9", "it is larger than 512 KiB"),
        (b"<svg onload=alert(1)>\xff\xd9", "what came is no whole JPEG"),
        (b"\xff\xd8 cut off", "what came is no whole JPEG"),
        (b"", "what came is no whole JPEG"),
    ],
    ids=["whole", "padded", "just", "too large", "no JPEG", "cut off", "none"],
)
def test_a_picture_is_shown_only_if_it_is_one(jpeg: bytes, reason: str) -> None:
    report = report_of(checked=checked_of(State.PASS, jpeg=jpeg))
    first, second = report.pictures
    assert (first.number, first.reason) == (10, reason)
    assert bool(first.jpeg) is not bool(reason)
    assert second.reason == "the image server showed no such camera"
    page = read(render(report))
    assert len(page.named("img")) == (0 if reason else 1)
    assert page.text.count("no picture") == (2 if reason else 1)


# Nothing is hidden


@given(st.lists(st.sampled_from(State), max_size=6), st.lists(st.sampled_from(State), max_size=6))
def test_what_did_not_pass_is_a_deviation(pins: list[State], checks: list[State]) -> None:
    report = report_of(verified=accepted_of(*pins), checked=checked_of(*checks))
    wanted = sorted(each for each in (*pins, *checks) if each is not State.PASS)
    assert sorted(each.state for each in report.deviations) == wanted
    good = {State.PASS, State.WARN} & set(pins) and not {State.FAIL, State.INCONCLUSIVE} & set(pins)
    if State.FAIL in checks or not good:
        assert report.verdict is Verdict.REFUSED
    else:
        assert report.verdict is (Verdict.DEVIATIONS if wanted else Verdict.ACCEPTED)


def test_where_nothing_could_be_fired_or_looked_at() -> None:
    nothing = PlanError("the portal opens no window")
    report = report_of(checked=Checked("Harbor", error=nothing), verified=Verified("Harbor", error=nothing))
    assert report.verdict is Verdict.REFUSED
    page = read(render(report)).text
    for said in (
        "Not accepted",
        "No pin was fired",
        "Nothing was looked at: the portal opens",
        "did not answer",
    ):
        assert said in page
    assert len(report.deviations) == 2
    suites = etree.fromstring(commissioning_junit(report).encode())
    assert [each.get("failures") for each in suites] == ["1", "1"]


def test_a_target_that_did_not_answer_is_a_deviation() -> None:
    checked = replace(checked_of(State.PASS), error=PlanError("the recorder is silent"))
    report = report_of(checked=checked, verified=accepted_of(State.PASS))
    assert [each.found.evidence for each in report.deviations] == [
        "A target did not answer: the recorder is silent"
    ]
    assert report.verdict is Verdict.REFUSED


def test_what_was_not_tested_is_said() -> None:
    report = report_of(verified=accepted_of(State.PASS))
    said = "\n".join(report.untested)
    assert "Pins that were not fired: 3 H." in said
    assert "leaves out of it: 9 S." in said
    assert "no hardware input was tripped" in said
    assert "clocks of cameras that the tool does not manage" in said
    assert "embedded lab" not in said
    assert "None recorded." in read(render(report)).text
    assert all(each in read(render(report)).text for each in report.untested)


# For programs


def test_the_digest_can_be_made_again() -> None:
    found = json.loads(json.dumps(commissioning_json(report_of(HOSTILE)), indent=2))
    text = json.dumps(found["evidence"], sort_keys=True, separators=(",", ":"))
    assert found["sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert f"<code>{found['sha256']}</code>" in render(report_of(HOSTILE))
    assert commissioning_json(report_of("Other"))["sha256"] != found["sha256"]


def test_the_shape_of_the_document() -> None:
    found = commissioning_json(report_of())
    assert (found["format"], found["version"]) == ("ivn-provision/commissioning", 1)
    assert set(found) == {"format", "version", "sha256", "evidence", "pictures"}
    evidence = found["evidence"]
    assert set(evidence) == {
        "verdict", "run", "by", "tool", "began", "ended", "in_lab", "site", "site_files", "targets", "window_until",
        "pins", "acceptance", "checks", "deviations", "waivers", "not_tested", "pictures",
    }  # fmt: skip
    assert (evidence["began"], evidence["ended"]) == ("2026-11-24T13:05:07Z", "2026-11-24T13:07:07Z")
    assert evidence["site_files"] == {"revision": "Harbor", "dirty": True}
    fired, left = evidence["pins"]
    assert (fired["pin"], fired["source"], fired["camera"], fired["latency_seconds"]) == (2, "soft", 10, 1.25)
    assert (fired["events"], fired["clips"], fired["verdict"]) == ([7], ["ready"], "fail")
    assert fired["by_person"] is False
    assert fired["grammar"] == [{"message": "Harbor", "lines": ["Harbor", "  ^"]}]
    assert (left["fired_at"], left["skipped"]) == (None, "Harbor")
    assert evidence["pictures"][0]["sha256"] == hashlib.sha256(JPEG).hexdigest()
    assert list(found["pictures"]) == ["10"]


# For everybody


def test_times_are_those_of_the_site() -> None:
    page = read(render(report_of())).text
    assert "2026-11-24 14:05:07 +01:00" in page
    assert "Times are those of Europe/Berlin" in page


def test_the_structure_is_that_of_a_document() -> None:
    page = read(render(report_of()))
    levels = [int(tag[1]) for tag in page.named("h1", "h2", "h3")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.tags[0] == ("html", {"lang": "en"})
    assert len(page.named("caption")) == len(page.named("table"))
    assert all(each.get("scope") in {"row", "col"} for tag, each in page.tags if tag == "th")
    assert all(each.get("alt") for tag, each in page.tags if tag == "img")
    ids = [each["id"] for _, each in page.tags if "id" in each]
    assert len(ids) == len(set(ids))
    assert {each["aria-labelledby"] for _, each in page.tags if "aria-labelledby" in each} <= set(ids)


def test_states_are_words_and_marks_not_colours_alone() -> None:
    page = read(render(report_of())).text
    for state in State:
        assert re.search(rf"[✓✗!?–]\s*{state.value}", page)


def luminance(colour: str) -> float:
    """Of `#abc` or `#aabbcc` (WCAG 2.2)."""
    digits = colour.lstrip("#")
    pairs = [each * 2 for each in digits] if len(digits) == 3 else [digits[at : at + 2] for at in (0, 2, 4)]
    parts = [int(each, 16) / 255 for each in pairs]
    red, green, blue = [
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts
    ]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_every_text_has_contrast_in_both_themes() -> None:
    style = render(report_of()).partition("<style>")[2].partition("</style>")[0]
    themes = [
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]+)", part))
        for part in re.findall(r":root \{([^}]*)\}", style)
    ]
    assert len(themes) == 2
    for theme in themes:
        pairs = [(name, "paper") for name in ("ink", "soft", "accent", "warn", "fail")]
        pairs += [(state.value, f"{state.value}-bg") for state in State]
        pairs += [("ink", f"{state.value}-bg") for state in State] + [("ink", "head")]
        for text, ground in pairs:
            assert contrast(theme[text], theme[ground]) >= 4.5, (text, ground)
