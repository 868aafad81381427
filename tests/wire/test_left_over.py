"""What a broken run left is ended by the next apply where it was made; elsewhere it is said, never passed over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ivn_provision.errors import LeaseHeld, PartlyApplied, PersonNeeded
from ivn_provision.run.events import Step
from tests.support.broken_runs import (
    SITE,
    WITHIN,
    Hook,
    apply_with,
    differences,
    edit_both,
    elsewhere,
    held,
    killed_after,
    later,
    plan_of,
    records,
    standing,
    when_over,
    writes,
)
from tests.support.world import Hands, World, run_id, started

LEASE = r"C:\ProgramData\ivn-provision\lease.json"
DAY = 86_400
LASTING = 3600
"""Seconds after which every lease of these tests is over."""


@pytest.fixture
def edited(world: World) -> World:
    """A site as declared, and a change for each target that nobody has applied yet."""
    assert world.apply(SITE)[0].error is None
    edit_both(world)
    return world


@dataclass
class Timed:
    """The same by a clock that the test moves: leases end, and what is armed goes off."""

    world: World
    clock: Hands

    def gone_off(self, seconds: int) -> None:
        """The clock goes on, and the recorder goes back."""
        self.clock.move(seconds)
        tasks = self.world.lab.nvr(SITE).windows.tasks
        end = time.monotonic() + 10
        while tasks.all():
            assert time.monotonic() < end, "the recorder did not go back"
            time.sleep(0.02)


@pytest.fixture
def timed(tmp_path: Path) -> Iterator[Timed]:
    clock = Hands()
    with started(tmp_path, clock=clock) as world:
        assert world.apply(SITE)[0].error is None
        edit_both(world)
        yield Timed(world, clock)


def overrides(world: World, run: str) -> list[tuple[str, str]]:
    found = records(world, run, "override")
    return [(str(each.data["kind"]), str(each.data["reason"])) for each in found]


def test_the_next_apply_here_ends_a_run_that_was_killed_after_its_last_write(edited: World) -> None:
    run = killed_after(edited, "proof")
    assert held(edited).keys() == {"nvr", "portal", "reverts"}
    edit_both(edited, back=True)
    assert differences(edited).keys() == {"nvr/camera/10 name", "portal/site entry_delay_seconds"}
    (outcome,) = edited.apply(SITE)
    assert outcome.error is None, outcome.error
    assert outcome.plan is not None
    assert outcome.plan.is_empty, "to end the run was all there was to do"
    assert overrides(edited, run_id(edited.runs)) == [("broken run", f"{run} was ended first")]
    assert standing(edited, run) == "reverted"
    assert held(edited) == {}


def test_elsewhere_a_person_is_needed_and_may_let_it_stay(timed: Timed) -> None:
    run = killed_after(timed.world, "proof")
    there = elsewhere(timed.world)
    edit_both(timed.world, back=True)
    before = writes(timed.world)
    (outcome,) = there.apply(SITE)
    assert isinstance(outcome.error, LeaseHeld), outcome.error
    assert f"test@here writes to {SITE}: run {run}-{SITE}, until 20" in outcome.error.summary
    timed.clock.move(LASTING)
    (outcome,) = there.apply(SITE)
    assert isinstance(outcome.error, PersonNeeded), outcome.error
    assert outcome.error.exit_code == 4
    assert f"run {run} of test@here did not end" in outcome.error.summary
    assert f"ivn-provision resume {run}" in outcome.error.next_step
    assert "--override lease" in outcome.error.next_step
    assert writes(timed.world) == before
    (outcome,) = there.apply(SITE, overrides=frozenset({"lease"}))
    assert outcome.error is None, outcome.error
    assert ("lease", f"{run} of test@here had expired") in overrides(there, outcome.run)
    assert plan_of(timed.world).is_empty
    assert not {"nvr", "portal"} & held(timed.world).keys()


def test_a_release_that_fails_leaves_the_portals_lease_until_the_recorder_went_back(timed: Timed) -> None:
    world, there = timed.world, elsewhere(timed.world)
    cut = Hook(Step.PROVEN, lambda: world.lab.fault(SITE, "http_500"))
    outcome = apply_with(world, cut, confirm_within=WITHIN)
    world.lab.fault(SITE, "http_500", on=False)
    run = f"{outcome.run}-{SITE}"
    assert isinstance(outcome.error, PartlyApplied), outcome.error
    assert "its lease could not be given back" in outcome.error.summary
    assert held(world) == {"nvr": run, "portal": run, "reverts": "armed"}
    timed.gone_off(WITHIN + 30)
    assert held(world) == {"portal": run, "reverts": "reverted"}
    edit_both(world, back=True)
    before = writes(world)
    (other,) = there.apply(SITE)
    assert isinstance(other.error, LeaseHeld), other.error
    assert run in other.error.summary
    timed.clock.move(LASTING)
    (other,) = there.apply(SITE)
    assert isinstance(other.error, PersonNeeded), other.error
    assert outcome.run in other.error.summary
    assert writes(world) == before
    assert differences(world) == {"portal/site entry_delay_seconds": (10, 45)}
    (here,) = world.apply(SITE)
    assert here.error is None, here.error
    assert here.plan is not None
    assert here.plan.is_empty, "the portal went back by ending the run"
    assert standing(world, outcome.run) == "reverted"
    assert held(world) == {}


def test_a_run_that_waited_too_long_is_ended_by_the_next_apply(edited: World) -> None:
    (first,) = edited.apply(SITE, confirm_within=WITHIN, hold=True)
    assert first.error is None, first.error
    later(edited)
    (outcome,) = edited.apply(SITE)
    assert outcome.error is None, outcome.error
    assert overrides(edited, outcome.run) == [("broken run", f"{first.run} was ended first")]
    assert standing(edited, first.run) == "reverted"
    assert when_over(edited) == {}


def test_a_recorder_that_is_armed_without_a_lease_is_not_passed_over(edited: World) -> None:
    """Somebody took the leases away; the recorder would undo what an apply writes now."""
    run = killed_after(edited, "done", confirm_within=WITHIN)
    edited.lab.nvr(SITE).windows.tree.locate(LEASE).unlink()
    portal = edited.opener().writers(edited.site(SITE))["portal"]
    portal.release(f"{run}-{SITE}")
    portal.close()
    assert held(edited) == {"reverts": "armed"}
    before = writes(edited)
    (outcome,) = elsewhere(edited).apply(SITE)
    assert isinstance(outcome.error, PersonNeeded), outcome.error
    assert f"goes back to before run {run} at 20" in outcome.error.summary
    assert f"resume {run}" in outcome.error.next_step
    assert writes(edited) == before
    (outcome,) = edited.apply(SITE)
    assert outcome.error is None, outcome.error
    assert standing(edited, run) == "reverted"
    assert when_over(edited) == {}


def test_one_apply_ends_a_killed_run_on_all_of_its_sites(tmp_path: Path) -> None:
    sites = (SITE, "lab-0002")
    with started(tmp_path, count=2) as world:
        assert [each.error for each in world.apply(*sites)] == [None, None]
        for each in sites:
            edit_both(world, each)
        run = killed_after(world, "done", *sites, target="nvr")
        assert all(held(world, each) for each in sites)
        outcomes = world.apply(*sites)
        assert [each.error for each in outcomes] == [None, None]
        assert overrides(world, outcomes[0].run) == [("broken run", f"{run} was ended first")] * 2
        for each in sites:
            assert standing(world, run, each) == "reverted"
            assert when_over(world, each) == {}


def test_a_lease_that_a_wrong_clock_made_ends_when_the_clock_is_right_again(edited: World) -> None:
    """A lease lasts a week at most: one that ends a year from now is no lease."""
    machine = edited.lab.nvr(SITE).windows
    machine.system.clock_offset_seconds += 400 * DAY
    run = killed_after(edited, "held", target="nvr")
    machine.system.clock_offset_seconds -= 400 * DAY
    (lease,) = [facts.holding.lease for facts in plan_of(edited).facts if facts.holding.lease is not None]
    assert (lease.run, lease.expired) == (f"{run}-{SITE}", True)
    there = elsewhere(edited)
    (outcome,) = there.apply(SITE)
    assert isinstance(outcome.error, PersonNeeded), outcome.error
    assert run in outcome.error.summary
    (outcome,) = there.apply(SITE, overrides=frozenset({"lease"}))
    assert outcome.error is None, outcome.error
    assert when_over(edited) == {}
