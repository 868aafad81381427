"""What a journal tells of one site: how far a run came there, and what it meant to change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ivn_provision.errors import StateError
from ivn_provision.model.resource import Address
from ivn_provision.run.journal import Record
from ivn_provision.strict_json import Node, WrongShape

ENDED = frozenset({"applied", "reverted", "refused", "unchanged"})
"""Standings after which nothing of a run is left to do. A pending one waits for a person."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One planned change. Fields by name: (before, after), in the journal's form of values."""

    address: Address
    action: str
    fields: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Story:
    """`before` is the id of the snapshot taken before the first write, `spec` the digest of what was declared.

    `began`: targets on which something may have been written. `held`: targets whose lease may be left.
    `proven`: was everything read again after the last write, and as declared? `reverting`: was the way back
    begun? `standing` is "" where the run never ended on this site.
    """

    site: str
    before: str
    spec: str
    changes: tuple[Recorded, ...]
    began: frozenset[str]
    held: frozenset[str]
    writes: int
    proven: bool
    reverting: bool
    standing: str

    @property
    def is_over(self) -> bool:
        return self.standing in ENDED

    def change_of(self, address: Address) -> Recorded | None:
        return next((each for each in self.changes if each.address == address), None)


def story_of(records: Iterable[Record], site: str) -> Story:
    """The story of a site in a run. Raises StateError where a record has not the shape that the tool writes."""
    mine = [each for each in records if each.site == site]
    planned = next((each for each in mine if each.event == "planned"), None)
    over = next((each for each in reversed(mine) if each.event == "site_end"), None)
    after = [each for each in mine if over is None or each.number > over.number]
    resumed = any(each.event == "resumed" for each in after)
    try:
        return Story(
            site=site,
            before=_text(planned, "before"),
            spec=_text(planned, "spec"),
            changes=_changes(planned),
            began=_began(mine),
            held=frozenset(_text(each, "target") for each in mine if each.event == "hold"),
            writes=sum(each.event == "intent" and _text(each, "target") == "nvr" for each in mine),
            proven=_proven(mine),
            reverting=any(each.event == "reverting" for each in mine),
            standing=_text(over, "standing") if over and not resumed else "",
        )
    except (WrongShape, ValueError) as error:
        raise StateError(
            f"the journal says of {site} what this tool does not understand: {error}",
            where=site,
            next_step="look with `history show RUN`, and use the version of the tool that made the run",
        ) from error


def sites_in(records: Iterable[Record]) -> tuple[str, ...]:
    """The sites that a run planned, in order."""
    return tuple(dict.fromkeys(each.site for each in records if each.site and each.event == "planned"))


def _began(records: Iterable[Record]) -> frozenset[str]:
    """Targets with an intent after which no answer said that nothing was written.

    An answer is about the intent before it and no other: a way back numbers its batches anew.
    """
    written: set[str] = set()
    open_intents: set[str] = set()
    for each in records:
        if each.event not in {"intent", "done", "failed"}:
            continue
        target = _text(each, "target")
        if each.event == "intent":
            written |= {target} & open_intents  # one that was never answered
            open_intents.add(target)
            continue
        open_intents.discard(target)
        if each.event == "done" or Node(each.data)["uncertain"].flag():
            written.add(target)
    return frozenset(written | open_intents)


def _proven(records: Iterable[Record]) -> bool:
    found = False
    for each in records:
        if each.event == "proof":
            found = Node(each.data)["left"].integer(0, 10**6) == 0
        elif each.event in {"intent", "reverting"}:
            found = False
    return found


def _text(record: Record | None, name: str) -> str:
    return Node(record.data)[name].text() if record is not None else ""


def _changes(planned: Record | None) -> tuple[Recorded, ...]:
    if planned is None:
        return ()
    return tuple(_change(each) for each in Node(planned.data)["changes"].items())


def _change(node: Node) -> Recorded:
    fields = {
        each["name"].text(): (each["before"].value, each["after"].value) for each in node["fields"].items()
    }
    return Recorded(Address.parse(node["address"].text()), node["action"].text(), fields)
