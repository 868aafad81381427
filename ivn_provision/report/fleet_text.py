"""Many sites as text: what is of interest in full, then a table that counts all of them, the worst first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from ivn_provision.plan.plan import SitePlan
from ivn_provision.report.paint import Paint, safe
from ivn_provision.report.plan_text import render, render_sites, summary
from ivn_provision.report.site_ends import End, end_of_result, says
from ivn_provision.run.checking import Checked
from ivn_provision.run.outcomes import SiteOutcome
from ivn_provision.run.verifying import Verified

FEW = 10
"""Up to so many sites are shown one after the other, each in full."""
_COLOURS = {
    End.CLEAN: "green",
    End.APPLIED: "green",
    End.PARTLY: "red",
    End.UNREACHABLE: "red",
    End.ERROR: "red",
}
Ended = TypeVar("Ended", SiteOutcome, Checked, Verified)


def is_fleet(results: Sequence[object]) -> bool:
    """Are there too many sites to show each of them?"""
    return len(results) > FEW


def render_fleet(
    outcomes: Sequence[SiteOutcome],
    plans: Sequence[SitePlan],
    paint: Paint,
    *,
    drift: bool = False,
    columns: int = 80,
) -> str:
    """Plans, and the summary line. Of a fleet those that differ or need a person, and the table."""
    if not is_fleet(outcomes):
        return render(tuple(plans), paint, drift=drift)
    shown = tuple(plan for plan in plans if not plan.is_empty or plan.open)
    chosen = {plan.site: plan for plan in plans}
    most = sorted(outcomes, key=lambda each: -len(chosen[each.site].changes) if each.site in chosen else 0)
    cut = [(each.site, _end(each, chosen)) for each in most]
    table = _table(cut, paint, columns)
    return "\n".join(
        [*render_sites(shown, paint, drift=drift), table, summary(tuple(plans), paint, drift=drift)]
    )


def _end(outcome: SiteOutcome, chosen: dict[str, SitePlan]) -> End:
    """By the plan that is shown, which globs may have cut."""
    plan = chosen.get(outcome.site)
    return end_of_result(outcome if plan is None else SiteOutcome(outcome.site, plan, error=outcome.error))


def render_table(results: Sequence[Ended], paint: Paint, columns: int = 80) -> str:
    """A row for each end that there is: how many sites, and their names as far as there is room."""
    return _table([(each.site, end_of_result(each)) for each in results], paint, columns)


def _table(ends: Sequence[tuple[str, End]], paint: Paint, columns: int) -> str:
    rows = [(end, [site for site, own in ends if own is end]) for end in End]
    lines = [f"{paint(f'{len(ends)} sites', 'bold')}"]
    for end, sites in rows:
        if sites:
            head = f"  {says(end):<14} {len(sites):>6}  "
            names = "" if end in {End.CLEAN, End.APPLIED} else _names(sites, max(20, columns - len(head)))
            lines.append((paint(head, _COLOURS.get(end, "yellow")) + names).rstrip())
    return "\n".join(lines)


def _names(sites: Sequence[str], room: int) -> str:
    """As many as fit; the first always."""
    names = [safe(each) for each in sites[:room]]  # each takes a column at least
    for shown in range(len(names), 0, -1):
        rest = f", and {len(sites) - shown} more" if shown < len(sites) else ""
        text = ", ".join(names[:shown]) + rest
        if len(text) <= room:
            return text
    return f"{names[0]}, and {len(sites) - 1} more" if len(sites) > 1 else names[0]
