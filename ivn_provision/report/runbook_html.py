"""A runbook as one printable page: no scripts, nothing loaded from elsewhere, everything escaped."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from ivn_provision.plan.runbook import Runbook
from ivn_provision.report.paint import safe
from ivn_provision.report.runbook_text import heading

if TYPE_CHECKING:
    from jinja2 import Template


def render(runbook: Runbook) -> str:
    """The page."""
    return _template().render(runbook=runbook, heading=heading(runbook))


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup, escape

    def labels(text: str) -> Markup:
        """Text of the screens: what stands between backquotes is a label of the program."""
        parts = safe(text).split("`")
        if len(parts) % 2 == 0:
            return escape(safe(text))
        shown = [
            Markup("<b>{}</b>").format(part) if at % 2 else escape(part) for at, part in enumerate(parts)
        ]
        return Markup("").join(shown)

    environment = Environment(
        loader=PackageLoader("ivn_provision.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"safe_text": safe, "labels": labels, "lines": lambda text: text.split("\n")}
    return environment.get_template("runbook.html")
