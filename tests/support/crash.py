"""Kills the tool in the middle of an apply, lets `resume` end it, and looks at what is there then."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from ivn_provision.run.journal import Record, read_run, standing_of
from ivn_provision.run.story import ENDED
from tests.support.crash_child import NOWHERE, Job, Point, label
from tests.support.crash_forks import Ended, Forks
from tests.support.crash_picture import Picture, Seen, look
from tests.support.crash_writes import mark, twice, writes
from tests.support.world import World, run_id

SITE = "lab-0001"


@dataclass(frozen=True, slots=True)
class Crash:
    """What happens to one apply.

    It dies at `kill`, or `kill_after` seconds. `fault` of the lab at `place` sets in at `pause` and lasts until the
    process is gone; `meanwhile` is what else happens there. `most_bytes`: no file of the tool may be larger. The first
    `resume` dies at `resume_kill`; without `resumes` there is none.
    """

    kill: Point = NOWHERE
    kill_after: float | None = None
    place: str = ""
    fault: str = ""
    pause: Point = NOWHERE
    most_bytes: int = 0
    meanwhile: Callable[[World], None] = lambda _: None
    resume_kill: Point = NOWHERE
    resumes: bool = True
    deadline_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Ending:
    """What a crash led to. `state` is `old`, `new` or `neither`, and so it shall never be the last.

    `last`: the last record before the kill, `standing` how the run stood then; `resumed_to` the last record before
    the first resume was killed, where it was. `other`: what else must not be, in words.
    """

    last: str
    state: str
    standing: str = ""
    resumed_to: str = ""
    twice: tuple[str, ...] = ()
    leases: tuple[str, ...] = ()
    other: tuple[str, ...] = ()

    @property
    def wrong(self) -> tuple[str, ...]:
        """All that must not be."""
        neither = ("neither old nor new",) if self.state == "neither" else ()
        return (*neither, *(f"twice: {each}" for each in self.twice), *self.leases, *self.other)


@dataclass
class Crashes:
    """Applies between two declared states of one site, again and again, each broken once.

    `at` is the state that live has, "" if nobody knows.
    """

    world: World
    texts: dict[str, str]
    forks: Forks
    runs: int = 1000
    at: str = ""
    pictures: dict[str, Picture] = field(default_factory=dict)

    def begin(self) -> None:
        """Both states are made once without a crash, and pictures taken of them."""
        for which in ("a", "b"):
            self.settle(which)
            self.pictures.setdefault(which, self.look().picture)
        assert self.pictures["a"] != self.pictures["b"]

    def settle(self, which: str) -> None:
        """By a plain apply."""
        self.at = ""
        self.declare(which)
        (outcome,) = self.world.apply(SITE)
        assert outcome.error is None, outcome.error
        self.at = which

    def declare(self, which: str) -> None:
        (self.world.folder / f"{SITE}.yml").write_text(self.texts[which], encoding="utf-8")

    def look(self) -> Seen:
        return look(self.world, SITE)

    def next_run(self) -> tuple[str, str, str]:
        """The state that is there, the other one, which is declared now, and the name of the run to it."""
        if not self.at:
            self.settle("a")
        old = self.at
        goal = "b" if old == "a" else "a"
        self.declare(goal)
        self.runs += 1
        return old, goal, run_id(self.runs)

    def job(self, run: str) -> Job:
        """An apply of what is declared, without a crash."""
        return Job(str(self.world.folder), str(self.world.state.path), SITE, run)

    def whole_journal(self) -> int:
        """Bytes of the journal of an apply that ends well."""
        old, goal, run = self.next_run()
        del old
        assert self.forks.run(self.job(run)).code == 0
        self.at = goal
        return (self.world.state.path / "runs" / run / "journal.jsonl").stat().st_size

    def crash(self, crash: Crash) -> Ending:
        """One apply to the other state, broken as asked, and ended by `resume`."""
        old, goal, run = self.next_run()
        self.at = ""  # whatever goes wrong here
        since, before = mark(self.world, SITE), self.recorder_bytes()
        self.forks.run(self._apply(run, crash), partial(self._paused, crash))
        self._fault(crash, on=False)
        records = self.records(run)
        standing = standing_of(records, SITE)
        killed, other = self._resumed(run, crash) if records and crash.resumes else (records, [])
        seen, ended = self.look(), self.records(run)
        self.world.lab.end_shells(SITE)  # each kill leaves some, and a user may have 30
        state = self._state(seen, old, goal)
        other += self._troubles(run, ended, seen, state, goal)
        if state == "old" and self._went_back_itself(ended) and self.recorder_bytes() != before:
            other.append("the recorder's files are not byte by byte what they were")
        return Ending(
            last_of(records),
            state,
            standing,
            last_of(killed) if crash.resume_kill.number else "",
            twice(writes(self.world, SITE, since)),
            seen.leases,
            tuple(other),
        )

    def _apply(self, run: str, crash: Crash) -> Job:
        return replace(
            self.job(run),
            kill=crash.kill,
            pause=crash.pause,
            kill_after=crash.kill_after,
            most_bytes=crash.most_bytes,
            deadline_seconds=crash.deadline_seconds,
        )

    def _paused(self, crash: Crash) -> None:
        self._fault(crash, on=True)
        crash.meanwhile(self.world)

    def _fault(self, crash: Crash, *, on: bool) -> None:
        if crash.fault:
            self.world.lab.fault(crash.place, crash.fault, on=on)

    def _resumed(self, run: str, crash: Crash) -> tuple[tuple[Record, ...], list[str]]:
        """By one `resume`, or by two of which the first is killed: the records before the last, and what went wrong."""
        if crash.resume_kill.number:
            self.resume(run, crash.resume_kill)
        records = self.records(run)
        ended = self.resume(run)
        return records, [f"resume: {ended.code} {ended.stderr}"] if ended.code else []

    def resume(self, run: str, kill: Point = NOWHERE) -> Ended:
        return self.forks.run(replace(self.job(run), resume=True, kill=kill))

    def records(self, run: str) -> tuple[Record, ...]:
        """Reading them verifies the whole journal."""
        if not (self.world.state.path / "runs" / run / "journal.jsonl").exists():
            return ()
        return read_run(self.world.state, run)

    def _state(self, seen: Seen, old: str, goal: str) -> str:
        for word, which in (("new", goal), ("old", old)):
            if seen.picture == self.pictures[which]:
                self.at = which
                return word
        return "neither"

    def _troubles(
        self, run: str, records: tuple[Record, ...], seen: Seen, state: str, goal: str
    ) -> list[str]:
        """What is not as it shall be after every end."""
        found = [f"{each}: it must run" for each in seen.picture.services if not each.endswith(": Running")]
        standing = standing_of(records, SITE)
        if standing not in ENDED:
            found.append(f"run {run} is {standing} by its journal")
        found += seen.reverts
        if state == "neither":
            found += self.pictures[goal].differences(seen.picture)
        return found

    def _went_back_itself(self, records: tuple[Record, ...]) -> bool:
        """Has the recorder put its files back, or were they never written? A plan back makes new objects."""
        back = [each.data["whole"] for each in records if label(each.event, each.data) == "put_back nvr"]
        wrote = any(label(each.event, each.data) == "intent nvr" for each in records)
        return back[-1] if back else not wrote

    def recorder_bytes(self) -> bytes:
        return self.world.lab.nvr(SITE).configuration_path.read_bytes()


def killed_after(world: World, point: Point, run: str, *, confirm_within: int = 0) -> None:
    """An apply of what is declared now, killed there; nothing ends it."""
    with Forks() as forks:
        job = replace(Crashes(world, {}, forks).job(run), kill=point, confirm_within=confirm_within)
        ended = forks.run(job)
    assert ended.was_killed, ended


def last_of(records: tuple[Record, ...]) -> str:
    return label(records[-1].event, records[-1].data) if records else "(none)"


def other_state(text: str) -> str:
    """A soft trigger gets another number: two writes on the recorder, and the portal in between."""
    other = text.replace("generic_events:\n  - {pin: 2,", "generic_events:\n  - {pin: 4,")
    other = other.replace("{pin: 2, source: soft,", "{pin: 4, source: soft,")
    assert other != text
    return other


@contextmanager
def crashing(world: World) -> Iterator[Crashes]:
    """Ready for the first crash."""
    text = (world.folder / f"{SITE}.yml").read_text(encoding="utf-8")
    with Forks() as forks:
        crashes = Crashes(world, {"a": text, "b": other_state(text)}, forks)
        crashes.begin()
        yield crashes


def moments(count: int, seconds: float, seed: int) -> list[float]:
    """Random times of an apply, the same for the same seed."""
    chance = random.Random(seed)
    return [chance.uniform(0, seconds) for _ in range(count)]
