"""Is a plan still the plan? What was found and planned then, against what is found and planned now. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ivn_provision.model.kinds import KINDS
from ivn_provision.model.resource import Address
from ivn_provision.plan.plan import Change, SitePlan, TargetFacts
from ivn_provision.plan.values_json import dump
from ivn_provision.secret import MASK

_NONE: Mapping[str, Any] = {"unset": True}
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Seen:
    """A live object as a plan found it. `fields` are JSON; of a secret only that it is one."""

    digest: str
    fields: Mapping[str, Any]


def seen_of(plan: SitePlan) -> dict[str, Seen]:
    """By address: every live object that was compared with a declaration, or that is to be changed.

    Without what moves by itself (the clock's offset, the room on a drive): of that only the verdict counts.
    """
    compared = {*plan.desired, *(change.address for change in plan.changes)}
    return {
        str(address): Seen(digest, {name: dump(each) for name, each in plan.live.get(address, {}).items()})
        for address, digest in sorted(plan.digests.items())
        if address in compared and not _moves(address)
    }


def first_difference(seen: Mapping[str, Seen], then: SitePlan, now: SitePlan) -> tuple[str, str] | None:
    """The first object for which the two are not the same plan, and how; None if they are.

    `seen` is what `then` was planned from. Both plans are the same selection of their site's changes.
    """
    here = seen_of(now)
    for name in sorted({*seen, *here}):
        if words := _moved(seen.get(name), here.get(name)):
            return name, words
    return _planned_otherwise(then, now) or _another_target(then, now)


def fingerprint(plan: SitePlan) -> list[Any]:
    """JSON that is the same for two plans exactly if `first_difference` finds none between them."""
    seen = {name: each.digest for name, each in seen_of(plan).items()}
    targets = {each.target: _product(each) for each in plan.facts}
    return [seen, _by_object(plan), targets]


def _moved(then: Seen | None, now: Seen | None) -> str:
    if then == now:
        return ""
    if now is None:
        return "is gone"
    if then is None:
        return "is there now, and was not"
    for name in [*then.fields, *(each for each in now.fields if each not in then.fields)]:
        before, after = then.fields.get(name, _NONE), now.fields.get(name, _NONE)
        if before != after:
            return f"was changed: {name} was {_shown(before)}, and is {_shown(after)} now"
    hidden = [name for name, value in now.fields.items() if value == {"sensitive": True}]
    what = f"{', '.join(hidden)}, or " if hidden else ""
    return f"was changed in what is not shown: {what}its version on the target"


def _planned_otherwise(then: SitePlan, now: SitePlan) -> tuple[str, str] | None:
    before, after = _by_object(then), _by_object(now)
    for name in sorted({*before, *after}):
        old, new = before.get(name, {}), after.get(name, {})
        if old == new:
            continue
        for field in [*old, *(each for each in new if each not in old)]:
            if old.get(field) != new.get(field):
                return name, _otherwise(field, old.get(field), new.get(field))
    return None


def _otherwise(what: str, old: Any, new: Any) -> str:
    if old is None:
        return f"needs another change now: {what}"
    if new is None:
        return f"does not need this change any more: {what}"
    return f"would be changed otherwise now: {what}"


def _by_object(plan: SitePlan) -> dict[str, dict[str, Any]]:
    """What is planned for each object, in words and field by field; JSON."""
    found: dict[str, dict[str, Any]] = {}
    for change in plan.changes:
        found.setdefault(str(change.address), {}).update(_of_change(change))
    return found


def _of_change(change: Change) -> dict[str, Any]:
    who = "by hand" if change.manual else "by the tool"
    moves = _moves(change.address)
    blocker = str(change.blocked_by) if change.blocked_by else ""
    planned: dict[str, Any] = {f"{change.action.value} {who}": [blocker]}
    for each in change.fields:
        before = None if moves else dump(each.before)
        planned[f"{each.name} {who}"] = [before, dump(each.after), each.forces_replacement]
    return planned


def _another_target(then: SitePlan, now: SitePlan) -> tuple[str, str] | None:
    before = {each.target: each for each in then.facts}
    for facts in now.facts:
        old = before.get(facts.target)
        if old is None or _product(old) != _product(facts):
            was = _product(old) if old else "not there"
            return f"{now.site}/{facts.target}", f"was {was}, and is {_product(facts)} now"
    return None


def _product(facts: TargetFacts) -> str:
    return f"{facts.product} {facts.version}".strip()


def _moves(address: Address) -> bool:
    """Is the kind one of bounds, whose live values change without anybody's doing?"""
    return bool(KINDS[address.kind].accepts)


def _shown(value: Any) -> str:
    """A dumped value for a sentence; secrets as what they are."""
    if value == {"sensitive": True}:
        return MASK
    if value == _NONE:
        return "(not set)"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
