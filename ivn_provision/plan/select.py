"""A part of a plan, by globs over addresses. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import translate

from ivn_provision.errors import UsageProblem
from ivn_provision.model.kinds import KINDS
from ivn_provision.model.resource import Address, Value
from ivn_provision.plan.plan import Action, Change, SitePlan

_REMOVES = frozenset({Action.DELETE, Action.REPLACE})


def select(plan: SitePlan, targets: Sequence[str], excludes: Sequence[str]) -> SitePlan:
    """The plan with what a target names and no exclude does. No target names everything.

    A glob is matched against the whole address and against it without its site (`*/nvr/camera/*`,
    `nvr/camera/*`); `*` goes beyond a slash. What needs an object that would be made but was not chosen waits
    for it, and so does the removal of what something not chosen still uses. A note says what was left out.
    """
    if not targets and not excludes:
        return plan
    is_chosen = chooser(targets, excludes)
    chosen = [change for change in plan.changes if is_chosen(change.address)]
    left_out = [change for change in plan.changes if not is_chosen(change.address)]
    return replace(
        plan,
        changes=_waiting(chosen, left_out, plan),
        unverified=tuple(each for each in plan.unverified if is_chosen(each.address)),
        notes=(*plan.notes, *_note(len(left_out))),
    )


def unmatched(plans: Sequence[SitePlan], globs: Sequence[str]) -> UsageProblem | None:
    """The problem with the first glob that names no object of any plan: a typing mistake must not pass."""
    if not globs:
        return None
    addresses = {address for plan in plans for address in _addresses(plan)}
    for glob in globs:
        if not any(map(_matcher(glob), addresses)):
            return UsageProblem(f"no address matches {glob}", next_step=_hint(glob, addresses))
    return None


def _hint(glob: str, addresses: Iterable[Address]) -> str:
    names = {shape: str(each) for each in addresses for shape in _shapes(each)}
    close = difflib.get_close_matches(glob, sorted(names), n=3, cutoff=0.5)
    if not close:
        return "`plan` shows the addresses: SITE/TARGET/KIND/KEY, or without the site."
    return f"Did you mean {', '.join(dict.fromkeys(names[each] for each in close))}?"


def _addresses(plan: SitePlan) -> set[Address]:
    unverified = (each.address for each in plan.unverified)
    return {*plan.desired, *plan.live, *(change.address for change in plan.changes), *unverified}


def chooser(targets: Sequence[str], excludes: Sequence[str]) -> Callable[[Address], bool]:
    wanted, unwanted = [_matcher(each) for each in targets], [_matcher(each) for each in excludes]

    def is_chosen(address: Address) -> bool:
        return (not wanted or any(each(address) for each in wanted)) and not any(
            each(address) for each in unwanted
        )

    return is_chosen


def _matcher(glob: str) -> Callable[[Address], bool]:
    pattern = re.compile(translate(glob))
    return lambda address: any(pattern.match(shape) for shape in _shapes(address))


def _shapes(address: Address) -> tuple[str, str]:
    """Both ways to name an object, quoted as addresses are."""
    whole = str(address)
    return whole, whole.partition("/")[2]


def _waiting(chosen: Sequence[Change], left_out: Sequence[Change], plan: SitePlan) -> tuple[Change, ...]:
    """The chosen changes; those that must come after one that will not be made wait for it.

    Changes come in the order of work, so that one waiting for another is seen after that other.
    """
    missing = {change.address: change.address for change in left_out if change.action is Action.CREATE}
    users = [change for change in left_out if change.action in _REMOVES | {Action.UPDATE}]
    found = []
    for change in chosen:
        blocker = None
        if change.workable:
            blocker = _missing_for(change, missing, plan) or _user_of(change, users, plan)
        if blocker and change.action is Action.CREATE:
            missing[change.address] = blocker
        found.append(replace(change, blocked_by=blocker) if blocker else change)
    return tuple(found)


def _missing_for(change: Change, missing: Mapping[Address, Address], plan: SitePlan) -> Address | None:
    if change.action is Action.DELETE:
        return None
    needed = plan.needs.get(change.address, ())
    after = {each.name: each.after for each in change.fields}
    for other, blocker in missing.items():
        if other in needed or _names(change.address, after, other):
            return blocker
    return None


def _user_of(change: Change, users: Sequence[Change], plan: SitePlan) -> Address | None:
    """What was not chosen and still names the object that this change would remove."""
    if change.action is not Action.DELETE:
        return None
    for other in users:
        if _names(other.address, plan.live.get(other.address, {}), change.address):
            return other.address
    return None


def _names(user: Address, fields: Mapping[str, Value], used: Address) -> bool:
    """Does an object's field hold the other's key: `camera` 10, `source` hardware_event/2?"""
    if used.kind not in KINDS[user.kind].after or not used.key:
        return False
    return any(
        str(value) == f"{used.kind}/{used.key}" or (name == used.kind and str(value) == used.key)
        for name, value in fields.items()
    )


def _note(left_out: int) -> tuple[str, ...]:
    if not left_out:
        return ()
    many = "change is" if left_out == 1 else "changes are"
    return (f"{left_out} more {many} not chosen by --target and --exclude",)
