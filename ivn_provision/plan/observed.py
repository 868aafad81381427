"""What observations make of a plan: fields confirmed, or refuted and then a change for a person. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ivn_provision.model.resource import UNSET, Address
from ivn_provision.plan.attestations import Attestation, weighed
from ivn_provision.plan.order import ordered
from ivn_provision.plan.plan import Action, Change, FieldChange, Observation, SitePlan, Unverified


def with_observations(
    plan: SitePlan, observations: Iterable[Observation], attestations: Sequence[Attestation] = ()
) -> SitePlan:
    """The plan with the standing that observations give; what they refute is a manual change."""
    left, refuted = weighed(plan.unverified, observations, attestations)
    if not refuted:
        return replace(plan, unverified=left)
    wrong: dict[Address, list[tuple[Unverified, Observation]]] = {}
    for question, against in refuted:
        wrong.setdefault(question.address, []).append((question, against))
    changes = [_by_hand(address, about) for address, about in wrong.items()]
    counted = {change.address for change in plan.changes}
    newly = sum(address not in counted for address in wrong)
    return replace(
        plan,
        changes=ordered([*plan.changes, *changes]),
        unverified=left,
        unchanged=max(0, plan.unchanged - newly),
    )


def _by_hand(address: Address, about: Sequence[tuple[Unverified, Observation]]) -> Change:
    fields = [FieldChange(each.name, UNSET, each.value, reason=seen.evidence) for each, seen in about]
    return Change(address, Action.UPDATE, tuple(fields), declared_at=about[0][0].declared_at, manual=True)
