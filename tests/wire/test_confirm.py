"""`confirm` keeps what is proven, and nothing else: not what broke off, is still going on, or has gone back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ivn_provision.errors import PartlyApplied, PlanError
from ivn_provision.run.engine import SiteOutcome
from ivn_provision.run.events import Step
from ivn_provision.run.holding import WAITS
from tests.support.broken_runs import (
    SITE,
    WITHIN,
    Hook,
    apply_with,
    at_record,
    confirm,
    edit_both,
    elsewhere,
    files_of,
    held,
    killed_after,
    later,
    plan_of,
    records,
    resume,
    standing,
    when_over,
    writes,
)
from tests.support.world import World


@pytest.fixture
def edited(world: World) -> World:
    """A site as declared, and a change for each target that nobody has applied yet."""
    assert world.apply(SITE)[0].error is None
    edit_both(world)
    return world


def assert_refused(outcome: SiteOutcome, *words: str) -> None:
    assert isinstance(outcome.error, PlanError), outcome.error
    for each in words:
        assert each in outcome.error.summary + outcome.error.next_step


def waiting(world: World) -> str:
    """A run that is written and proven, and waits for a person."""
    (outcome,) = world.apply(SITE, confirm_within=WITHIN, hold=True)
    assert outcome.error is None, outcome.error
    reverts = [each for facts in plan_of(world).facts for each in facts.holding.reverts]
    assert [(each.state, each.due_at) for each in reverts] == [("armed", outcome.pending_until)]
    return outcome.run


def test_a_run_that_was_killed_before_its_proof_is_not_confirmed_here_or_elsewhere(edited: World) -> None:
    run = killed_after(edited, "done", confirm_within=WITHIN)
    before = held(edited)
    assert before == {"nvr": f"{run}-{SITE}", "portal": f"{run}-{SITE}", "reverts": "armed"}
    assert_refused(confirm(edited), f"run {run} is not proven", f"resume {run}")
    assert_refused(confirm(elsewhere(edited)), f"run {run} does not wait", "broke off")
    assert held(edited) == before, "nothing was given back"
    assert records(edited, run, "confirmed") == []
    later(edited)
    edit_both(edited, back=True)
    assert plan_of(edited).is_empty, "the recorder went back, as nobody confirmed"


def test_a_run_that_is_still_going_on_is_not_confirmed_from_elsewhere(edited: World) -> None:
    said: list[SiteOutcome] = []
    seen: list[dict[str, str]] = []

    def another_person() -> None:
        said.append(confirm(elsewhere(edited)))
        seen.append(held(edited))

    outcome = apply_with(edited, Hook(Step.WRITTEN, another_person, "nvr"), confirm_within=WITHIN)
    assert outcome.error is None, outcome.error
    assert_refused(said[0], "it is still going on")
    assert seen[0].keys() == {"nvr", "portal", "reverts"}
    assert seen[0]["reverts"] == "armed"
    assert plan_of(edited).is_empty


def test_a_run_that_waits_is_confirmed_from_elsewhere_and_ended_here_without_a_write(edited: World) -> None:
    run = waiting(edited)
    owners = [each.holding.lease.owner for each in plan_of(edited).facts if each.holding.lease is not None]
    assert owners == [f"test@here{WAITS}"] * 2
    there = confirm(elsewhere(edited))
    assert there.error is None, there.error
    assert there.run == run
    assert held(edited) == {}
    assert standing(edited, run) == "pending", "this machine was not told"
    edited.edit(SITE, "label: Gate\n", "label: Gate B\n")
    before = writes(edited)
    outcome = resume(edited, run)
    assert outcome.error is None, outcome.error
    assert not outcome.reverted
    assert standing(edited, run) == "applied"
    assert writes(edited) == before, "neither the run nor the new site file was written"
    assert when_over(edited).keys() == {"nvr/camera/11 name"}


def test_after_the_recorder_went_off_it_is_too_late(edited: World) -> None:
    def somebody_saves() -> None:
        edited.lab.tamper(SITE, "camera", "11", {"label": "By hand"})

    went_off(edited, lambda: None, "reverted", "has put the earlier state back")
    fault = "service-start-fails"
    went_off(
        edited,
        lambda: edited.lab.fault(SITE, fault),
        "failed",
        "tried to put the earlier state back, and failed",
        lambda: edited.lab.fault(SITE, fault, on=False),
    )
    went_off(edited, somebody_saves, "left", "left what somebody changed since")
    edit_both(edited, back=True)
    assert when_over(edited) == {"nvr/camera/11 name": ("11 By hand", "11 Gate")}


def went_off(
    world: World, before: Callable[[], None], state: str, words: str, after: Callable[[], None] = lambda: None
) -> None:
    """A run that waits, whose recorder goes off so: it is not confirmed, nothing is given back, resume reverts it."""
    run = waiting(world)
    before()
    later(world)
    after()
    kept = held(world)
    assert kept["reverts"] == state
    assert "portal" in kept
    assert_refused(confirm(world), "too late", words, f"resume {run}")
    assert_refused(confirm(elsewhere(world)), "too late", words)
    assert held(world) == kept
    assert standing(world, run) == "pending"
    outcome = resume(world, run)
    assert outcome.error is None, outcome.error
    assert outcome.reverted
    assert standing(world, run) == "reverted"
    changed = when_over(world)
    assert changed["nvr/camera/10 name"] == ("10 Main Entrance", "10 Front Door")
    assert changed["portal/site entry_delay_seconds"] == (45, 10)


@pytest.mark.parametrize("hold", [False, True])
def test_the_recorder_goes_off_between_the_proof_and_the_end(edited: World, hold: bool) -> None:
    """The run ends by itself, or is about to wait for a person: what is gone is not called applied or pending."""
    outcome = apply_with(edited, Hook(Step.PROVEN, lambda: later(edited)), confirm_within=WITHIN, hold=hold)
    assert isinstance(outcome.error, PartlyApplied), outcome.error
    assert "put the earlier state back by itself" in outcome.error.summary
    assert outcome.reverted
    assert not outcome.outcomes
    assert not outcome.pending_until
    assert standing(edited, outcome.run) == "reverted"
    edit_both(edited, back=True)
    assert when_over(edited) == {}, "the portal went back too"


def test_the_recorder_goes_off_while_a_person_confirms(edited: World) -> None:
    run = waiting(edited)
    with at_record("confirmed", lambda: later(edited)):
        outcome = confirm(edited)
    assert_refused(outcome, "too late", f"resume {run}")
    assert standing(edited, run) == "pending"
    assert held(edited) == {"portal": f"{run}-{SITE}", "reverts": "reverted"}
    outcome = resume(edited, run)
    assert outcome.error is None, outcome.error
    assert outcome.reverted
    edit_both(edited, back=True)
    assert when_over(edited) == {}


def test_confirmed_here_it_stays_and_is_over(edited: World) -> None:
    """The recorder's clock is five minutes ahead: it is the one that counts, and that is shown."""
    edited.lab.nvr(SITE).windows.system.clock_offset_seconds += 300
    run = waiting(edited)
    outcome = confirm(edited)
    assert outcome.error is None, outcome.error
    assert standing(edited, run) == "applied"
    journals = files_of(edited.state.path / "runs")
    assert_refused(confirm(edited), f"nothing is pending on {SITE}")
    assert files_of(edited.state.path / "runs") == journals
    assert when_over(edited) == {}
