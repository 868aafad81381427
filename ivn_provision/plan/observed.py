"""What observations make of a plan: fields confirmed, or refuted and then to be set. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ivn_provision.model.resource import UNSET, Address
from ivn_provision.plan.attestations import Attestation, weighed
from ivn_provision.plan.order import ordered
from ivn_provision.plan.plan import Action, Change, FieldChange, Observation, SitePlan, Unverified

_About = tuple[Unverified, Observation]


def with_observations(
    plan: SitePlan, observations: Iterable[Observation], attestations: Sequence[Attestation] = ()
) -> SitePlan:
    """The plan with the standing that observations give; what they refute is a change: a person's, or the tool's
    where its driver can write the field."""
    left, refuted = weighed(plan.unverified, observations, attestations)
    if not refuted:
        return replace(plan, unverified=left)
    by_hand: dict[Address, list[_About]] = {}
    by_tool: dict[Address, list[_About]] = {}
    for question, against in refuted:
        (by_tool if against.settable else by_hand).setdefault(question.address, []).append(
            (question, against)
        )
    changes = [_with(change, by_tool, plan) for change in plan.changes]
    met = {change.address for change in plan.changes if _is_update(change)}
    changes += [_by_tool(address, about, plan) for address, about in by_tool.items() if address not in met]
    changes += [_by_hand(address, about) for address, about in by_hand.items()]
    counted = {change.address for change in plan.changes}
    newly = sum(address not in counted for address in {*by_hand, *by_tool})
    return replace(
        plan,
        changes=ordered(changes),
        unverified=left,
        unchanged=max(0, plan.unchanged - newly),
    )


def _by_hand(address: Address, about: Sequence[_About]) -> Change:
    fields = [FieldChange(each.name, UNSET, each.value, reason=seen.evidence) for each, seen in about]
    return Change(address, Action.UPDATE, tuple(fields), declared_at=about[0][0].declared_at, manual=True)


def _is_update(change: Change) -> bool:
    return change.action is Action.UPDATE and change.workable


def _with(change: Change, by_tool: dict[Address, list[_About]], plan: SitePlan) -> Change:
    """A change that the tool makes anyway, with what was refuted of the same object."""
    about = by_tool.get(change.address)
    if about is None or not _is_update(change):
        return change
    return replace(change, fields=(*change.fields, *_fields(change.address, about, plan)))


def _by_tool(address: Address, about: Sequence[_About], plan: SitePlan) -> Change:
    return Change(
        address,
        Action.UPDATE,
        _fields(address, about, plan),
        handle=plan.references.get(address, ""),
        digest=plan.digests.get(address, ""),
        declared_at=about[0][0].declared_at,
    )


def _fields(address: Address, about: Sequence[_About], plan: SitePlan) -> tuple[FieldChange, ...]:
    """What is declared, as it is to be written: of a secret its value."""
    declared = plan.desired.get(address, {})
    return tuple(FieldChange(each.name, UNSET, declared.get(each.name, each.value)) for each, _ in about)
