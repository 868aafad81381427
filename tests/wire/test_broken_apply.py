"""An apply that breaks off: what was done is said, what is there is looked at, nothing of others is lost."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ivn_provision.errors import PartlyApplied, Refused
from ivn_provision.run.engine import SiteOutcome, apply_sites
from ivn_provision.run.events import Event, Step
from ivn_provision.run.guards import OnFailure
from tests.support.world import World

SITE = "lab-0001"


@contextmanager
def taken(host: str, port: int) -> Iterator[None]:
    """A port that another program listens on."""
    with socket.create_server((host, port)):
        yield


class Disturber:
    """Does something to the lab when the engine reaches a step for the nth time."""

    def __init__(self, world: World, step: Step, target: str, what: str, *, after: int = 1) -> None:
        self.world, self.step, self.target, self.what, self.left = world, step, target, what, after

    def notify(self, event: Event) -> None:
        if event.step is not self.step or event.target != self.target:
            return
        self.left -= 1
        if self.left == 0:
            place, _, fault = self.what.partition(" ")
            self.world.lab.fault(place, fault)


def apply(world: World, observer: Disturber, deadline: float = 3.0, **options: Any) -> SiteOutcome:
    (outcome,) = apply_sites(
        [world.site(SITE)], world.opener(deadline), observer, guards=world.guards(**options)
    )
    return outcome


def test_a_pin_that_gets_another_number_is_one_apply(world: World) -> None:
    """Two writes on the recorder (make, later remove), each with a backup of its own."""
    assert world.apply(SITE)[0].error is None
    world.edit(SITE, "generic_events:\n  - {pin: 2,", "generic_events:\n  - {pin: 4,")
    world.edit(SITE, "{pin: 2, source: soft,", "{pin: 4, source: soft,")
    (outcome,) = world.apply(SITE)
    assert outcome.error is None, outcome.error
    assert outcome.proof is not None
    assert outcome.proof.is_empty


def test_the_portal_is_done_and_the_recorder_is_cut_off(world: World) -> None:
    outcome = apply(world, Disturber(world, Step.WRITING, "nvr", f"{SITE} http_500"))
    assert isinstance(outcome.error, PartlyApplied)
    assert outcome.error.exit_code == 3
    done = {str(each.address) for each in outcome.outcomes if each.status == "done"}
    assert "lab-0001/portal/device" in done
    assert "lab-0001/nvr/camera/10" not in done
    assert {each.status for each in outcome.outcomes} == {"done", "unknown"}
    world.lab.fault(SITE, "http_500", on=False)
    again = world.apply(SITE)[0]
    assert again.error is None, again.error


def test_a_write_whose_answer_is_lost_is_looked_at_again(world: World) -> None:
    """The recorder writes and never answers: nobody knows, so the tool reads and finds out."""
    assert world.apply(SITE)[0].error is None
    world.lab.tamper(SITE, "camera", "10", {"label": "Other"})
    writes = world.lab.nvr(SITE).counters.file_writes
    outcome = apply(
        world, Disturber(world, Step.WRITING, "nvr", f"{SITE} hang_receive"), on_failure=OnFailure.STOP
    )
    assert isinstance(outcome.error, PartlyApplied)
    assert "not known" in outcome.error.summary
    world.lab.fault(SITE, "hang_receive", on=False)
    assert world.lab.nvr(SITE).counters.file_writes == writes + 1
    assert world.apply(SITE)[0].error is None


def test_a_portal_that_fails_in_the_middle_is_said(world: World) -> None:
    before = world.lab.nvr(SITE).configuration_path.read_bytes()
    outcome = apply(world, Disturber(world, Step.WRITTEN, "nvr", "portal http_500"))
    assert isinstance(outcome.error, PartlyApplied)
    assert world.lab.nvr(SITE).counters.file_writes == 2, "written, and put back"
    assert world.lab.nvr(SITE).configuration_path.read_bytes() == before
    world.lab.fault("portal", "http_500", on=False)
    assert world.apply(SITE)[0].error is None


def test_a_portal_that_committed_and_broke_off_is_put_back_at_once(world: World) -> None:
    """The way back reads the portal anew: what was read before the write is not true any more."""
    assert world.apply(SITE)[0].error is None
    world.edit(SITE, "generic_events:\n  - {pin: 2,", "generic_events:\n  - {pin: 4,")
    world.edit(SITE, "{pin: 2, source: soft,", "{pin: 4, source: soft,")
    outcome = apply(world, Disturber(world, Step.WRITING, "portal", "portal http_500_after_commit-once"))
    assert isinstance(outcome.error, PartlyApplied)
    assert outcome.reverted, outcome.error
    world.edit(SITE, "generic_events:\n  - {pin: 4,", "generic_events:\n  - {pin: 2,")
    world.edit(SITE, "{pin: 4, source: soft,", "{pin: 2, source: soft,")
    assert (plan := world.plan(SITE)[0].plan) is not None
    assert plan.is_empty


def test_a_technician_between_two_writes_is_not_overwritten(world: World) -> None:
    """The second batch reads again and compares with what the plan saw."""
    assert world.apply(SITE)[0].error is None
    world.edit(SITE, "generic_events:\n  - {pin: 2,", "generic_events:\n  - {pin: 4,")
    world.edit(SITE, "{pin: 2, source: soft,", "{pin: 4, source: soft,")

    class Technician:
        def notify(self, event: Event) -> None:
            if event.step is Step.WRITTEN and event.target == "portal":
                world.lab.tamper(SITE, "generic_event", "2", {"substring": "MINE"})

    (outcome,) = apply_sites([world.site(SITE)], world.opener(), Technician(), guards=world.guards())
    assert isinstance(outcome.error, PartlyApplied)
    assert b"MINE" in world.lab.nvr(SITE).configuration_path.read_bytes()


def test_services_that_do_not_start_with_the_change_undo_it(world: World) -> None:
    """The file is written, the Recording Server cannot start with it: the file of before is put back."""
    assert world.apply(SITE)[0].error is None
    before = world.lab.nvr(SITE).configuration_path.read_bytes()
    world.edit(SITE, "event_server_port: 1234", f"event_server_port: {world.lab.mail_port}")
    with taken(world.lab.site(SITE).host, world.lab.mail_port):
        (outcome,) = world.apply(SITE)
    assert isinstance(outcome.error, Refused)
    assert "did not start" in outcome.error.summary
    assert "the recorder is as it was" in outcome.error.summary
    assert world.lab.nvr(SITE).configuration_path.read_bytes() == before
