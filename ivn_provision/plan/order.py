"""The order of work inside a site: a topological sort, and the batches that follow from it.

A batch is a run of changes on one target: one write of the recorder, with one restart of its services.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

from ivn_provision.model.kinds import KINDS, order_of
from ivn_provision.model.targets import CAMERA, family
from ivn_provision.plan.plan import Action, Change


@dataclass(frozen=True, slots=True)
class Batch:
    target: str
    changes: tuple[Change, ...]


def batches(changes: Sequence[Change]) -> tuple[Batch, ...]:
    """As few batches as the order allows: first of all few on the recorder, since each restarts services."""
    targets = sorted({change.address.target for change in changes})
    ways = [_greedy(changes, first) for first in targets]
    return min(ways, key=_cost, default=())


def _cost(way: tuple[Batch, ...]) -> tuple[int, int]:
    return sum(batch.target == "nvr" for batch in way), len(way)


def ordered(changes: Sequence[Change]) -> tuple[Change, ...]:
    """All changes in the order of work."""
    return tuple(change for batch in batches(changes) for change in batch.changes)


def _edges(changes: Sequence[Change]) -> dict[int, set[int]]:
    """Index of a change -> indexes of those that must be done before it."""
    before: dict[int, set[int]] = {index: set() for index in range(len(changes))}
    kinds: dict[str, list[int]] = {}
    for index, change in enumerate(changes):
        kinds.setdefault(change.address.kind, []).append(index)
    for index, change in enumerate(changes):
        for kind in KINDS[change.address.kind].after:
            for other in kinds.get(kind, ()):
                if _are_strangers(changes[other], change):
                    continue
                _edge(before, changes, earlier=other, later=index)
    return before


def _are_strangers(one: Change, other: Change) -> bool:
    """Are they on two cameras? What is done on one says nothing of the other."""
    targets = {one.address.target, other.address.target}
    return len(targets) == 2 and {family(each) for each in targets} == {CAMERA}


def _edge(before: dict[int, set[int]], changes: Sequence[Change], *, earlier: int, later: int) -> None:
    """`earlier` is of the kind that comes first; deletes turn the order round."""
    deletes = {changes[earlier].action is Action.DELETE, changes[later].action is Action.DELETE}
    if deletes == {True}:
        before[earlier].add(later)
    elif deletes == {False}:
        before[later].add(earlier)
    elif changes[later].action is Action.DELETE:
        return  # what is removed needs nothing that is made
    else:
        before[earlier].add(later)  # what is removed goes after what replaces its users


def _greedy(changes: Sequence[Change], first: str) -> tuple[Batch, ...]:
    """Kahn's algorithm that stays on a target as long as something is ready there."""
    sorter = TopologicalSorter(_edges(changes))
    sorter.prepare()
    ready = list(sorter.get_ready())
    target, batch, done = first, list[Change](), list[Batch]()
    while ready:
        here = [index for index in ready if changes[index].address.target == target]
        if not here:
            if batch:
                done.append(Batch(target, tuple(batch)))
            target, batch = changes[min(ready)].address.target, []
            continue
        chosen = min(here, key=lambda index: (order_of(changes[index].address.kind), index))
        ready.remove(chosen)
        batch.append(changes[chosen])
        sorter.done(chosen)
        ready += sorter.get_ready()
    if batch:
        done.append(Batch(target, tuple(batch)))
    return tuple(done)
