"""`apply --runner durable`: workers in other processes, killed at random; queues by network; what the database holds."""

from __future__ import annotations

from pathlib import Path

from tests.support.fleet_kills import KilledFleet, killed
from tests.support.fleet_workers import Killer
from tests.support.world import started


def test_killed_workers_end_every_site_and_no_write_is_made_twice(tmp_path: Path) -> None:
    """A few kills; `scripts/make-durable-table` does 50 over 40 sites (docs/reference/killed-workers.md)."""
    with started(tmp_path, count=2) as world:
        fleet = KilledFleet(world, tuple(f"lab-{number:04}" for number in range(1, 3)))
        fleet.begin()
        killer = Killer(
            tmp_path, {"east-1": "east", "west-1": "west"}, budget=3, longest=0.4, seed=7, event="intent"
        )
        rounds = killed(fleet, killer)
    assert (killer.kills, killer.busy) == (3, 3)
    assert [(each.wrong, each.twice) for each in rounds] == [((), ())] * len(rounds)
