"""Finding the objects that a person made: in which file, under which path, and again after every pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ivn_provision.drivers.xprotect_e.learning.explain import Sample
from ivn_provision.drivers.xprotect_e.learning.passes import Pass
from ivn_provision.drivers.xprotect_e.learning.samples import Session, State, changes, states
from ivn_provision.drivers.xprotect_e.learning.structure import Leaves, Node, below, leaves
from ivn_provision.errors import Refused


@dataclass(frozen=True, slots=True)
class Spot:
    """Where the objects of a kind stand. `numbered` if each has a tag of its own."""

    file: str
    items: str
    name: str
    numbered: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """A subject after a pass."""

    state: State
    leaves: Leaves

    @property
    def sample(self) -> Sample:
        return Sample(self.state.values, self.leaves)


def spot_of(session: Session, kind: str, wanted_file: str = "") -> Spot:
    """Where the objects stand. Raises Refused if that is nowhere, or in more places than one."""
    adds = [(index, each) for index, each in _numbered(session) if each.action == "add" and each.kind == kind]
    # Before the first object its list may not have been there: the list would be taken for the object.
    found = [_added(session, index, each.key, wanted_file) for index, each in adds[1:] or adds]
    files = sorted({spot.file for spots in found for spot in spots})
    last = adds[-1][1]
    if not files:
        raise Refused(
            f"nothing new in the recorder's files bears the name {last.key!r}",
            where=f"pass `{last.name}`",
            next_step="was it saved? If it was, the product keeps it in no readable file: it stays by hand",
        )
    if len(files) > 1:
        raise Refused(
            f"the new object stands in {len(files)} files: {', '.join(files)}",
            where=f"pass `{last.name}`",
            next_step="say with --file which of them the product reads",
        )
    return _one_spot([spot for spots in found for spot in spots], last)


def _one_spot(spots: Sequence[Spot], last: Pass) -> Spot:
    parents = {spot.items.rpartition("/")[0] for spot in spots}
    if len(parents) > 1:
        raise Refused(
            f"the new objects stand under different paths: {', '.join(sorted(parents))}",
            where=f"pass `{last.name}`",
            next_step="this store cannot be described by a layout: the kind stays by hand",
        )
    tags = {spot.items.rpartition("/")[2] for spot in spots}
    numbered = len(tags) > 1 or tags.copy().pop()[-1:].isdigit()
    tag = "*" if numbered else tags.pop()
    parent = parents.pop()
    return Spot(spots[0].file, f"{parent}/{tag}" if parent else tag, spots[0].name, numbered)


def _added(session: Session, index: int, name: str, wanted_file: str) -> list[Spot]:
    found = []
    for path in session.files:
        if wanted_file and path != wanted_file:
            continue
        for diff in changes(session, index, path):
            if diff.what != "added" or diff.node is None:
                continue
            texts = leaves(diff.node)
            at = [each for each, value in texts.items() if value == (name,)]
            if at:
                found.append(Spot(path, diff.path, at[0]))
    return found


def seen(session: Session, kind: str, spot: Spot) -> list[Seen]:
    """Every subject after every pass. Raises Refused naming the pass after which one is not as it should be."""
    found = []
    for state in states(session, kind):
        root = session.frames[state.index].files[spot.file]
        node = named(root, spot, str(state.values["name"]))
        if node is None:
            done = session.passes[state.index - 1]
            raise Refused(
                f"after the pass `{done.name}` the object {state.values['name']!r} is not there as it should be",
                where=f"pass `{done.name}`",
                next_step="it was not saved, or under another name: remove the objects of this session and start again",
            )
        found.append(Seen(state, leaves(node)))
    return found


def named(root: Node, spot: Spot, name: str) -> Node | None:
    """The one object of a name."""
    nodes = [node for node in below(root, spot.items) if leaves(node).get(spot.name) == (name,)]
    return nodes[0] if len(nodes) == 1 else None


def by_subject(found: Sequence[Seen]) -> Mapping[str, list[Seen]]:
    """The moments of each subject, in order."""
    groups: dict[str, list[Seen]] = {}
    for each in found:
        groups.setdefault(each.state.subject, []).append(each)
    return groups


def _numbered(session: Session) -> list[tuple[int, Pass]]:
    return list(enumerate(session.passes, start=1))
