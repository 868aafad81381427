"""The form that a person fills in for `apply --attest`: YAML, one entry for each field that is open."""

from __future__ import annotations

from collections.abc import Iterator

from ivn_provision.plan.attestations import item_lines, quoted, value_digest
from ivn_provision.plan.plan import SitePlan, Unverified
from ivn_provision.plan.values_json import is_unknown
from ivn_provision.report.paint import safe
from ivn_provision.report.plan_text import show


def render(plan: SitePlan) -> str:
    """The form. `value` identifies what is declared now; it is no password and tells nothing of one."""
    return "\n".join(_lines(plan)) + "\n"


def _lines(plan: SitePlan) -> Iterator[str]:
    yield f"# What a person attests of {safe(plan.site)}. Fill in `by` (who saw it) and `when` (the day, or the time"
    yield "# with its zone) of each entry that is done and seen; `how` is free text. Leave the others as they are."
    yield f"# Then: ivn-provision apply {safe(plan.site)} --attest THIS-FILE"
    yield f"site: {quoted(plan.site)}"
    asked = [each for each in plan.open if not is_unknown(each.value)]
    yield "attestations:" if asked else "attestations: []"
    for each in asked:
        yield f"  # {safe(show(each.value))}: {safe(each.reason) or 'reading does not show it'}"
        yield from item_lines(_blank(each))


def _blank(each: Unverified) -> dict[str, str]:
    return {
        "address": str(each.address),
        "field": each.name,
        "value": value_digest(each.value),
        "by": "",
        "when": "",
        "how": "",
    }
