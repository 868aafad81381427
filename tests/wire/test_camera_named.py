"""Errors of a camera say which camera: a site has many, and an address says little to who stands below it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ivn_provision.run.checking import check_sites
from ivn_provision.run.engine import plan_sites
from ivn_provision.run.guards import OnFailure
from ivn_provision.verify.result import State
from tests.support.broken_runs import SITE
from tests.support.command import ivn_here
from tests.support.world import Events, World, started

CAMERA = f"{SITE}/camera-10"
ONLY = ("camera-10/*",)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with started(tmp_path, axis="12.9") as world:
        yield world


def test_a_dead_camera_is_named_by_plan_and_check(world: World) -> None:
    world.lab.camera(SITE, 10).fault("dead")
    (planned,) = plan_sites((world.site(SITE),), world.opener(), Events())
    assert planned.error is not None
    assert planned.error.where.startswith(f"{CAMERA} 127.")
    (checked,) = check_sites((world.site(SITE),), world.opener(), Events())
    assert checked.errors["camera-10"].where.startswith(f"{CAMERA} 127.")
    assert any(each.state is State.PASS for each in checked.results), "the rest was looked at"


def test_what_a_camera_does_not_take_names_the_camera(world: World) -> None:
    world.edit(SITE, "trigger: {input: 1", "trigger: {input: 9")
    (outcome,) = world.apply(SITE, targets=ONLY)
    assert outcome.error is not None
    assert outcome.error.where.startswith(f"{CAMERA} 127.")
    assert "digital input 9" in outcome.error.summary


def test_a_lost_answer_names_the_rule_and_says_once_to_apply_again(world: World) -> None:
    world.apply(SITE, targets=ONLY)
    world.edit(SITE, 'subject: "Input 1 of', 'subject: "Changed, input 1 of')
    world.lab.camera(SITE, 10).fault("cut-before-remove")
    (outcome,) = world.apply(SITE, targets=ONLY, on_failure=OnFailure.STOP)
    assert outcome.error is not None
    assert CAMERA in outcome.error.where
    assert "the old one is still there" in outcome.error.summary
    assert outcome.error.next_step.count("run apply again") == 1


def test_a_dead_camera_does_not_stop_the_rest_of_its_site(world: World) -> None:
    """What `--target` and `--exclude` choose nothing of is not asked, by the plan, the apply and its proof; and said."""
    camera = world.lab.camera(SITE, 10)
    camera.fault("dead")
    before = camera.counters.connections
    for targets, excludes in ((("nvr/*", "portal/*"), ()), ((), ("camera-10/*",))):
        (outcome,) = world.apply(SITE, targets=targets, excludes=excludes)
        assert outcome.error is None, outcome.error
        assert outcome.proof is not None
        assert "camera-10 was not asked: nothing of it is chosen" in outcome.proof.notes
    assert camera.counters.connections == before
    (outcome,) = world.apply(SITE, targets=ONLY)
    assert outcome.error is not None


def test_checks_look_at_the_cameras_that_answer(world: World) -> None:
    """One of two is dead: what is declared of the other is judged, and of the dead one nothing passes."""
    path = world.folder / f"{SITE}.yml"
    text = path.read_text("utf-8")
    begin, end = text.index("    axis:\n"), text.index("  - number: 11")
    others = text.index("\nhardware_events:")
    dead = text[begin:end].replace("host: 127.", "host: 127.0.0.254\n        # 127.", 1)
    alive = text[begin:end]
    path.write_text(f"{text[:begin]}{dead}{text[end:others].rstrip()}\n{alive}{text[others:]}", "utf-8")
    world.apply(SITE, targets=("camera-11/*",))
    (checked,) = check_sites((world.site(SITE),), world.opener(), Events())
    found = {(each.state, each.found.evidence) for each in checked.results if each.check == "camera-rules"}
    assert {state for state, _ in found} == {State.INCONCLUSIVE, State.PASS}, found
    assert any("camera-10" in evidence for state, evidence in found if state is State.INCONCLUSIVE)


def test_who_holds_a_site_is_told_though_its_camera_is_dead(world: World, tmp_path: Path) -> None:
    world.lab.camera(SITE, 10).fault("dead")
    ran = ivn_here("status", SITE, "--fleet", str(world.folder), cwd=tmp_path)
    assert (ran.code, ran.out) == (0, f"{SITE}: nothing is pending.\n"), ran.err
