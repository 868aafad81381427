"""A camera's rule is replaced by add and remove: whatever is cut or killed in between, it is mended, and never gone.

Kills happen after the n-th change that went over the line; cuts are faults of the lab's camera, of which the tool hears
nothing but a lost answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ivn_provision.lab.camera.book import Book, Configuration, Rule
from ivn_provision.plan.plan import Action, Change
from ivn_provision.run.guards import OnFailure
from ivn_provision.run.resuming import Way
from ivn_provision.transports.vapix import Asked, VapixLink, VapixReply
from tests.support.broken_runs import SITE, Killed, resume
from tests.support.world import World, run_id, started

CAMERA = "camera-10"
OURS = "ivn-provision: "
PROFILES = ("5.50", "10.12", "11.11", "12.9")
OLD, NEW = 'subject: "Input 1 of lab-0001"', 'subject: "Input 1, changed"'
ONLY = (f"{CAMERA}/*",)


@pytest.fixture(params=PROFILES)
def edited(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A camera as declared, with a rule of somebody else's, and another subject declared now."""
    with started(tmp_path, axis=request.param, alone=True) as world:
        (outcome,) = world.apply(SITE, targets=ONLY)
        assert outcome.error is None, outcome.error
        world.lab.tamper(SITE, f"{CAMERA}/rule", "By hand", {"input": "1"})
        world.edit(SITE, OLD, NEW)
        yield world


def book(world: World) -> Book:
    return world.lab.camera(SITE, CAMERA).book


def rules(world: World) -> list[Rule]:
    return [each for each in book(world).rules.values() if each.name.startswith(OURS)]


def configurations(world: World) -> list[Configuration]:
    return [each for each in book(world).configurations.values() if each.name.startswith(OURS)]


def strangers(world: World) -> list[Rule | Configuration]:
    kept: list[Rule | Configuration] = [
        *book(world).rules.values(),
        *book(world).configurations.values(),
    ]
    return [each for each in kept if not each.name.startswith(OURS)]


def removals(world: World) -> list[Change]:
    (outcome,) = world.plan(SITE)
    assert outcome.plan is not None
    return [each for each in outcome.plan.changes if each.address.kind == "action_rule" and not each.manual]


@contextmanager
def killed_after_writes(number: int) -> Iterator[None]:
    """The process ends when the camera has answered so many changes. The product is not changed for this."""
    ask, count = VapixLink.ask, 0

    def counted(self: VapixLink, asked: Asked) -> VapixReply:
        nonlocal count
        reply = ask(self, asked)
        count += asked.writes
        if count == number and asked.writes:
            raise Killed
        return reply

    VapixLink.ask = counted  # type: ignore[method-assign]
    try:
        yield
    finally:
        VapixLink.ask = ask  # type: ignore[method-assign]


def assert_mended(world: World, subject: str) -> None:
    """One rule and one configuration of ours, as they should be; and the next apply writes nothing."""
    (rule,), (configuration,) = rules(world), configurations(world)
    assert rule.action == configuration.id
    assert configuration.parameters["subject"] == subject
    writes = world.lab.camera(SITE, CAMERA).counters.writes
    (outcome,) = world.apply(SITE, targets=ONLY)
    assert outcome.error is None, outcome.error
    assert world.lab.camera(SITE, CAMERA).counters.writes == writes


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_run_that_was_killed_is_finished_by_resume(edited: World, number: int) -> None:
    before = strangers(edited)
    with pytest.raises(Killed), killed_after_writes(number):
        edited.apply(SITE, targets=ONLY)
    run = run_id(edited.runs)
    assert rules(edited), "there is always a rule"
    outcome = resume(edited, run)
    assert outcome.error is None, outcome.error
    assert not outcome.reverted
    assert strangers(edited) == before
    assert_mended(edited, "Input 1, changed")


@pytest.mark.parametrize("number", [1, 3])
def test_a_run_that_was_killed_is_reverted_by_resume(edited: World, number: int) -> None:
    before = strangers(edited)
    with pytest.raises(Killed), killed_after_writes(number):
        edited.apply(SITE, targets=ONLY)
    outcome = resume(edited, run_id(edited.runs), Way.REVERT)
    assert outcome.error is None, outcome.error
    assert outcome.reverted
    assert strangers(edited) == before
    edited.edit(SITE, NEW, OLD)
    assert_mended(edited, "Input 1 of lab-0001")


@pytest.mark.parametrize("number", [0, 1, 2, 3])
@pytest.mark.parametrize("edited", ["12.9"], indirect=True)
def test_what_a_cut_line_left_is_mended_by_the_next_apply(edited: World, number: int) -> None:
    before, fault = strangers(edited), f"cut-after-writes={number}"
    edited.lab.fault(f"{SITE}/{CAMERA}", fault)
    (outcome,) = edited.apply(SITE, targets=ONLY, on_failure=OnFailure.STOP)
    assert outcome.error is not None
    assert rules(edited), "there is always a rule"
    edited.lab.fault(f"{SITE}/{CAMERA}", fault, on=False)
    doubles = [each for each in removals(edited) if each.action is Action.DELETE]
    assert len(doubles) == (number == 2), "the new rule is there, and the old one not gone yet"
    assert all("the other one stays" in each.reason for each in doubles)
    (outcome,) = edited.apply(SITE, targets=ONLY)
    assert outcome.error is None, outcome.error
    assert strangers(edited) == before
    assert_mended(edited, "Input 1, changed")


@pytest.mark.parametrize("edited", ["5.50"], indirect=True)
@pytest.mark.parametrize("fault", ["cut-before-rule", "cut-after-rule", "cut-before-remove", "lose-write=1"])
def test_a_lost_answer_is_put_back_or_found_to_be_done(edited: World, fault: str) -> None:
    """By default what fails is put back; what the lost answer would have said is found out by reading."""
    edited.lab.fault(f"{SITE}/{CAMERA}", fault)
    (outcome,) = edited.apply(SITE, targets=ONLY)
    edited.lab.fault(f"{SITE}/{CAMERA}", fault, on=False)
    assert rules(edited), "there is always a rule"
    assert outcome.error is not None
    edited.apply(SITE, targets=ONLY)
    assert_mended(edited, "Input 1, changed")


@pytest.mark.parametrize("edited", ["11.11"], indirect=True)
def test_a_camera_that_refuses_the_login_half_way(edited: World) -> None:
    edited.lab.fault(f"{SITE}/{CAMERA}", "http-401-after-writes=2")
    (outcome,) = edited.apply(SITE, targets=ONLY)
    assert outcome.error is not None
    assert "account" in f"{outcome.error.summary} {outcome.error.next_step}"
    edited.lab.fault(f"{SITE}/{CAMERA}", "http-401-after-writes=2", on=False)
    edited.apply(SITE, targets=ONLY)
    assert_mended(edited, "Input 1, changed")
