"""Which live object is meant by which declaration.

A kind's identity fields decide before its key: a camera stays the same camera when somebody gives it
another number. Every live object is taken at most once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ivn_provision.model.kinds import KINDS
from ivn_provision.model.resource import Address, LiveRef, Resource, Value


@dataclass(frozen=True, slots=True)
class Matching:
    """`pairs` by declared address; `rest` are the live objects that nothing declares."""

    pairs: Mapping[Address, Resource]
    rest: tuple[Resource, ...]


def match(desired: Iterable[Resource], live: Sequence[Resource]) -> Matching:
    """Pair declared with live resources of one target."""
    wanted = list(desired)
    pairs: dict[Address, Resource] = {}
    free = list(live)
    for choose in (_by_identity, _by_key):
        for resource in wanted:
            if resource.address in pairs:
                continue
            found = choose(resource, free)
            if found is not None:
                pairs[resource.address] = found
                free = [each for each in free if each is not found]
    resolved = _resolve_references(pairs, live)
    return Matching({address: resolved[id(each)] for address, each in pairs.items()}, tuple(free))


def _by_identity(resource: Resource, live: Sequence[Resource]) -> Resource | None:
    for group in KINDS[resource.kind].identity:
        wanted = tuple(resource.fields.get(name) for name in group)
        if any(value is None for value in wanted):
            continue
        found = [
            each
            for each in live
            if each.kind == resource.kind and tuple(each.fields.get(name) for name in group) == wanted
        ]
        if found:
            return _closest(resource, found)
    return None


def _by_key(resource: Resource, live: Sequence[Resource]) -> Resource | None:
    same = [each for each in live if each.address == resource.address and not _other_identity(resource, each)]
    return _closest(resource, same) if same else None


def _other_identity(resource: Resource, live: Resource) -> bool:
    """Does the live object of this key provably be another object (its identity differs)?

    Only for identities whose fields cannot be changed in place: a camera with the number 10 on other
    hardware is another camera, and renaming it would show the wrong door.
    """
    group = KINDS[resource.kind].identity[-1:]
    if resource.kind != "camera" or not group:
        return False
    return any(
        name in resource.fields and name in live.fields and resource.fields[name] != live.fields[name]
        for name in group[0]
    )


def _closest(resource: Resource, found: Sequence[Resource]) -> Resource:
    """Of several candidates the one with the declared key, else the first."""
    return next((each for each in found if each.address == resource.address), found[0])


def _resolve_references(pairs: Mapping[Address, Resource], live: Sequence[Resource]) -> dict[int, Resource]:
    """Live resources by `id` with every LiveRef replaced by the key it stands for."""
    names: dict[str, Address] = {each.handle: each.address for each in live if each.handle}
    names |= {each.handle: address for address, each in pairs.items() if each.handle}
    return {id(each): replace(each, fields=_resolved(each.fields, names)) for each in live}


def _resolved(fields: Mapping[str, Value], names: Mapping[str, Address]) -> dict[str, Value]:
    return {
        name: _name_of(value, names) if isinstance(value, LiveRef) else value
        for name, value in fields.items()
    }


def _name_of(value: LiveRef, names: Mapping[str, Address]) -> Value:
    address = names.get(value.handle)
    if address is None:
        return "(none)"
    if value.with_kind:
        return f"{address.kind}/{address.key}"
    return int(address.key) if address.key.isdecimal() else address.key
