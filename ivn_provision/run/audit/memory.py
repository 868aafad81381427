"""What earlier audits knew of a site, and what one more adds: since when it stands so, and when each finding was first seen.

A finding that an audit could have seen and did not is gone; if it comes back it is a new one. What could not be looked
at is not gone. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ivn_provision.run.audit.gather import Unseen
from ivn_provision.run.audit.names import whole_id
from ivn_provision.run.audit.record import Moment, SiteAudit, SiteState


@dataclass(frozen=True, slots=True)
class Seen:
    """One finding as it is remembered. `at` is RFC 3339: when it was first seen."""

    at: str
    what: str


@dataclass(frozen=True, slots=True)
class SiteMemory:
    """One site after an audit. `since` is RFC 3339; `seen` are findings by id, also those not looked at since."""

    state: SiteState
    since: str
    seen: Mapping[str, Seen] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Memory:
    """Of a fleet: its sites by name, earlier audits of the same selection (oldest first), and what is to be said."""

    sites: Mapping[str, SiteMemory] = field(default_factory=dict)
    moments: tuple[Moment, ...] = ()
    notes: tuple[str, ...] = ()


def remembered(
    before: SiteMemory | None, audit: SiteAudit, unseen: Unseen, at: str
) -> tuple[SiteAudit, SiteMemory]:
    """The site with its times filled in, and what is to be remembered of it."""
    known = before.seen if before is not None else {}
    findings = tuple(replace(each, first_seen=_first_seen(each.id, known, at)) for each in audit.findings)
    since = before.since if before is not None and before.state is audit.state else at
    hidden = {id_: seen for id_, seen in known.items() if unseen.hides(id_, seen.what)}
    seen = {**hidden, **{each.id: Seen(each.first_seen, each.what) for each in findings}}
    return replace(audit, findings=findings, since=since), SiteMemory(audit.state, since, seen)


def merged(later: SiteMemory, earlier: SiteMemory) -> SiteMemory:
    """Of two audits that saw a site and did not know of each other: it stands as the later one says, and every finding is
    as old as either knows. One that is gone meanwhile is left to the next audit."""
    both = {**earlier.seen, **later.seen}
    seen = {
        id_: Seen(min(each.at, _first_seen(id_, earlier.seen, each.at)), each.what)
        for id_, each in both.items()
    }
    since = min(later.since, earlier.since) if later.state is earlier.state else later.since
    return SiteMemory(later.state, since, seen)


def _first_seen(id_: str, known: Mapping[str, Seen], at: str) -> str:
    """Of the finding itself; of the one that it was a part of; or of the parts that it was made of."""
    if id_ in known:
        return known[id_].at
    whole = whole_id(id_)
    if id_ != whole:
        return known[whole].at if whole in known else at
    return min((seen.at for other, seen in known.items() if whole_id(other) == whole), default=at)
