"""An audit for people at a terminal: the worst sites with what is wrong there, then how many are in each state."""

from __future__ import annotations

from collections.abc import Iterator

from ivn_provision.report.audit.words import age, counts, difference, heading, is_bad, location, waiver_text
from ivn_provision.report.paint import Paint, safe
from ivn_provision.run.audit.record import Audit, Finding, FindingKind, SiteAudit, SiteState

SITES, FINDINGS = 20, 12
"""That are shown in full; the rest is counted."""
_COLOURS = {
    SiteState.UNREACHABLE: "red",
    SiteState.ERROR: "red",
    SiteState.INVALID: "red",
    SiteState.DRIFT: "red",
    SiteState.FAILING: "red",
    SiteState.OPEN: "cyan",
    SiteState.UNAPPLIED: "yellow",
    SiteState.WAIVED: "yellow",
    SiteState.CLEAN: "green",
}
_LEVELS = {"error": "red", "warning": "yellow", "note": "cyan"}


def render_text(audit: Audit, paint: Paint) -> str:
    """The report, worst first."""
    bad = [each for each in audit.sites if is_bad(each) or each.findings]
    lines = [line for each in bad[:SITES] for line in _site(each, audit, paint)]
    if len(bad) > SITES:
        lines += [f"... and {len(bad) - SITES} more sites: see a report (`--report audit.html`)", ""]
    return "\n".join([*lines, *_notes(audit, paint), *_table(audit, paint), heading(audit) + "."])


def _site(site: SiteAudit, audit: Audit, paint: Paint) -> Iterator[str]:
    since = age(site.since, audit.at)
    held = f" for {since}" if since not in {"", "new"} else ""
    yield f"{paint(safe(site.site), 'bold')} {paint(site.state.value, _COLOURS[site.state])}{held}"
    for trouble in site.trouble:
        where = f" [{safe(trouble.where)}]" if trouble.where else ""
        yield f"  {paint('error', 'red')} {safe(trouble.summary)}{where}"
        if trouble.next_step:
            yield f"    {paint('next:', 'cyan')} {safe(trouble.next_step)}"
    for finding in site.findings[:FINDINGS]:
        yield from _finding(finding, audit, paint)
    if len(site.findings) > FINDINGS:
        yield f"  ... and {len(site.findings) - FINDINGS} more findings"
    yield ""


def _finding(finding: Finding, audit: Audit, paint: Paint) -> Iterator[str]:
    level = (
        paint("waived", "yellow") if finding.excused else paint(finding.level.value, _LEVELS[finding.level])
    )
    seen = age(finding.first_seen, audit.at)
    said = [finding.cause.value, "new" if seen == "new" else f"for {seen}" if seen else ""]
    tail = f" ({', '.join(each for each in said if each)})" if any(said) else ""
    yield f"  {level} {safe(finding.what)}: {safe(finding.title)}{tail}"
    is_grave = counts(finding)
    if finding.kind is FindingKind.DRIFT and finding.action != "create":
        yield f"    {safe(difference(finding))}"
    if finding.place and is_grave:
        yield f"    {paint(safe(location(finding)), 'dim')}"
    if finding.waiver is not None:
        yield f"    {safe(waiver_text(finding.waiver))}"
    if finding.remedy and is_grave:
        yield f"    {paint('next:', 'cyan')} {safe(finding.remedy)}"


def _notes(audit: Audit, paint: Paint) -> Iterator[str]:
    notes = [*audit.notes, *(f"the waiver {each} excuses nothing" for each in audit.unused_waivers)]
    yield from (f"{paint('note:', 'yellow')} {safe(each)}" for each in notes)
    if notes:
        yield ""


def _table(audit: Audit, paint: Paint) -> Iterator[str]:
    """States with their counts; what an earlier audit had beside them."""
    before = audit.trend[-2] if len(audit.trend) > 1 else None
    for state in SiteState:
        count = audit.count(state)
        was = before.states.get(state, 0) if before else 0
        if count or was:
            beside = f"  (was {was})" if before and was != count else ""
            yield f"  {paint(f'{state.value:<12}', _COLOURS[state])} {count:>6}{beside}"
