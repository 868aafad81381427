"""What an audit means for the sites of a play, and the audits of its waves as one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from ivn_provision.run.audit.auditing import badness
from ivn_provision.run.audit.record import Audit, Level, Moment, SiteAudit, SiteState
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


def as_one(audits: Sequence[Audit], sites: Collection[str]) -> Audit:
    """The audits of a play as one, of its `sites`: each site as it was audited last. `audits` are at least one."""
    first, last = audits[0], audits[-1]
    by_name = {each.site: each for audit in audits for each in audit.sites}
    whole = tuple(sorted(by_name.values(), key=badness))
    moment = Moment(last.at, Counter(each.state for each in whole), sum(len(each.findings) for each in whole))
    unused = dict.fromkeys(title for each in audits for title in each.unused_waivers)
    notes = dict.fromkeys(note for each in audits for note in each.notes)
    missing = len(set(sites) - by_name.keys())
    if missing:
        text = f"{missing} of the {len(set(sites))} sites of the play are not in this report: not audited"
        notes[f"{text}, or before the play was resumed"] = None
    return replace(
        last,
        at=first.at,
        seconds=sum(each.seconds for each in audits),
        selection=", ".join(dict.fromkeys(each.selection for each in audits if each.selection)),
        sites=whole,
        trend=last.trend if len(audits) == 1 else (moment,),
        unused_waivers=tuple(unused),
        notes=tuple(notes),
    )
