"""What an audit found, as values: of each finding what, where, since when, how bad, and who excused it until when.

Everything here is text for people or a number: no secret, and nothing that cannot be written as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ivn_provision.diagnostics import Place
from ivn_provision.plan.plan import Cause

__all__ = [
    "Audit",
    "Cause",
    "FieldDiff",
    "Finding",
    "FindingKind",
    "Level",
    "Moment",
    "SiteAudit",
    "SiteState",
    "Trouble",
    "Waived",
]


class SiteState(StrEnum):
    """How a site stands: the gravest that holds, worst first.

    `invalid`: its file has errors, nothing was asked. `unreachable`: a target did not answer. `error`: a target
    answered with something else than expected. `drift`: live differs from declared. `failing`: a check failed.
    `open`: a field that cannot be read is not confirmed. `unapplied`: all that differs are changes of the files that were
    not applied yet. `waived`: it differs, and every difference is excused.
    """

    UNREACHABLE = "unreachable"
    ERROR = "error"
    INVALID = "invalid"
    DRIFT = "drift"
    FAILING = "failing"
    OPEN = "open"
    UNAPPLIED = "unapplied"
    WAIVED = "waived"
    CLEAN = "clean"


class FindingKind(StrEnum):
    DRIFT = "drift"
    CHECK = "check"
    OPEN = "open"


class Level(StrEnum):
    """SARIF's words: `error` puts alarms at risk, `warning` should be looked at, `note` is to be confirmed."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class FieldDiff:
    """One field as it is live and as it is declared, as shown to people (a secret as its mask)."""

    name: str
    live: str
    declared: str
    cause: Cause = Cause.UNKNOWN


@dataclass(frozen=True, slots=True)
class Waived:
    """The waiver that excuses a finding, or `expired` no longer does. `until` is a date (`2026-12-31`)."""

    reason: str
    owner: str
    until: str
    expired: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    `id` is the same in every audit that finds the same thing. `what` is the rule behind it: `drift/camera`,
    `open/mail_server`, or the id of a check. `action` is the plan's word (create, update, replace, delete) where
    it is drift. `address` may be "" for a check of the whole site. `first_seen` is RFC 3339: when an audit first
    found it, without a gap since. `refs` are R-numbers and rows of the failure table.
    """

    id: str
    kind: FindingKind
    what: str
    level: Level
    title: str
    address: str = ""
    action: str = ""
    fields: tuple[FieldDiff, ...] = ()
    remedy: str = ""
    refs: tuple[str, ...] = ()
    place: Place | None = None
    cause: Cause = Cause.UNKNOWN
    first_seen: str = ""
    waiver: Waived | None = None

    @property
    def excused(self) -> bool:
        """Is there a waiver that holds?"""
        return self.waiver is not None and not self.waiver.expired


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a site, or a target of it, could not be looked at."""

    kind: str
    summary: str
    where: str = ""
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class SiteAudit:
    """One site. `since` is RFC 3339: since when it is in this state. `as_declared` counts objects in sync."""

    site: str
    path: str
    state: SiteState
    groups: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    network: str = ""
    products: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    checks: Mapping[str, int] = field(default_factory=dict)
    as_declared: int = 0
    attested: int = 0
    trouble: tuple[Trouble, ...] = ()
    since: str = ""
    read_at: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Moment:
    """An earlier audit, for the trend: how many sites were in each state."""

    at: str
    states: Mapping[SiteState, int]
    findings: int


@dataclass(frozen=True, slots=True)
class Audit:
    """All of it. `fleet` is the folder, `selection` what was chosen of it; `sites` worst first. `trend` is oldest
    first and ends with this audit. `unused_waivers` are globs of waivers that excused nothing here. `notes` are about
    the audit itself: what of it could not be kept, or be compared with."""

    at: str
    seconds: float
    fleet: str
    selection: str
    sites: tuple[SiteAudit, ...]
    revision: str = ""
    dirty: bool = False
    base: str = ""
    trend: tuple[Moment, ...] = ()
    unused_waivers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def count(self, state: SiteState) -> int:
        """Sites in a state."""
        return sum(each.state is state for each in self.sites)
