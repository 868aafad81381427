"""Three-way drift: what was declared when it was last live (base), what is declared now (head), and live. Pure.

| base, head, live | cause |
|---|---|
| live = head | no difference, whatever base says |
| base = head, live differs | by hand: somebody changed the target |
| base = live, head differs | not applied: the files changed since |
| all three differ | both |
| base does not declare it (or the site) | not applied: it is declared since |
| an object is missing that base declares too | by hand: somebody removed it |
| an object is there that only base declares | not applied: it was taken out of the files |
| an object is there that neither declares, and base's list was complete | by hand: somebody added it |
| an object is there that head's list, but not base's, rules out | not applied: the list is complete since |
| a secret whose reference changed, and the old one cannot be resolved | unknown |

Which object base meant is decided by what identifies it, as in a plan, then by its address.

A secret with the same reference counts as unchanged in the files. What is unknown counts as drift.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from ivn_provision.model.desired import Desired
from ivn_provision.model.kinds import KINDS
from ivn_provision.model.resource import Address, Resource, Value
from ivn_provision.plan.diff import known_fields
from ivn_provision.plan.equal import same
from ivn_provision.plan.plan import Action, Cause, Change, FieldChange, SitePlan
from ivn_provision.secret import Secret, SecretRef
from ivn_provision.spec.values import Computed

Resolve = Callable[[SecretRef], Secret | None]
"""The secret behind a reference, None where it cannot be had any more."""
SameReference = Callable[[SecretRef, SecretRef], bool]


@dataclass(frozen=True, slots=True)
class Declared:
    """What was declared at base and is at head, before references are resolved. `base` None: the site was not there."""

    base: Desired | None
    head: Desired
    resolve: Resolve
    same_reference: SameReference


def with_causes(plan: SitePlan, declared: Declared) -> SitePlan:
    """The plan, each of its changes with its cause."""
    return replace(plan, changes=tuple(_caused(each, plan, declared) for each in plan.changes))


def is_drift(plan: SitePlan) -> bool:
    """Did somebody change a target by hand?"""
    return any(each.cause.is_drift for each in plan.changes)


def _caused(change: Change, plan: SitePlan, declared: Declared) -> Change:
    if change.action in {Action.CREATE, Action.DELETE}:
        cause = _of_object(change, declared)
        fields = tuple(replace(each, cause=cause) for each in change.fields)
        return replace(change, fields=fields, cause=cause)
    fields = tuple(
        replace(each, cause=_of_field(change, each, plan, declared)) if _differs(each) else each
        for each in change.fields
    )
    return replace(change, fields=fields, cause=_all(each.cause for each in fields if _differs(each)))


def _differs(field: FieldChange) -> bool:
    """A replacement also lists what stays as it is."""
    return field.forces_replacement or field.before != field.after


def _of_object(change: Change, declared: Declared) -> Cause:
    base = declared.base
    if base is None:
        return Cause.NOT_APPLIED
    if _then(change.address, declared) is not None:
        return Cause.BY_HAND if change.action is Action.CREATE else Cause.NOT_APPLIED
    if change.action is Action.CREATE:
        return Cause.NOT_APPLIED
    return (
        Cause.BY_HAND if base.is_complete(change.address.target, change.address.kind) else Cause.NOT_APPLIED
    )


def _of_field(change: Change, field: FieldChange, plan: SitePlan, declared: Declared) -> Cause:
    base = _then(change.address, declared)
    if base is None or field.name not in base.fields:
        return Cause.NOT_APPLIED
    head = declared.head.resources[change.address]
    then, now = base.fields[field.name], head.fields.get(field.name)
    if _is_unchanged(then, now, declared.same_reference):
        return Cause.BY_HAND
    if isinstance(then, SecretRef):
        secret = declared.resolve(then)
        if secret is None:
            return Cause.UNKNOWN
        then = secret
    was = known_fields({field.name: then}, _generated(head, plan))[field.name]
    return Cause.NOT_APPLIED if same(change.address.kind, field.name, was, field.before) else Cause.BOTH


def _then(address: Address, declared: Declared) -> Resource | None:
    """What base declared of the object that head calls `address`: what identifies it decides, then its address.

    A camera stays the same when the files give it another number, and another one may have its number now.
    """
    resources = declared.base.resources if declared.base else {}
    head, same_address = declared.head.resources.get(address), resources.get(address)
    if head is None or not head.address.key:
        return same_address
    kind = KINDS[address.kind]
    for group in kind.identity:
        wanted = [head.fields.get(name) for name in group]
        found = [
            each
            for each in resources.values()
            if each.kind == address.kind and [each.fields.get(name) for name in group] == wanted
        ]
        if None not in wanted and len(found) == 1:
            return found[0]
    return None if same_address and _is_another(same_address, head) else same_address


def _is_another(base: Resource, head: Resource) -> bool:
    """Is what base called so provably another object? Only where identity cannot be changed in place."""
    kind = KINDS[head.kind]
    return kind.adopts == "identity" and any(
        name in base.fields and name in head.fields and base.fields[name] != head.fields[name]
        for name in kind.identity[-1]
    )


def _is_unchanged(then: Value, now: Value, same_reference: SameReference) -> bool:
    if isinstance(then, SecretRef) and isinstance(now, SecretRef):
        return same_reference(then, now)
    return then == now


def _generated(head: Resource, plan: SitePlan) -> Mapping[str, str]:
    """What live systems generate, as far as head's resolved fields show it, by `!ref` path."""
    resolved = plan.desired.get(head.address, {})
    pairs = [
        pair
        for name, value in head.fields.items()
        for pair in zip(_each(value), _each(resolved.get(name)), strict=False)
    ]
    return {was.path: now for was, now in pairs if isinstance(was, Computed) and isinstance(now, str)}


def _each(value: Value) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else (value,)


def _all(causes: Iterable[Cause]) -> Cause:
    """The cause of a change with several fields."""
    found = set(causes)
    if len(found) == 1:
        return found.pop()
    return Cause.BOTH if found & {Cause.BY_HAND, Cause.BOTH} else Cause.UNKNOWN
