"""Declared and live, of all targets of a site -> SitePlan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ivn_provision.model.desired import Desired
from ivn_provision.model.live import Facts, Live
from ivn_provision.model.resource import Address
from ivn_provision.plan.diff import Differences, diff_target, needs_of, resolve_computed
from ivn_provision.plan.order import ordered
from ivn_provision.plan.plan import Action, Change, SitePlan, TargetFacts


@dataclass(frozen=True, slots=True)
class Reading:
    """What one target gave: who it is and what it holds."""

    facts: Facts
    live: Live
    endpoint: str


def build_plan(desired: Desired, readings: Mapping[str, Reading], notes: tuple[str, ...] = ()) -> SitePlan:
    """Compare every target of the site and put the changes in order."""
    computed = {path: value for each in readings.values() for path, value in each.live.computed.items()}
    parts: list[Differences] = []
    for target, reading in sorted(readings.items()):
        parts.append(diff_target(desired, target, reading.live, reading.facts.capabilities, computed))
    changes = _with_blockers(ordered([change for part in parts for change in part.changes]), desired)
    return SitePlan(
        site=desired.site,
        changes=changes,
        unchanged=sum(part.unchanged for part in parts),
        foreign=tuple(each for part in parts for each in part.foreign),
        unverified=tuple(each for part in parts for each in part.unverified),
        facts=tuple(_facts(target, each) for target, each in sorted(readings.items())),
        notes=notes,
        references={address: handle for part in parts for address, handle in part.references.items()},
        needs={address: each.needs for address, each in desired.resources.items() if each.needs},
        live={address: fields for part in parts for address, fields in part.live.items()},
        digests={address: digest for part in parts for address, digest in part.digests.items()},
        desired={
            address: resolve_computed(resource, computed).fields
            for address, resource in desired.resources.items()
        },
    )


def _facts(target: str, reading: Reading) -> TargetFacts:
    facts = reading.facts
    return TargetFacts(target, facts.product, facts.version, reading.endpoint, facts.notes, facts.holding)


def _with_blockers(changes: tuple[Change, ...], desired: Desired) -> tuple[Change, ...]:
    """Mark what cannot be made before a person has made what it needs."""
    missing = {each.address for each in changes if each.manual and each.action is Action.CREATE}
    blocked: dict[Address, Address] = {}
    result = []
    for change in changes:
        blocker = next(
            (need for need in needs_of(desired, change.address) if need in missing or need in blocked), None
        )
        if blocker is None or change.manual or change.action is Action.DELETE:
            result.append(change)
            continue
        blocked[change.address] = blocker
        result.append(replace(change, blocked_by=blocked.get(blocker, blocker)))
    return tuple(result)
