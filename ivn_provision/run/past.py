"""A run as its journal tells it, for people: who, when, from which revision, and what became of each site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ivn_provision.errors import StateError
from ivn_provision.run.journal import Record, find_run, read_run, standings_in
from ivn_provision.run.state import StateFolder
from ivn_provision.run.story import Recorded, story_of
from ivn_provision.strict_json import Node, WrongShape


@dataclass(frozen=True, slots=True)
class PastSite:
    """`before` and `after` are ids of snapshots, "" where none was taken. `events` are all its records."""

    site: str
    standing: str
    error: str
    before: str
    after: str
    changes: tuple[Recorded, ...]
    events: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Past:
    """`dirty`: were there changes that were not committed? `plan` is the id of the saved plan, "" without."""

    run: str
    at: str
    ended: str
    who: str
    command: str
    revision: str
    dirty: bool
    plan: str
    tool: str
    options: Mapping[str, Any]
    sites: tuple[PastSite, ...]


def past_of(state: StateFolder, run: str) -> Past:
    """The run whose name begins so. Raises StateError, also where its journal is damaged."""
    name = find_run(state, run)
    records = read_run(state, name)
    if not records:
        raise StateError(
            f"run {name} has no record: it broke off before it began, or its journal was removed",
            where=str(state.path / "runs" / name),
            next_step="look at live with `drift`",
        )
    try:
        return _past(name, records, standings_in(state, name, records))
    except WrongShape as error:
        raise StateError(
            f"run {name} says what this tool does not understand: {error}",
            where=str(state.path / "runs" / name),
            next_step="use the version of the tool that made the run",
        ) from error


def _past(name: str, records: tuple[Record, ...], standings: Mapping[str, str]) -> Past:
    begin = Node(records[0].data if records[0].event == "begin" else {})
    dirty, options = begin.find("dirty"), begin.find("options")
    return Past(
        run=name,
        at=records[0].at,
        ended=next((each.at for each in reversed(records) if each.event == "end"), ""),
        who=_text(begin, "who"),
        command=_text(begin, "command"),
        revision=_text(begin, "revision"),
        dirty=dirty.flag() if dirty is not None else False,
        plan=_text(begin, "plan"),
        tool=_text(begin, "tool"),
        options={key: each.value for key, each in options.members()} if options is not None else {},
        sites=tuple(_site(records, site, standing) for site, standing in standings.items()),
    )


def _site(records: tuple[Record, ...], site: str, standing: str) -> PastSite:
    mine = tuple(each for each in records if each.site == site)
    story = story_of(records, site)
    shots = [each for each in mine if each.event in {"proof", "reverted"}]
    ends = [each for each in mine if each.event == "site_end"]
    return PastSite(
        site=site,
        standing=standing,
        error=_text(Node(ends[-1].data), "error") if ends else "",
        before=story.before,
        after=_text(Node(shots[-1].data), "after") if shots else "",
        changes=story.changes,
        events=mine,
    )


def _text(node: Node, name: str) -> str:
    found = node.find(name)
    return found.text() if found is not None else ""
