"""What a driver found: capabilities, facts about the target, and its live resources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ivn_provision.model.resource import Resource


class Ability(StrEnum):
    """What a driver can do with a kind or field (DESIGN: capability)."""

    MANAGED = "managed"
    OBSERVABLE = "observable"
    MANUAL = "manual"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Capability:
    """An ability with its reason and evidence (`proven`, `learned`, `assumed`, `documented`, `proposed`)."""

    ability: Ability
    reason: str = ""
    evidence: str = ""


REMOVAL = "-"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """By `(kind, field)`; the field `""` stands for creating and deleting objects of the kind, the field
    `REMOVAL` for deleting alone where the two differ.

    `unread` names the kinds of which this target shows nothing: whether their objects exist is unknown, so
    that what is declared of them is neither missing nor in sync.
    """

    table: Mapping[tuple[str, str], Capability]
    default: Capability = Capability(Ability.ABSENT, "this driver does not know the field")
    unread: frozenset[str] = frozenset()

    def of(self, kind: str, field: str = "") -> Capability:
        return self.table.get((kind, field), self.default)

    def of_removal(self, kind: str) -> Capability:
        """Removing objects: as making them, where the driver says nothing else."""
        return self.table.get((kind, REMOVAL), self.of(kind))


@dataclass(frozen=True, slots=True)
class Lease:
    """Who may write to a site. `expires_at` is RFC 3339 by the target's own clock, which also judged `expired`."""

    owner: str
    run: str
    expires_at: str
    expired: bool = False


@dataclass(frozen=True, slots=True)
class Revert:
    """A revert that is kept on a recorder. `state`: `prepared` (no time set), `armed` (fires at `due_at`),
    `reverted`, `left` (somebody changed the files since: nothing was put back) or `failed`."""

    id: str
    run: str
    state: str
    due_at: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Holding:
    """What of a run is on a target, and whether its site may be touched now. `test_until` (RFC 3339) is set while
    the site is on test."""

    lease: Lease | None = None
    reverts: tuple[Revert, ...] = ()
    armed: bool = False
    incident: str = ""
    test_until: str = ""


NOTHING_HELD = Holding()


@dataclass(frozen=True, slots=True)
class Facts:
    """What `probe` found: product and version as the target says them, and facts for people."""

    product: str
    version: str
    capabilities: Capabilities
    notes: tuple[str, ...] = ()
    holding: Holding = NOTHING_HELD


@dataclass(frozen=True, slots=True)
class Live:
    """Everything read from a target in one round trip.

    `computed` holds values that the target generates (`portal.smtp_account_id`), by `!ref` path.
    """

    resources: tuple[Resource, ...]
    computed: Mapping[str, str]
