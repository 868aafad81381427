"""A play begins, or goes on: which sites, in which waves, and its journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ivn_provision.errors import StateError, UsageProblem
from ivn_provision.run.fleet.loading import FleetFiles
from ivn_provision.run.fleet.refs import SiteRef
from ivn_provision.run.fleet.selection import Selector
from ivn_provision.run.journal import Journal
from ivn_provision.run.play.memory import Memory
from ivn_provision.run.play.reading import ReadPlaybook
from ivn_provision.run.play.waves import in_waves
from ivn_provision.run.state import StateFolder
from ivn_provision.spec.playbook import Variable
from ivn_provision.strict_json import Node, WrongShape

Waves = tuple[tuple[SiteRef, ...], ...]


@dataclass(frozen=True, slots=True)
class Begun:
    """How a play was begun, as its journal says. `waves` are names of sites."""

    play: str
    file: str
    digest: str
    folder: str
    variables: Mapping[str, Variable]
    waves: tuple[tuple[str, ...], ...]


def plays(state: StateFolder) -> StateFolder:
    """Where the journals of plays are."""
    return replace(state, journals="plays")


def waves_of(files: FleetFiles, read: ReadPlaybook, narrower: Sequence[Selector] = ()) -> Waves:
    """The sites of a playbook that `narrower` selects too, with their labels and groups. Raises UsageProblem."""
    chosen = files.chosen(selectors=read.selectors)
    if narrower:
        also = {ref.path for ref in files.chosen(selectors=narrower)}
        chosen = tuple(ref for ref in chosen if ref.path in also)
    if not chosen:
        raise UsageProblem(
            f"no site is selected by both {read.playbook.name} and --sites",
            next_step="Look at them with --check.",
        )
    return in_waves(_known(files, read, chosen), read.playbook.waves)


def _known(files: FleetFiles, read: ReadPlaybook, refs: Sequence[SiteRef]) -> tuple[SiteRef, ...]:
    """With labels and groups, where a condition asks for them."""
    if all(condition.selector is None for condition in read.conditions.values()):
        return tuple(refs)
    return tuple(files.head(ref) or ref for ref in refs)


def begin(
    state: StateFolder,
    play: str,
    clock: Callable[[], datetime],
    read: ReadPlaybook,
    waves: Waves,
    **more: object,
) -> Memory:
    """A new play, written down before anything is done. Raises StateError."""
    playbook = read.playbook
    journal = Journal.create(
        plays(state),
        play,
        clock,
        playbook=playbook.name,
        file=playbook.path,
        digest=playbook.digest,
        vars=dict(playbook.variables),
        waves=[[ref.name for ref in wave] for wave in waves],
        **more,
    )
    return Memory(journal)


def reopen(state: StateFolder, play: str, clock: Callable[[], datetime]) -> tuple[Begun, Memory]:
    """A play that broke off or waits. Raises StateError if it is over, still going on, or not known."""
    try:
        journal = Journal.reopen(plays(state), play, clock)
    except StateError as error:
        raise _as_play(error) from error
    try:
        if any(record.event == "end" for record in journal.records):
            raise StateError(
                f"play {journal.run} is over",
                where=journal.run,
                next_step="play the playbook anew: what is as declared is left alone",
            )
        return _begun(journal), Memory(journal)
    except BaseException:
        journal.close()
        raise


def _as_play(error: StateError) -> StateError:
    """The journal calls everything a run."""
    words = [
        text.replace("run ", "play ").replace("runs ", "plays ") for text in (error.summary, error.next_step)
    ]
    return StateError(
        words[0], where=error.where, next_step=words[1].replace("`ivn-provision history`", ".ivn/plays")
    )


def _begun(journal: Journal) -> Begun:
    try:
        data = Node(journal.records[0].data)
        values = {name: each.value for name, each in data["vars"].members()}
        return Begun(
            journal.run,
            data["file"].text(),
            data["digest"].text(),
            data["fleet"].text(),
            {name: value for name, value in values.items() if isinstance(value, str | int)},
            tuple(tuple(each.text() for each in wave.items()) for wave in data["waves"].items()),
        )
    except (IndexError, WrongShape) as error:
        raise StateError(
            f"the journal of play {journal.run} does not say how it was begun",
            where=journal.run,
            next_step="play the playbook anew: what is as declared is left alone",
        ) from error


def same_waves(files: FleetFiles, read: ReadPlaybook, begun: Begun) -> Waves:
    """The waves of a play that goes on. Raises StateError if the playbook or the fleet is another now."""
    if read.playbook.digest != begun.digest:
        raise StateError(
            f"{begun.file} is not the playbook any more that play {begun.play} was begun with",
            where=begun.file,
            next_step="put it back as it was and resume; or play the new one: what is as declared is left alone",
        )
    by_name = {ref.name: ref for ref in files.refs}
    missing = [name for wave in begun.waves for name in wave if name not in by_name]
    if missing:
        raise StateError(
            f"{missing[0]} is a site of play {begun.play}, and not of the fleet any more",
            where=begun.folder,
            next_step="put its file back, or play the playbook anew",
        )
    return tuple(_known(files, read, [by_name[name] for name in wave]) for wave in begun.waves)
