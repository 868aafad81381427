"""Applies of a fleet whose workers are killed at random, and what is there afterwards: by the lab, not by our word."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from ivn_provision.run.journal import Record, read_run, runs_of
from tests.support.crash import other_state
from tests.support.crash_picture import Picture, look
from tests.support.crash_writes import Wrote, twice
from tests.support.fleet_workers import Killer, apply_durable, set_network
from tests.support.world import World

NETWORKS = ("east", "west")
WORKERS = {"east-1": "east", "east-2": "east", "west-1": "west"}


@dataclass(frozen=True, slots=True)
class Round:
    """One apply over the whole fleet. `longest`: the longest time of a site's attempt that ended, in seconds.
    `broken`: attempts that a kill broke off; `resumed`: those of them that had to be
    ended by a later one. `writes` the lab counted; `twice` and `wrong` must be empty."""

    sites: int
    kills: int
    seconds: float
    code: int
    longest: float
    broken: int
    resumed: int
    attempts: int
    writes: int
    twice: tuple[str, ...]
    wrong: tuple[str, ...]


@dataclass
class KilledFleet:
    """Sites between two declared states, `a` and `b`. `pictures`: what each site is in each, made without a kill."""

    world: World
    sites: tuple[str, ...]
    texts: dict[str, dict[str, str]] = field(default_factory=dict)
    pictures: dict[str, dict[str, Picture]] = field(default_factory=dict)
    at: str = ""

    def begin(self) -> None:
        """Both states are made once without a kill; the fleet is in `a` then."""
        for number, site in enumerate(self.sites):
            set_network(self.world, site, NETWORKS[number % len(NETWORKS)])
            text = (self.world.folder / f"{site}.yml").read_text(encoding="utf-8")
            self.texts[site] = {"a": text, "b": other_state(text)}
            self.world.attest_all(site)
        for state in ("b", "a"):
            self.declare(state)
            outcomes = self.world.apply(
                *self.sites, allowances={"sites": len(self.sites), "fleet_percent": 100}
            )
            assert not [each.error for each in outcomes if each.error], outcomes
            self.pictures[state] = self.look()
            self.at = state

    def declare(self, state: str) -> None:
        for site in self.sites:
            path = self.world.folder / f"{site}.yml"
            path.write_text(self.texts[site][state], encoding="utf-8")
            if state == "b" or self.at:
                self.world.attest_all(site)

    def look(self) -> dict[str, Picture]:
        return {site: look(self.world, site).picture for site in self.sites}

    def round(self, killer: Killer) -> Round:
        """An apply to the other state while workers are killed."""
        goal = "b" if self.at == "a" else "a"
        self.declare(goal)
        runs, marks, kills = {each.run for each in runs_of(self.world.state)}, self._marks(), killer.kills
        allow = ["--allow", f"sites={len(self.sites)}", "--allow", "fleet_percent=100"]
        begin = time.monotonic()
        with killer.at_work():
            ran = apply_durable(self.world.folder.parent, *(allow if len(self.sites) > 10 else []))
        seconds = time.monotonic() - begin
        self.at = goal
        made = self._writes(marks)
        new = [each.run for each in runs_of(self.world.state) if each.run not in runs]
        stories = [read_run(self.world.state, run) for run in new]
        events = [Counter(each.event for each in story) for story in stories]
        wrong = self._troubles(goal)
        if ran.code:
            wrong.append(f"apply: {ran.code} {ran.out[-2000:]} {ran.err[-2000:]}")
        return Round(
            sites=len(self.sites),
            kills=killer.kills - kills,
            seconds=seconds,
            code=ran.code,
            longest=max((_seconds(story) for story in stories if story[-1].event == "end"), default=0.0),
            broken=sum(not each["end"] for each in events),
            resumed=sum(bool(each["resumed"]) for each in events),
            attempts=len(new),
            writes=len(made),
            twice=twice(made),
            wrong=tuple(wrong),
        )

    def _troubles(self, goal: str) -> list[str]:
        """What is not as it shall be on a site."""
        found = []
        for site in self.sites:
            seen = look(self.world, site)
            wanted = self.pictures[goal][site]
            if seen.picture != wanted:
                found += [f"{site}: {each}" for each in wanted.differences(seen.picture)]
            found += [f"{site}: {each}" for each in (*seen.leases, *seen.reverts)]
        found += [f"{each.site}: {each.error}" for each in self.world.plan(*self.sites) if each.error]
        return found

    def _marks(self) -> dict[str, int]:
        lab = self.world.lab
        return {site: len(lab.nvr(site).write_log) for site in self.sites} | {"": len(lab.portal.write_log)}

    def _writes(self, marks: dict[str, int]) -> tuple[Wrote, ...]:
        """Of all recorders and the portal; a recorder's with its site in front."""
        lab = self.world.lab
        made = [Wrote(str(each.path), *each.content) for each in lab.portal.write_log[marks[""] :]]
        for site in self.sites:
            log = lab.nvr(site).write_log[marks[site] :]
            made += [Wrote(f"{site} {each.path}", each.before, each.after) for each in log]
        return tuple(made)


def _seconds(story: tuple[Record, ...]) -> float:
    first, last = (datetime.fromisoformat(story[at].at) for at in (0, -1))
    return (last - first).total_seconds()


def killed(
    fleet: KilledFleet, killer: Killer, told: Callable[[Round], None] = lambda _: None
) -> tuple[Round, ...]:
    """Rounds until all kills are made."""
    rounds = []
    while killer.kills < killer.budget:
        rounds.append(fleet.round(killer))
        told(rounds[-1])
    return tuple(rounds)
