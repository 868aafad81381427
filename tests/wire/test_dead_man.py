"""A revert that fires by itself: the tool dies, the network is cut, or nobody confirms."""

from __future__ import annotations

import pytest

from ivn_provision.errors import LeaseHeld, PlanError
from ivn_provision.plan.plan import SitePlan
from ivn_provision.run.confirming import confirm_sites
from ivn_provision.run.engine import SiteOutcome, apply_sites
from ivn_provision.run.events import Event, Step
from ivn_provision.run.journal import Journal, read_run
from ivn_provision.run.resuming import resume_sites
from ivn_provision.run.standing import standings_of
from ivn_provision.run.story import story_of
from tests.support.crash import SITE, killed_after
from tests.support.crash_child import Point
from tests.support.crash_unattended import WITHIN, past_due
from tests.support.world import Events, World, utc_now


@pytest.fixture
def applied(world: World) -> World:
    assert world.apply(SITE)[0].error is None
    return world


def other_name(world: World) -> None:
    """A camera's name: one write on the recorder. The portal's part is a pin's label."""
    world.edit(SITE, "label: Main Entrance", "label: Front Door")


def later(world: World) -> None:
    """The recorder's clock goes on, past the time of the revert, and back."""
    with past_due(world):
        pass


def plan_of(world: World) -> SitePlan:
    (outcome,) = world.plan(SITE)
    assert outcome.plan is not None, outcome.error
    return outcome.plan


def confirm(world: World) -> SiteOutcome:
    (outcome,) = confirm_sites([world.site(SITE)], world.opener(), Events(), world.guards())
    return outcome


def resume(world: World, run: str) -> SiteOutcome:
    opener = world.opener()
    opener.run_id = run
    journal = Journal.reopen(world.state, run, utc_now)
    try:
        (outcome,) = resume_sites([world.site(SITE)], opener, Events(), world.guards(), journal)
    finally:
        journal.close()
    return outcome


def test_after_a_proof_it_is_disarmed(applied: World) -> None:
    other_name(applied)
    (outcome,) = applied.apply(SITE, confirm_within=WITHIN)
    assert outcome.error is None, outcome.error
    assert applied.lab.nvr(SITE).windows.tasks.all() == []
    written = applied.lab.nvr(SITE).configuration_path.read_bytes()
    later(applied)
    assert applied.lab.nvr(SITE).configuration_path.read_bytes() == written
    assert plan_of(applied).is_empty


def test_the_tool_dies_and_the_recorder_puts_its_files_back(applied: World) -> None:
    before = applied.lab.nvr(SITE).configuration_path.read_bytes()
    other_name(applied)
    world = applied
    run = "20261124T101010Z-deadbeef"
    killed_after(world, Point(1, "done nvr"), run, confirm_within=WITHIN)
    assert world.lab.nvr(SITE).configuration_path.read_bytes() != before
    (waiting,) = world.lab.nvr(SITE).windows.tasks.all()
    assert waiting.name.startswith("ivn-provision-revert-")
    later(world)
    assert world.lab.nvr(SITE).configuration_path.read_bytes() == before
    assert {each.state for each in world.lab.nvr(SITE).windows.services()} == {"Running"}
    outcome = resume(world, run)
    assert outcome.error is None, outcome.error
    assert outcome.reverted, "the recorder went back, so the rest does too"
    assert world.lab.nvr(SITE).configuration_path.read_bytes() == before
    assert story_of(read_run(world.state, run), SITE).standing == "reverted"


def test_the_change_cuts_the_network(applied: World) -> None:
    """The proof cannot be read any more, and neither can the way back be asked for."""
    before = applied.lab.nvr(SITE).configuration_path.read_bytes()
    other_name(applied)

    class Cut:
        def notify(self, event: Event) -> None:
            if event.step is Step.PROVING:
                applied.lab.fault(SITE, "http_500")

    guards = applied.guards(confirm_within=WITHIN)
    (outcome,) = apply_sites([applied.site(SITE)], applied.opener(3.0), Cut(), guards=guards)
    assert outcome.error is not None
    assert "could not be read" in outcome.error.summary
    later(applied)
    assert applied.lab.nvr(SITE).configuration_path.read_bytes() == before
    applied.lab.fault(SITE, "http_500", on=False)
    ended = resume(applied, outcome.run)
    assert ended.error is None, ended.error
    assert ended.reverted
    assert not any(each.holding.lease for each in plan_of(applied).facts)


def test_held_until_a_person_confirms(applied: World) -> None:
    other_name(applied)
    (outcome,) = applied.apply(SITE, confirm_within=WITHIN, hold=True)
    assert outcome.error is None, outcome.error
    assert outcome.pending_until
    (standing,) = standings_of([plan_of(applied)], applied.state)
    assert standing.is_pending
    assert [each.state for each in standing.reverts] == ["armed"]
    assert [word for _, word in standing.runs] == ["pending"]
    (second,) = applied.apply(SITE)
    assert isinstance(second.error, LeaseHeld), "another writer waits"
    assert f"confirm {SITE}" in second.error.next_step
    assert f"resume {outcome.run} --revert" in second.error.next_step
    assert confirm(applied).error is None
    (standing,) = standings_of([plan_of(applied)], applied.state)
    assert not standing.is_pending
    later(applied)
    assert plan_of(applied).is_empty


def test_nobody_confirms(applied: World) -> None:
    before = applied.lab.nvr(SITE).configuration_path.read_bytes()
    other_name(applied)
    (outcome,) = applied.apply(SITE, confirm_within=WITHIN, hold=True)
    later(applied)
    assert applied.lab.nvr(SITE).configuration_path.read_bytes() == before
    late = confirm(applied)
    assert isinstance(late.error, PlanError)
    ended = resume(applied, outcome.run)
    assert ended.error is None, ended.error
    assert ended.reverted


def test_what_a_person_saved_meanwhile_is_not_overwritten(applied: World) -> None:
    other_name(applied)
    assert applied.apply(SITE, confirm_within=WITHIN, hold=True)[0].error is None
    applied.lab.tamper(SITE, "camera", "11", {"name": "11 By hand"})
    saved = applied.lab.nvr(SITE).configuration_path.read_bytes()
    later(applied)
    assert applied.lab.nvr(SITE).configuration_path.read_bytes() == saved
    (standing,) = standings_of([plan_of(applied)], applied.state)
    assert [each.state for each in standing.reverts] == ["left"]
