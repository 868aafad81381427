"""An audit as one page: it loads nothing, runs only its own script, and is whole without it; everything is escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from ivn_provision.report.audit.page import ages, waivers
from ivn_provision.report.audit.page.choices import choices_of
from ivn_provision.report.audit.page.picture import mark, picture_of
from ivn_provision.report.audit.page.rows import by_state, rows_of
from ivn_provision.report.audit.page.trend import chart_of
from ivn_provision.report.pages import backquoted, brief, page_template
from ivn_provision.report.paint import safe
from ivn_provision.run.audit.record import Audit, Level, SiteState

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

MOST_SHORT = 80
"""Characters of a name where many stand together."""
WORST = 10
"""Sites in the list of those to look at first."""
_MEANINGS = {
    SiteState.UNREACHABLE: "a target did not answer",
    SiteState.ERROR: "a target answered otherwise than expected",
    SiteState.INVALID: "its file has errors; nothing was asked",
    SiteState.DRIFT: "live differs from what is declared",
    SiteState.FAILING: "a check failed",
    SiteState.OPEN: "something is to be confirmed by hand",
    SiteState.UNAPPLIED: "its files changed, and that is not applied yet",
    SiteState.WAIVED: "it differs, and every difference is excused",
    SiteState.CLEAN: "as declared, and every check passed",
}
_LEVELS = {Level.ERROR: "✗", Level.WARNING: "!", Level.NOTE: "?"}


def render_html(audit: Audit) -> str:
    """The page. Sites are put in order here: by state, number of errors, age of the oldest finding."""
    rows = rows_of(audit)
    script, style = _own("audit.js"), _own("audit.css")
    return _template().render(
        audit=audit,
        script=script,
        style=style,
        policy=policy(script, style),
        counts=[(state, audit.count(state)) for state in SiteState],
        headline=headline(audit, sum(row.unwell for row in rows)),
        picture=picture_of(rows),
        chart=chart_of(audit.trend),
        sections=by_state(rows),
        worst=[row for row in rows if row.unwell][:WORST],
        uses=waivers.uses_of(rows),
        most_uses=waivers.MOST,
        choices=choices_of(audit.sites),
    )


def headline(audit: Audit, unwell: int) -> str:
    """How the fleet stands, in a line."""
    count = len(audit.sites)
    if not count:
        return "No site was chosen"
    if unwell:
        return (
            f"{unwell:,} of {count:,} site{'s' if count > 1 else ''} need{'s' if unwell == 1 else ''} a look"
        )
    so = "as declared" + (" or excused" if audit.count(SiteState.WAIVED) else "")
    return f"All {count:,} sites are {so}" if count > 1 else f"The one site is {so}"


def policy(script: str, style: str) -> str:
    """The page's Content-Security-Policy: these two, and nothing else from anywhere."""
    return (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}';"
        " base-uri 'none'; form-action 'none'"
    )


def short(text: str, most: int = MOST_SHORT) -> str:
    """A name among many, safe to read, and cut where it is long."""
    return safe(text if len(text) <= most else text[: most - 1] + "…")


def _labels(labels: Mapping[str, str]) -> list[str]:
    return [f"{short(key)}={short(value)}" for key, value in labels.items()]


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


@cache
def _own(name: str) -> Markup:
    """A file of ours that stands in the page as it is."""
    from markupsafe import Markup

    return Markup(files("ivn_provision.report").joinpath("templates", name).read_text("utf-8"))  # noqa: S704 - ours


@cache
def _template() -> Template:
    filters: dict[str, Callable[..., Any]] = {
        "brief": brief,
        "short": short,
        "commands": lambda text: backquoted(brief(text), "code"),
        "labels": _labels,
        "mark": mark,
        "meaning": _MEANINGS.__getitem__,
        "level": _LEVELS.__getitem__,
        "age": ages.age,
        "day": ages.day,
        "duration": ages.duration,
        "number": lambda count: f"{count:,}",
    }
    return page_template("audit.html", filters)
