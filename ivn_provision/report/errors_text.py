"""An error for people: what, where, and what to do next."""

from __future__ import annotations

from ivn_provision.errors import IvnError
from ivn_provision.report.paint import Paint, safe


def render_error(error: IvnError, paint: Paint) -> str:
    """Two to three lines."""
    lines = [f"{paint('error:', 'bold', 'red')} {safe(error.summary)}"]
    if error.where:
        lines.append(f"  {paint('-->', 'blue')} {safe(error.where)}")
    if error.next_step:
        lines.append(f"  {paint('next:', 'cyan')} {safe(error.next_step)}")
    return "\n".join(lines)


def error_json(error: IvnError, site: str = "") -> dict[str, object]:
    """The same for machines."""
    return {
        "site": site,
        "type": type(error).__name__,
        "summary": error.summary,
        "where": error.where,
        "next_step": error.next_step,
        "exit_code": error.exit_code,
    }
