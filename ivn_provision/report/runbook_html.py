"""A runbook as one printable page: no scripts, nothing loaded from elsewhere, everything escaped."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from ivn_provision.plan.runbook import Runbook
from ivn_provision.report.pages import backquoted, page_template
from ivn_provision.report.paint import safe
from ivn_provision.report.runbook_text import heading

if TYPE_CHECKING:
    from jinja2 import Template


def render(runbook: Runbook) -> str:
    """The page."""
    return _template().render(runbook=runbook, heading=heading(runbook))


@cache
def _template() -> Template:
    filters = {
        "safe_text": safe,
        "labels": lambda text: backquoted(safe(text), "b"),
        "lines": lambda text: text.split("\n"),
    }
    return page_template("runbook.html", filters)
