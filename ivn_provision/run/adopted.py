"""What later runs took over: objects that were not ours in an earlier state, and so are in no snapshot of it.

A camera that a run found under another name has become ours by that run. The way back gives it the name and the
other fields that runs changed, as its before-image has them, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ivn_provision.errors import StateError
from ivn_provision.model.kinds import KINDS
from ivn_provision.model.resource import Address, Unset, Value
from ivn_provision.run.journal import read_run, runs_of
from ivn_provision.run.snapshots import Snapshot, load
from ivn_provision.run.state import StateFolder
from ivn_provision.run.story import Recorded, story_of

_CHANGED = frozenset({"update", "replace"})
Fields = Mapping[str, Value]


@dataclass(slots=True)
class Adopted:
    """What runs after a state took over, by the address that it gets in the state.

    `made` are objects that those runs made: they are ours, and were not there. `unread` are runs whose journal
    cannot be read.
    """

    found: dict[Address, Fields] = field(default_factory=dict)
    made: set[Address] = field(default_factory=set)
    unread: list[str] = field(default_factory=list)


def adopted_since(state: StateFolder, snapshot: Snapshot, run: str) -> Adopted:
    """What runs after `run` took over of the snapshot's site and the snapshot does not hold."""
    adopted = Adopted()
    for later in reversed(runs_of(state)):  # the oldest first: what was there before all of them counts
        if later.run <= run or (later.sites and snapshot.site not in later.sites):
            continue
        try:
            _take_over(state, snapshot, later.run, adopted)
        except StateError:
            adopted.unread.append(later.run)
    return adopted


def _take_over(state: StateFolder, snapshot: Snapshot, run: str, adopted: Adopted) -> None:
    story = story_of(read_run(state, run), snapshot.site)
    if not story.before:
        return
    before = load(state, story.before).resources
    for change in story.changes:
        fields = before.get(change.address)
        if change.action == "create":
            adopted.made.add(change.address)
        elif fields is not None and change.action in _CHANGED and KINDS[change.address.kind].adopts:
            _add(change, fields, snapshot, adopted)


def _add(change: Recorded, fields: Fields, snapshot: Snapshot, adopted: Adopted) -> None:
    """The object as far as the run changed it, if it is not one that the snapshot knows."""
    kind = KINDS[change.address.kind]
    there = {**snapshot.resources, **adopted.found}
    if change.address in adopted.made or _is_known(change.address, fields, there):
        return
    key = change.address.key
    if change.address in there:  # the number of another camera
        key = f"{key} {fields.get('name')}"
    names = {name for group in kind.identity for name in group} | set(change.fields)
    adopted.found[change.address._replace(key=key)] = {
        name: value for name, value in fields.items() if name in names
    }


def _is_known(address: Address, fields: Fields, there: Mapping[Address, Fields]) -> bool:
    kind = KINDS[address.kind]
    if not kind.identity:
        return address in there
    others = [each for other, each in there.items() if other.kind == kind.name]
    return any(_is_same(kind.identity, fields, each) for each in others)


def _is_same(groups: Iterable[tuple[str, ...]], one: Fields, other: Fields) -> bool:
    return any(
        all(
            name in one and one[name] == other.get(name) and not isinstance(one[name], Unset)
            for name in group
        )
        for group in groups
    )
