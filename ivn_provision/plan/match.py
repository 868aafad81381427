"""Which live object is meant by which declaration.

A kind's identity fields decide before its key: a camera stays the same camera when somebody gives it
another number. Every live object is taken at most once, and an object that is not ours only as its kind
allows (`Kind.adopts`). Where two objects could be meant, nothing is guessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ivn_provision.errors import PlanError
from ivn_provision.model.kinds import KINDS
from ivn_provision.model.resource import Address, LiveRef, Resource, Value
from ivn_provision.plan.equal import differing


@dataclass(frozen=True, slots=True)
class Matching:
    """`pairs` by declared address; `rest` are the live objects that nothing declares.

    The fields of both name other objects by their keys. `references` gives the handle of every live object that can be referred to by an address: what was
    paired under its declared address, and of the rest what bears a key that nothing else bears.
    """

    pairs: Mapping[Address, Resource]
    rest: tuple[Resource, ...]
    references: Mapping[Address, str]


def match(desired: Iterable[Resource], live: Sequence[Resource]) -> Matching:
    """Pair declared with live resources of one target. Raises PlanError where that is ambiguous."""
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
    references = _references(pairs, free)
    names = {handle: address for address, handle in references.items()}
    titles = {each.handle: each.title or each.address.key for each in live}
    resolved = {
        address: replace(each, fields=_resolved(each.fields, names, titles))
        for address, each in pairs.items()
    }
    rest = tuple(replace(each, fields=_resolved(each.fields, names, titles)) for each in free)
    return Matching(resolved, rest, references)


def _by_identity(resource: Resource, live: Sequence[Resource]) -> Resource | None:
    kind = KINDS[resource.kind]
    for group in kind.identity:
        wanted = tuple(resource.fields.get(name) for name in group)
        if any(value is None for value in wanted):
            continue
        found = [
            each
            for each in live
            if each.kind == resource.kind
            and (each.owned or kind.adopts == "identity")
            and tuple(each.fields.get(name) for name in group) == wanted
        ]
        if found:
            return _the_one(resource, found, " and ".join(group))
    return None


def _by_key(resource: Resource, live: Sequence[Resource]) -> Resource | None:
    adopts = KINDS[resource.kind].adopts == "key"
    same = [
        each
        for each in live
        if each.address == resource.address and (each.owned or adopts) and not _other_identity(resource, each)
    ]
    return _the_one(resource, same, "its key") if same else None


def _other_identity(resource: Resource, live: Resource) -> bool:
    """Is the live object of this key provably another object?

    Only where the identity cannot be changed in place: a camera with the number 10 on other hardware is
    another camera, and renaming it would show the wrong door.
    """
    kind = KINDS[resource.kind]
    if kind.adopts != "identity":
        return False
    return any(
        name in resource.fields and name in live.fields and resource.fields[name] != live.fields[name]
        for name in kind.identity[-1]
    )


def _the_one(resource: Resource, found: Sequence[Resource], by: str) -> Resource:
    """The only candidate, or the only one that bears the declared key as well."""
    if len(found) == 1:
        return found[0]
    named = [each for each in found if each.address == resource.address and each.owned]
    if len(named) == 1:
        return named[0]
    owned = [each for each in found if each.owned]
    if owned and KINDS[resource.kind].adopts != "identity":
        # copies of an event or rule of ours: the one that needs least is kept, the others are surplus
        return min(owned, key=lambda each: differing(resource, each))
    titles = ", ".join(repr(each.title or each.address.key) for each in found)
    raise PlanError(
        f"{len(found)} objects could be {resource.address.kind} {resource.address.key}: {titles} (by {by})",
        where=str(resource.declared_at or resource.address),
        next_step="declare what tells them apart (a camera's hardware.mac), or rename one of them on the target",
    )


def _references(pairs: Mapping[Address, Resource], free: Sequence[Resource]) -> dict[Address, str]:
    found = {address: each.handle for address, each in pairs.items() if each.handle}
    keys = Counter(each.address for each in free)
    for each in free:
        if each.handle and each.owned and keys[each.address] == 1 and each.address not in pairs:
            found[each.address] = each.handle
    return found


def _resolved(
    fields: Mapping[str, Value], names: Mapping[str, Address], titles: Mapping[str, str]
) -> dict[str, Value]:
    """Fields with every reference to another object replaced by the key it stands for."""
    return {
        name: _name_of(value, names, titles) if isinstance(value, LiveRef) else value
        for name, value in fields.items()
    }


def _name_of(value: LiveRef, names: Mapping[str, Address], titles: Mapping[str, str]) -> Value:
    address = names.get(value.handle)
    if address is None:
        title = titles.get(value.handle)
        return f"{title} (not declared)" if title is not None else "(none)"
    if value.with_kind:
        return f"{address.kind}/{address.key}"
    return int(address.key) if address.key.isdecimal() else address.key
