"""What a rollback cannot put back, and what is to be done after it, as text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from ivn_provision.report.paint import Paint, safe
from ivn_provision.run.restoring import Lost


def render_lost(lost: Sequence[Lost], paint: Paint) -> str:
    """The fields by object, each with its reason; "" for none."""
    if not lost:
        return ""
    lines = [paint("The tool cannot put this back:", "bold", "yellow")]
    for address, fields in groupby(lost, key=lambda each: each.address):
        for each in fields:
            name = f" {safe(each.name)}" if each.name else ""
            lines.append(f"  {paint('!', 'cyan')} {safe(str(address))}{name}: {safe(each.reason)}")
    return "\n".join(lines)


def render_end(site: str, words: str, lost: Sequence[Lost]) -> str:
    """After a proven rollback: the site file does not know of it."""
    but = f", but for what the tool cannot put back ({len(lost)}, see above)" if lost else ""
    return (
        f"{safe(site)} is as in {safe(words)}{but}.\n"
        f"Its site file may still declare the other state: look with `ivn-provision plan {safe(site)}`, and correct\n"
        "the file before the next apply."
    )
