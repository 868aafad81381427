"""A commissioning report as one printable page: no scripts, nothing loaded from elsewhere, everything escaped."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from ivn_provision.report.commissioning import Commissioning, Picture, Verdict, drawn
from ivn_provision.report.commissioning_json import digest_of, evidence_json
from ivn_provision.report.pages import backquoted, brief, page_template
from ivn_provision.verify.result import Result, State

if TYPE_CHECKING:
    from jinja2 import Template

_MARKS = {State.PASS: "✓", State.FAIL: "✗", State.WARN: "!", State.INCONCLUSIVE: "?", State.SKIPPED: "–"}
_TARGETS = {
    "nvr": "Recorder",
    "portal": "Portal",
    "camera": "Cameras",
    "network": "Network",
    "site": "Site as a whole",
}
_VERDICTS = {
    Verdict.ACCEPTED: (State.PASS, "Every pin's alarm arrived as it should, and every check passed."),
    Verdict.DEVIATIONS: (
        State.WARN,
        "Every alarm that was fired arrived, and no check failed. The rest is listed under Deviations.",
    ),
    Verdict.REFUSED: (
        State.FAIL,
        "An alarm did not arrive as it should, nothing could be proven, or a check failed: see Deviations.",
    ),
}


@dataclass(frozen=True, slots=True)
class Words:
    """How the page says things: times in the site's zone."""

    zone: tzinfo
    zone_name: str

    def day(self, at: datetime) -> str:
        """Date, time and offset."""
        text = at.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S %z")
        return f"{text[:-2]}:{text[-2:]}"

    def clock(self, at: datetime | None) -> str:
        return at.astimezone(self.zone).strftime("%H:%M:%S") if at else "not fired"


def render(report: Commissioning) -> str:
    """The page."""
    state, meaning = _VERDICTS[report.verdict]
    name = report.site.time_zone or "UTC"
    return _template().render(
        report=report,
        site=report.site,
        about=report.about,
        state=state,
        meaning=meaning,
        words=Words(ZoneInfo(name) if report.site.time_zone else UTC, name),
        counts=counted((*report.acceptance_results, *report.checks)),
        faulty=[(each, lines) for each in report.pins if (lines := drawn(each.record))],
        digest=digest_of(evidence_json(report)),
    )


def counted(results: tuple[Result, ...]) -> tuple[tuple[State, int], ...]:
    """How many there are of each state, the states that occur."""
    found = [(state, sum(each.state is state for each in results)) for state in _MARKS]
    return tuple((state, count) for state, count in found if count)


def _source(picture: Picture) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(picture.jpeg).decode("ascii")


@cache
def _template() -> Template:
    filters: dict[str, Callable[..., Any]] = {
        "brief": brief,
        "commands": lambda text: backquoted(brief(text), "code"),
        "mark": _MARKS.__getitem__,
        "target": lambda name: _TARGETS.get(name, name),
        "source": _source,
    }
    return page_template("commissioning.html", filters)
