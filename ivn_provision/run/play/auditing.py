"""What an audit means for the sites of a play."""

from __future__ import annotations

from ivn_provision.run.audit.record import Level, SiteAudit, SiteState
from ivn_provision.run.play.standing import Result

_NOT_LOOKED_AT = frozenset({SiteState.UNREACHABLE, SiteState.ERROR, SiteState.INVALID})
_DIFFERENT = frozenset({SiteState.DRIFT, SiteState.FAILING})


def result_of_audit(audit: SiteAudit) -> Result:
    """A site that could not be looked at has failed. A finding is none: an audit that finds something did its work."""
    if audit.state in _NOT_LOOKED_AT:
        return Result(
            audit.site, failed=True, text=audit.trouble[0].summary if audit.trouble else audit.state
        )
    counted = [each for each in audit.findings if not each.excused and each.level is not Level.NOTE]
    more = f" and {len(counted) - 1} more" if len(counted) > 1 else ""
    text = f"{counted[0].what} {counted[0].address}".strip() + more if counted else ""
    return Result(
        audit.site,
        differs=audit.state in _DIFFERENT,
        needs_person=audit.state is SiteState.OPEN,
        text=text,
    )
