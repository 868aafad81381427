"""A plan as the comment of a pull request: the sum first, details to be opened, never longer than a comment may be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ivn_provision.plan.plan import SitePlan, count
from ivn_provision.report.markdown import cell, fence
from ivn_provision.report.paint import Paint
from ivn_provision.report.plan_text import render_sites, summary
from ivn_provision.report.site_ends import End, end_of_result, says
from ivn_provision.run.outcomes import SiteOutcome

LIMIT = 60_000
"""Characters. GitHub takes 65,536 for a comment."""
_ROWS, _SITE_LIMIT, _TEXT_LIMIT = 100, 15_000, 300
_SIGN = re.compile(r"^( +)(-/\+|[+~!-]) ")
MARKER = "<!-- ivn-provision plan -->"
"""The first line, by which the comment is found again and replaced."""


def render_markdown(outcomes: Sequence[SiteOutcome], plans: Sequence[SitePlan], *, limit: int = LIMIT) -> str:
    """What would change. A site that did not fit is named in the last line. No value that is secret is in it."""
    by_site = {plan.site: plan for plan in plans}
    ends = [(each, _end(each, by_site.get(each.site))) for each in outcomes]
    worth = [(each, end) for each, end in ends if end is not End.CLEAN]
    order = list(End)
    worth.sort(key=lambda pair: order.index(pair[1]))
    head = "\n".join(_head(ends, worth, tuple(plans), by_site))
    details = (_details(by_site[each.site]) for each, _ in worth if each.site in by_site)
    return _bounded(head, [each for each in details if each], limit)


def _end(outcome: SiteOutcome, plan: SitePlan | None) -> End:
    return end_of_result(SiteOutcome(outcome.site, plan, error=outcome.error))


def _head(
    ends: Sequence[tuple[SiteOutcome, End]],
    worth: Sequence[tuple[SiteOutcome, End]],
    plans: tuple[SitePlan, ...],
    by_site: dict[str, SitePlan],
) -> Iterator[str]:
    yield MARKER
    yield f"### {_title(plans, sum(each.error is not None for each, _ in ends))}"
    yield ""
    found = [end for _, end in ends]
    words = ", ".join(f"{found.count(end)} {says(end)}" for end in End if end in found)
    yield f"{len(ends)} site{'' if len(ends) == 1 else 's'}: {words}."
    if not worth:
        return
    yield ""
    yield "| site | | add | change | destroy | by hand | to confirm |"
    yield "|---|---|--:|--:|--:|--:|--:|"
    for outcome, end in worth[:_ROWS]:
        yield _row(outcome, end, by_site.get(outcome.site))
    if len(worth) > _ROWS:
        yield f"| and {len(worth) - _ROWS} more | | | | | | |"


def _title(plans: tuple[SitePlan, ...], failed: int) -> str:
    """Sites that could not be read are never passed over as unchanged."""
    said = [summary(plans, Paint(on=False))] if plans or not failed else []
    if failed:
        said.append(f"{failed} site{'' if failed == 1 else 's'} could not be planned.")
    return " ".join(said)


def _row(outcome: SiteOutcome, end: End, plan: SitePlan | None) -> str:
    if plan is None:
        error = _short(outcome.error.summary) if outcome.error else ""
        return f"| {cell(outcome.site)} | {says(end)}: {cell(error)} | | | | | |"
    totals = count((plan,))
    numbers = (
        totals.add + totals.replace,
        totals.change,
        totals.destroy + totals.replace,
        totals.manual + totals.blocked,
        totals.open,
    )
    return f"| {cell(outcome.site)} | {says(end)} | " + " | ".join(str(each) for each in numbers) + " |"


def _short(text: str) -> str:
    return text if len(text) <= _TEXT_LIMIT else f"{text[:_TEXT_LIMIT]}..."


def _details(plan: SitePlan) -> str:
    """One site, in a block that the text cannot end; signs stand first, as the colours of a diff want it."""
    (text,) = render_sites((plan,), Paint(on=False))
    lines = [_as_diff(line) for line in text.splitlines()]
    body = _cut("\n".join(lines).strip("\n"), _SITE_LIMIT)
    ticks = fence(body)
    return f"<details><summary>{cell(plan.site)}</summary>\n\n{ticks}diff\n{body}\n{ticks}\n\n</details>"


def _as_diff(line: str) -> str:
    found = _SIGN.match(line)
    if found is None:
        return line
    sign = {"~": "!", "-/+": "-"}.get(found[2], found[2])
    theirs = " " if sign == found[2] else found[2]
    return f"{sign}{found[1][1:]}{theirs} {line[found.end() :]}"


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    kept = text[:limit].rpartition("\n")[0] or text[:limit]
    return f"{kept}\n... {len(text.splitlines()) - len(kept.splitlines())} lines more"


def _bounded(head: str, details: Sequence[str], limit: int) -> str:
    """The head, and as many details as fit."""
    parts, room = [head], limit - len(head) - 200
    for number, each in enumerate(details):
        room -= len(each) + 2
        if room < 0:
            left = len(details) - number
            parts.append(f"{left} more site{'' if left == 1 else 's'} did not fit here: see the plan itself.")
            break
        parts.append(each)
    return "\n\n".join(parts) + "\n"
