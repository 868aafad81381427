"""What the reports of an audit say in the same words: waivers, ages, causes."""

from __future__ import annotations

from datetime import datetime

from ivn_provision.run.audit.record import Audit, Finding, FindingKind, Level, SiteAudit, SiteState, Waived


def waiver_text(waiver: Waived) -> str:
    """`waived until 2026-10-01 by Ada: the router is replaced`; of an expired one, that it is over."""
    over = ", expired" if waiver.expired else ""
    return f"waived until {waiver.until} by {waiver.owner}{over}: {waiver.reason}"


def age(first_seen: str, at: str) -> str:
    """`new`, `5 min`, `5 h`, `12 d`: from one RFC 3339 time to another; "" where either is not known."""
    try:
        seconds = (datetime.fromisoformat(at) - datetime.fromisoformat(first_seen)).total_seconds()
    except (ValueError, TypeError):
        return ""
    if seconds <= 0:
        return "new"
    if seconds < 3600:
        return f"{max(1, round(seconds / 60))} min"
    return f"{seconds / 3600:.0f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} d"


def difference(finding: Finding) -> str:
    """The fields in one line: `email: off, declared on; name: ...`; of a missing or surplus object its fields."""
    return "; ".join(_field(finding, each.name, each.live, each.declared) for each in finding.fields)


def _field(finding: Finding, name: str, live: str, declared: str) -> str:
    if finding.action == "create":
        return f"{name}: {declared}"
    if finding.action == "delete":
        return f"{name}: {live}"
    return f"{name}: {live}, declared {declared}"


def counts(finding: Finding) -> bool:
    """Does it make an audit fail: drift, or a failed check, that nobody excuses?"""
    if finding.excused or finding.kind is FindingKind.OPEN:
        return False
    return finding.kind is FindingKind.DRIFT or finding.level is Level.ERROR


def heading(audit: Audit) -> str:
    """`3 sites: 1 drift, 2 clean`."""
    total = len(audit.sites)
    said = [f"{audit.count(state)} {state.value}" for state in SiteState if audit.count(state)]
    return f"{total} site{'' if total == 1 else 's'}: {', '.join(said) or 'none'}"


def location(finding: Finding) -> str:
    """`sites/a.yml:12:5`, "" where it is not known."""
    return str(finding.place) if finding.place else ""


def is_bad(site: SiteAudit) -> bool:
    """Is there anything to look at?"""
    return site.state not in {SiteState.CLEAN, SiteState.WAIVED, SiteState.UNAPPLIED} or bool(site.trouble)
