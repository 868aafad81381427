"""What a site is, all of it: as the product reads it, and as the lab itself keeps it, foreign objects too."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields

from ivn_provision.model.live import Holding
from ivn_provision.model.resource import Resource
from ivn_provision.secret import Fingerprint
from tests.support.world import World

MEASURED = frozenset({"windows"})
"""Kinds that no run sets: a clock's deviation, free space."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One site, in lines that can be compared: no handles, digests, revisions, times and salted fingerprints."""

    recorder: tuple[str, ...]
    portal: tuple[str, ...]
    services: tuple[str, ...]

    def differences(self, other: Picture) -> tuple[str, ...]:
        mine, theirs = ([*each.recorder, *each.portal, *each.services] for each in (self, other))
        return tuple(each for each in difflib.ndiff(mine, theirs) if each[0] in "+-")


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture, and what of runs is on the targets beside it: `TARGET: ...`, one for each lease or revert."""

    picture: Picture
    leases: tuple[str, ...]
    reverts: tuple[str, ...]


def look(world: World, site: str) -> Seen:
    """By one reading of each target, and by what the lab has."""
    lines: dict[str, tuple[str, ...]] = {}
    held: dict[str, Holding] = {}
    readers = world.opener().readers(world.site(site))
    for target, reader in readers.items():
        held[target] = reader.probe().holding
        lines[target] = tuple(sorted(_line(each) for each in reader.read().resources if _is_set(each)))
        reader.close()
    return Seen(
        Picture(
            (*lines["nvr"], *_of_recorder(world, site)),
            (*lines["portal"], *_of_portal(world)),
            services(world, site),
        ),
        tuple(
            f"{target}: {each.lease.run}"
            for target, each in held.items()
            if each.lease is not None and not each.lease.expired
        ),
        tuple(f"{target}: {one.id} is {one.state}" for target, each in held.items() for one in each.reverts),
    )


def services(world: World, site: str) -> tuple[str, ...]:
    """All of the recorder's services, each with its state."""
    return tuple(f"{each.name}: {each.state}" for each in world.lab.nvr(site).windows.services())


def _is_set(resource: Resource) -> bool:
    return resource.kind not in MEASURED


def _line(resource: Resource) -> str:
    known = {
        name: "(a secret)" if isinstance(value, Fingerprint) else value
        for name, value in sorted(resource.fields.items())
    }
    return f"{resource.address} {resource.title!r} owned={resource.owned} {known}"


def _of_recorder(world: World, site: str) -> tuple[str, ...]:
    """What its services would take at their next start. The order of objects says nothing."""
    active = world.lab.nvr(site).store.load()
    found = {each.name: getattr(active, each.name) for each in fields(active)}
    return tuple(
        f"lab {name}: {sorted(map(repr, value)) if isinstance(value, tuple) else value!r}"
        for name, value in found.items()
    )


def _of_portal(world: World) -> tuple[str, ...]:
    store = world.lab.portal.core.store
    return tuple(
        f"lab {each.path.row()}: {each.content} {each.generated.get('smtp')}"
        for kind in ("site", "device", "alarm_input")
        for each in store.all(kind)
    )
