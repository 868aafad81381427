"""The Plan: an ordered set of planned changes, as values. `plan` shows it, `apply` executes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ivn_provision.diagnostics import Place
from ivn_provision.model.live import NOTHING_HELD, Holding
from ivn_provision.model.resource import UNSET, Address, Value


class Action(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"


class Cause(StrEnum):
    """Why live differs from the files, as far as a revision that was live tells it (`plan/three_way.py`)."""

    BY_HAND = "by hand"
    NOT_APPLIED = "not applied"
    BOTH = "both"
    UNKNOWN = ""

    @property
    def is_drift(self) -> bool:
        """Did somebody change the target? What is not known counts as if."""
        return self is not Cause.NOT_APPLIED


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field, old and new. `reason` says why a person must do it, where a person must."""

    name: str
    before: Value
    after: Value
    forces_replacement: bool = False
    reason: str = ""
    cause: Cause = Cause.UNKNOWN


@dataclass(frozen=True, slots=True)
class Change:
    """One planned difference of one resource.

    `manual`: a person must do it. `blocked_by`: a manual change that must happen first; the tool then
    leaves this one alone. `handle` and `digest` are the live object's, "" for a create; the driver
    compares the digest on the far side before it writes. `reason` says why the tool cannot make or remove
    the whole object.
    """

    address: Address
    action: Action
    fields: tuple[FieldChange, ...]
    handle: str = ""
    digest: str = ""
    declared_at: Place | None = None
    manual: bool = False
    blocked_by: Address | None = None
    title: str = ""
    reason: str = ""
    cause: Cause = Cause.UNKNOWN

    @property
    def workable(self) -> bool:
        """Will `apply` execute it?"""
        return not self.manual and self.blocked_by is None


@dataclass(frozen=True, slots=True)
class Foreign:
    """A live object that is not ours: listed, never touched."""

    address: Address
    title: str
    why: str


@dataclass(frozen=True, slots=True)
class Observation:
    """What something outside of the configuration showed about a field: a login, a mail, an open port.

    `at` is the time of the evidence (RFC 3339, UTC), "" for now. `settable`: can the driver write the field, so
    that what is refuted needs no person?
    """

    address: Address
    name: str
    confirmed: bool
    evidence: str
    at: str = ""
    settable: bool = False


class Standing(StrEnum):
    """How a field that reading cannot show stands."""

    NEVER = "never attested"
    EXPIRED = "attestation expired"
    CHANGED = "attested for another value"
    ATTESTED = "attested"
    OBSERVED = "observed"


@dataclass(frozen=True, slots=True)
class Unverified:
    """A declared field that reading cannot confirm: in sync only by an observation or an attestation.

    `value` is what is declared (a secret as its reference). `evidence` is for people: who attested it, when,
    until when; or what was observed.
    """

    address: Address
    name: str
    reason: str
    value: Value = UNSET
    standing: Standing = Standing.NEVER
    evidence: str = ""
    declared_at: Place | None = None

    @property
    def is_open(self) -> bool:
        """Does a person still have to do or confirm it?"""
        return self.standing not in {Standing.ATTESTED, Standing.OBSERVED}


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """What a target said of itself, for the plan's heading."""

    target: str
    product: str
    version: str
    endpoint: str
    notes: tuple[str, ...] = ()
    holding: Holding = NOTHING_HELD


@dataclass(frozen=True, slots=True)
class SitePlan:
    """One site's differences. `changes` are in the order of work.

    `desired` and `references` are what an apply needs (see `Work`); they are not part of a plan file. `live`
    are the fields of every object of ours as they were read, by the address under which it is declared, or its
    own; `digests` theirs. `needs` are the objects without which a declared one cannot be made.
    """

    site: str
    changes: tuple[Change, ...] = ()
    unchanged: int = 0
    foreign: tuple[Foreign, ...] = ()
    unverified: tuple[Unverified, ...] = ()
    facts: tuple[TargetFacts, ...] = ()
    notes: tuple[str, ...] = ()
    desired: Mapping[Address, Mapping[str, Value]] = field(default_factory=dict)
    references: Mapping[Address, str] = field(default_factory=dict)
    live: Mapping[Address, Mapping[str, Value]] = field(default_factory=dict)
    digests: Mapping[Address, str] = field(default_factory=dict)
    needs: Mapping[Address, tuple[Address, ...]] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not self.changes

    @property
    def workable(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.workable)

    @property
    def waiting(self) -> tuple[Change, ...]:
        """What the tool cannot do: manual changes and those behind them."""
        return tuple(change for change in self.changes if not change.workable)

    @property
    def open(self) -> tuple[Unverified, ...]:
        """What reading does not show and nobody vouches for."""
        return tuple(each for each in self.unverified if each.is_open)


@dataclass(frozen=True, slots=True)
class Work:
    """What a driver is asked to do in one go.

    `desired` holds the full declared fields of the changes' resources, secrets and generated values
    resolved; `references` the handles of live objects that values may point at, by address.
    """

    changes: tuple[Change, ...]
    desired: Mapping[Address, Mapping[str, Value]]
    references: Mapping[Address, str]


@dataclass(frozen=True, slots=True)
class Counts:
    add: int = 0
    change: int = 0
    replace: int = 0
    destroy: int = 0
    manual: int = 0
    blocked: int = 0
    open: int = 0


def count(plans: tuple[SitePlan, ...]) -> Counts:
    """The numbers of the summary line."""
    changes = [change for plan in plans for change in plan.changes]
    actions = [change.action for change in changes if change.workable]
    return Counts(
        add=actions.count(Action.CREATE),
        change=actions.count(Action.UPDATE),
        replace=actions.count(Action.REPLACE),
        destroy=actions.count(Action.DELETE),
        manual=sum(change.manual for change in changes),
        blocked=sum(change.blocked_by is not None for change in changes),
        open=sum(len(plan.open) for plan in plans),
    )
