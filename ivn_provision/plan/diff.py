"""The one diff: declared against live, field by field, judged by the driver's capabilities. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ivn_provision.model.desired import Desired
from ivn_provision.model.kinds import KINDS
from ivn_provision.model.live import Ability, Capabilities, Capability, Live
from ivn_provision.model.resource import UNSET, Address, Resource, Value
from ivn_provision.plan.equal import same
from ivn_provision.plan.match import match
from ivn_provision.plan.plan import Action, Change, FieldChange, Foreign, Unverified
from ivn_provision.secret import Secret
from ivn_provision.spec.values import Computed


@dataclass(slots=True)
class Differences:
    """What comparing one target gave; `changes` are not ordered yet."""

    changes: list[Change] = field(default_factory=list)
    foreign: list[Foreign] = field(default_factory=list)
    unverified: list[Unverified] = field(default_factory=list)
    unchanged: int = 0
    references: Mapping[Address, str] = field(default_factory=dict)
    live: Mapping[Address, Mapping[str, Value]] = field(default_factory=dict)
    digests: Mapping[Address, str] = field(default_factory=dict)


def diff_target(
    desired: Desired,
    target: str,
    live: Live,
    capabilities: Capabilities,
    computed: Mapping[str, str],
) -> Differences:
    """Compare one target. `computed` holds values that live systems generate, by `!ref` path."""
    wanted = [resolve_computed(each, computed) for each in desired.of_target(target)]
    matching = match(wanted, live.resources)
    ours = {**{each.address: each for each in matching.rest if each.owned}, **matching.pairs}
    found = Differences(
        references=matching.references,
        live={address: each.fields for address, each in ours.items()},
        digests={address: each.digest for address, each in ours.items()},
    )
    for resource in wanted:
        pair = matching.pairs.get(resource.address)
        if resource.kind in capabilities.unread:
            _unread(resource, capabilities, found)
        elif pair is None:
            _create(resource, capabilities, found)
        else:
            _compare(resource, pair, capabilities, found)
    for extra in matching.rest:
        double = _DOUBLE if extra.address in matching.pairs else ""
        _surplus(extra, desired, capabilities, found, double)
    return found


def resolve_computed(resource: Resource, computed: Mapping[str, str]) -> Resource:
    """The resource with generated values in the place of references, as far as they are known."""
    return replace(resource, fields=known_fields(resource.fields, computed))


def known_fields(fields: Mapping[str, Value], computed: Mapping[str, str]) -> dict[str, Value]:
    """Fields with generated values in the place of references, as far as they are known."""

    def known(value: Value) -> Value:
        if isinstance(value, Computed):
            return computed.get(value.path, value)
        if isinstance(value, tuple):
            return tuple(
                computed.get(each.path, each) if isinstance(each, Computed) else each for each in value
            )
        return value

    return {name: known(value) for name, value in fields.items()}


def _unread(resource: Resource, capabilities: Capabilities, found: Differences) -> None:
    """Whether the object is there is unknown: a person's task, field by field, until somebody vouches for it."""
    for name, value in resource.fields.items():
        found.unverified.append(_unverified(resource, name, value, capabilities))


def _unverified(resource: Resource, name: str, value: Value, capabilities: Capabilities) -> Unverified:
    shown = value.reference if isinstance(value, Secret) else value
    reason = capabilities.of(resource.kind, name).reason
    return Unverified(resource.address, name, reason, shown, declared_at=resource.declared_at)


def _create(resource: Resource, capabilities: Capabilities, found: Differences) -> None:
    whole = capabilities.of(resource.kind)
    manual = whole.ability is not Ability.MANAGED
    fields, by_hand = [], []
    for name, value in resource.fields.items():
        capability = capabilities.of(resource.kind, name)
        change = FieldChange(name, UNSET, value)
        if manual or capability.ability is Ability.MANAGED:
            fields.append(change)
        else:
            by_hand.append(FieldChange(name, UNSET, value, reason=capability.reason))
    found.changes.append(
        Change(
            resource.address,
            Action.CREATE,
            tuple(fields),
            declared_at=resource.declared_at,
            manual=manual,
            reason=whole.reason if manual else "",
        )
    )
    if by_hand:
        found.changes.append(
            Change(
                resource.address,
                Action.UPDATE,
                tuple(by_hand),
                declared_at=resource.declared_at,
                manual=True,
            )
        )


def _compare(resource: Resource, live: Resource, capabilities: Capabilities, found: Differences) -> None:
    managed: list[FieldChange] = []
    by_hand: list[FieldChange] = []
    kind = KINDS[resource.kind]
    for name, value in resource.fields.items():
        capability = capabilities.of(resource.kind, name)
        if name not in live.fields:
            found.unverified.append(_unverified(resource, name, value, capabilities))
        elif not same(resource.kind, name, value, live.fields[name]):
            forces = name in kind.immutable
            limit = _limit(capabilities, resource.kind, capability, forces=forces)
            if limit.ability is Ability.MANAGED:
                managed.append(FieldChange(name, live.fields[name], value, forces_replacement=forces))
            else:
                by_hand.append(FieldChange(name, live.fields[name], value, reason=limit.reason))
    if managed:
        found.changes.append(_update(resource, live, managed))
    if by_hand:
        found.changes.append(_update(resource, live, by_hand, manual=True))
    if not managed and not by_hand:
        found.unchanged += 1


def _limit(capabilities: Capabilities, kind: str, field: Capability, *, forces: bool) -> Capability:
    """What stands in the way of a change: a replacement also makes and removes an object."""
    if forces:
        for each in (capabilities.of(kind), capabilities.of_removal(kind)):
            if each.ability is not Ability.MANAGED:
                return each
    return field


def _update(
    resource: Resource, live: Resource, fields: Iterable[FieldChange], *, manual: bool = False
) -> Change:
    changed = tuple(fields)
    replaces = any(each.forces_replacement for each in changed)
    if replaces:
        named = {each.name for each in changed}
        rest = tuple(
            FieldChange(name, live.fields.get(name, UNSET), value)
            for name, value in resource.fields.items()
            if name not in named
        )
        changed += rest
    return Change(
        resource.address,
        Action.REPLACE if replaces else Action.UPDATE,
        changed,
        handle=live.handle,
        digest=live.digest,
        declared_at=resource.declared_at,
        manual=manual,
        title=live.title,
    )


def _surplus(
    live: Resource, desired: Desired, capabilities: Capabilities, found: Differences, double: str
) -> None:
    if not live.owned:
        found.foreign.append(Foreign(live.address, live.title, "does not follow our naming convention"))
    elif not desired.is_complete(live.address.target, live.kind):
        if live.kind in _LISTED:
            found.foreign.append(Foreign(live.address, live.title, "not declared"))
    else:
        capability = capabilities.of_removal(live.kind)
        manual = capability.ability is not Ability.MANAGED
        fields = tuple(FieldChange(name, value, UNSET) for name, value in live.fields.items())
        found.changes.append(
            Change(
                live.address,
                Action.DELETE,
                fields,
                handle=live.handle,
                digest=live.digest,
                manual=manual,
                title=live.title,
                reason=capability.reason if manual else double,
            )
        )


_DOUBLE = "there are two of this name; the other one stays"
_LISTED = frozenset(
    {
        "camera",
        "user",
        "hardware_event",
        "generic_event",
        "alarm",
        "pin",
        "device",
        "recipient",
        "action_rule",
    }
)


def needs_of(desired: Desired, address: Address) -> tuple[Address, ...]:
    resource = desired.resources.get(address)
    return resource.needs if resource else ()
