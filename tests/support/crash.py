"""Kills the tool in the middle of an apply, lets `resume` end it, and looks at what is there then."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ivn_provision.run.engine import apply_sites
from ivn_provision.run.events import Event, Step
from ivn_provision.run.journal import read_run
from tests.support.world import World, run_id

SITE = "lab-0001"
EVENT = "  - {pin: 2, camera: 10, match: equals}\n"
SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Ending:
    """What a crash led to. `last` is the last record before the kill, `state` `old`, `new` or what it is else."""

    last: str
    state: str
    resumed: int
    twice: tuple[str, ...]
    leases: tuple[str, ...]
    stderr: str = ""


@dataclass
class _Faulty:
    """Switches a fault on at the first write."""

    world: World
    place: str
    fault: str
    done: bool = False

    def notify(self, event: Event) -> None:
        target = "portal" if self.place == "portal" else "nvr"
        if event.step is Step.WRITING and event.target == target and not self.done:
            self.done = True
            self.world.lab.fault(self.place, self.fault)


@dataclass
class Crashes:
    """Applies between two declared states of one site, `a` and `b`, again and again, each killed once."""

    world: World
    a: str
    b: str
    runs: int = field(default=1000)
    at: str = "a"

    def text(self, which: str) -> str:
        return self.a if which == "a" else self.b

    def declare(self, which: str) -> None:
        (self.world.folder / f"{SITE}.yml").write_text(self.text(which), encoding="utf-8")

    def is_at(self, which: str) -> bool:
        """Is live exactly this state? By a fresh reading and an empty plan."""
        self.declare(which)
        (outcome,) = self.world.plan(SITE)
        assert outcome.error is None, outcome.error
        assert outcome.plan is not None
        return not outcome.plan.changes

    def begin(self) -> None:
        """The site is at `a`."""
        self.declare("a")
        (outcome,) = self.world.apply(SITE)
        assert outcome.error is None, outcome.error
        self.at = "a"

    def crash(
        self,
        *,
        record: int = 0,
        moment: str = "after",
        seconds: float | None = None,
        most_bytes: int = 0,
    ) -> Ending:
        """One apply to the other state, killed at a record or after some time, and ended by `resume`.

        `most_bytes`: no file of the tool may be larger, as if its disk was full then.
        """
        goal = "b" if self.at == "a" else "a"
        self.declare(goal)
        self.runs += 1
        run = run_id(self.runs)
        mark = self._mark()
        self._killed("apply", run, record, moment, seconds, "0", str(most_bytes))
        return self._ended(goal, run, mark)

    def broken(self, place: str, fault: str) -> Ending:
        """One apply to the other state during which a fault of the lab sets in, and `resume` after it."""
        goal = "b" if self.at == "a" else "a"
        self.declare(goal)
        self.runs += 1
        run = run_id(self.runs)
        mark = self._mark()
        opener = self.world.opener(3.0)
        opener.run_id = run
        observer = _Faulty(self.world, place, fault)
        apply_sites([self.world.site(SITE)], opener, observer, guards=self.world.guards())
        self.world.lab.fault(place, fault, on=False)
        return self._ended(goal, run, mark)

    def _ended(self, goal: str, run: str, mark: tuple[int, int]) -> Ending:
        last = self._last(run)
        code, stderr = self._resume(run) if last else (0, "")
        state = self._state(goal)
        return Ending(last, state, code, self._twice(mark), self._leases(), stderr)

    def killed_after(self, event: str, run: str, *, confirm_within: int = 0) -> None:
        """An apply of what is declared now, killed after the first record of an event; nothing ends it."""
        self._killed("apply", run, 0, event, None, str(confirm_within))

    def _state(self, goal: str) -> str:
        old = self.at
        if self.is_at(goal):
            self.at = goal
            return "new"
        return "old" if self.is_at(old) else "neither"

    def _command(self, what: str, run: str, record: int, moment: str) -> list[str]:
        state = str(self.world.state.path)
        folder = str(self.world.folder)
        module = "tests.support.crash_child"
        return [sys.executable, "-m", module, folder, state, SITE, what, run, str(record), moment]

    def _killed(
        self, what: str, run: str, record: int, moment: str, seconds: float | None, *more: str
    ) -> None:
        child = subprocess.Popen(
            [*self._command(what, run, record, moment), *more],
            cwd=Path(__file__).parents[2],
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        try:
            if seconds is not None:
                self._wait_for(run, child)
                time.sleep(seconds)
                child.kill()
            child.communicate(timeout=SECONDS)
        finally:
            child.kill()
            child.wait()

    def _wait_for(self, run: str, child: subprocess.Popen[bytes]) -> None:
        journal = self.world.state.path / "runs" / run / "journal.jsonl"
        end = time.monotonic() + SECONDS
        while not journal.exists() and child.poll() is None and time.monotonic() < end:
            time.sleep(0.005)

    def _resume(self, run: str) -> tuple[int, str]:
        done = subprocess.run(
            self._command("resume", run, 0, "after"),
            cwd=Path(__file__).parents[2],
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        return done.returncode, done.stderr.decode()

    def _last(self, run: str) -> str:
        """The last record before the kill; reading verifies the whole journal."""
        if not (self.world.state.path / "runs" / run / "journal.jsonl").exists():
            return ""
        records = read_run(self.world.state, run)
        if not records:
            return "(a torn first line)"
        record = records[-1]
        target = record.data.get("target")
        return f"{record.event} {target}" if target else record.event

    def _mark(self) -> tuple[int, int]:
        return len(self.world.lab.nvr(SITE).write_log), len(self.world.lab.portal.write_log)

    def _twice(self, mark: tuple[int, int]) -> tuple[str, ...]:
        """Writes of the same change to the same thing, more often than it was undone."""
        recorder = self.world.lab.nvr(SITE).write_log[mark[0] :]
        portal = self.world.lab.portal.write_log[mark[1] :]
        changes = [(each.path, each.before, each.after) for each in recorder]
        changes += [(each.path, each.before, each.after) for each in portal]
        counts = Counter(changes)
        return tuple(
            f"{path}: {before} -> {after}"
            for (path, before, after), count in counts.items()
            if count > 1 + counts[path, after, before]
        )

    def _leases(self) -> tuple[str, ...]:
        self.declare(self.at)
        (outcome,) = self.world.plan(SITE)
        assert outcome.plan is not None
        return tuple(each.target for each in outcome.plan.facts if each.holding.lease is not None)


def moments(count: int, seconds: float, seed: int) -> list[float]:
    """Random times of an apply, the same for the same seed."""
    chance = random.Random(seed)
    return [chance.uniform(0, seconds) for _ in range(count)]


def table(endings: Mapping[str, list[Ending]]) -> str:
    """Kill point -> outcome, as Markdown."""
    lines = [
        "| killed | times | old | new | neither | written twice | lease left |",
        "|---|---|---|---|---|---|---|",
    ]
    for point, all_of in endings.items():
        states = Counter(each.state for each in all_of)
        twice = sum(bool(each.twice) for each in all_of)
        leases = sum(bool(each.leases) for each in all_of)
        counts = [states["old"], states["new"], len(all_of) - states["old"] - states["new"], twice, leases]
        lines.append(f"| {point} | {len(all_of)} | " + " | ".join(map(str, counts)) + " |")
    return "\n".join(lines)
