"""An apply with a revert armed is killed, and nobody comes: the recorder goes back by itself, and a later apply does the rest."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from ivn_provision.run.holding import LONGEST_STEPS, SPARE_SECONDS
from ivn_provision.run.journal import Record, standing_of
from ivn_provision.run.story import ENDED
from tests.support.crash import SITE, Crashes, Ending, last_of
from tests.support.crash_child import NOWHERE, Point, label
from tests.support.crash_picture import Seen
from tests.support.crash_writes import mark, twice, writes
from tests.support.world import World

WITHIN = 120
_IDLE_SECONDS = 0.3
_LONGEST = 20.0


@contextmanager
def past_due(world: World, seconds: int = WITHIN + 30) -> Iterator[None]:
    """The recorder's clock is so much later meanwhile; scheduled tasks that are due have run."""
    machine = world.lab.nvr(SITE).windows
    waiting = {each.name for each in machine.tasks.all()}
    machine.system.clock_offset_seconds += seconds
    try:
        end = time.monotonic() + _LONGEST
        while not waiting <= set(machine.tasks.ran):
            assert time.monotonic() < end, f"{waiting} did not run"
            time.sleep(0.02)
        yield
    finally:
        machine.system.clock_offset_seconds -= seconds


def unattended(crashes: Crashes, kill: Point, kill_after: float | None = None) -> Ending:
    """The ending says what became of the recorder left alone; then the old site file is applied, as if nothing had been.

    It is `new` only where the revert had been disarmed before the kill.
    """
    world = crashes.world
    old, goal, run = crashes.next_run()
    crashes.at = ""
    since, before = mark(world, SITE), crashes.recorder_bytes()
    job = replace(crashes.job(run), confirm_within=WITHIN, kill=kill, kill_after=kill_after)
    crashes.forks.run(job)
    records = crashes.records(run)
    with past_due(world, _seconds(crashes, job.deadline_seconds, settled=kill != NOWHERE)):
        alone = crashes.look()
        state = _state(crashes, alone, old, goal, records, same=crashes.recorder_bytes() == before)
    other = [f"{each}: it must run" for each in alone.picture.services if not each.endswith(": Running")]
    other += [f"left alone, {each}" for each in alone.leases if each.startswith("nvr")]
    other += _applied_again(crashes, old, run)
    return Ending(
        last_of(records),
        state,
        standing_of(records, SITE),
        twice=twice(writes(world, SITE, since)),
        leases=crashes.look().leases,
        other=tuple(other),
    )


def _seconds(crashes: Crashes, deadline: float, *, settled: bool) -> int:
    """Past the revert; or, where none was armed, past the end of the lease."""
    machine = crashes.world.lab.nvr(SITE).windows
    if not settled:  # a request may still be on its way
        time.sleep(_IDLE_SECONDS)
        with machine.agent_lock:
            pass
    lease = WITHIN + int(LONGEST_STEPS * deadline) + SPARE_SECONDS
    return 30 + (WITHIN if machine.tasks.all() else lease)


def _state(
    crashes: Crashes, seen: Seen, old: str, goal: str, records: tuple[Record, ...], *, same: bool
) -> str:
    """Of the recorder alone."""
    if same and seen.picture.recorder == crashes.pictures[old].recorder:
        return "old"
    disarmed = any(label(each.event, each.data) == "release nvr" for each in records)
    return "new" if disarmed and seen.picture.recorder == crashes.pictures[goal].recorder else "neither"


def _applied_again(crashes: Crashes, old: str, run: str) -> list[str]:
    """The old site file, by a plain apply: the portal is old too then, and the dead run is over."""
    crashes.declare(old)
    (outcome,) = crashes.world.apply(SITE)
    if outcome.error is not None:
        return [f"the next apply: {outcome.error}"]
    seen, records = crashes.look(), crashes.records(run)
    found = [*crashes.pictures[old].differences(seen.picture), *seen.reverts]
    held = {each.data["target"] for each in records if each.event == "held"}
    given = {each.data["target"] for each in records if each.event == "release"}
    if held - given and standing_of(records, SITE) not in ENDED:
        found.append(f"run {run} is {standing_of(records, SITE)} by its journal")
    if not found:
        crashes.at = old
    return found
