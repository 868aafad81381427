"""Accounts on a camera: a password that the declared one does not open is set anew, by the tool and without a person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.world import World, started

SITE, CAMERA = "lab-0001", "camera-10"
ONLY = (f"{CAMERA}/*",)
USERS = '      users: [{name: guard, role: %s, password: !secret "file:../lab/secrets/%s"}]\n'
RULES = "      action_rules:\n"


@pytest.fixture(params=["5.50", "11.11"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A camera with a declared viewer."""
    with started(tmp_path, axis=request.param, alone=True) as running:
        running.edit(SITE, RULES, USERS % ("viewer", f"{SITE}-ivnview") + RULES)
        (outcome,) = running.apply(SITE, targets=ONLY)
        assert outcome.error is None, outcome.error
        yield running


def changes(world: World) -> list[tuple[str, list[str], bool]]:
    (outcome,) = world.plan(SITE)
    assert outcome.plan is not None
    found = [each for each in outcome.plan.changes if each.address.target == CAMERA]
    return [(each.address.kind, [field.name for field in each.fields], each.workable) for each in found]


def assert_set(world: World) -> None:
    (outcome,) = world.apply(SITE, targets=ONLY)
    assert outcome.error is None, outcome.error
    writes = world.lab.camera(SITE, CAMERA).counters.writes
    assert changes(world) == []
    (outcome,) = world.apply(SITE, targets=ONLY)
    assert world.lab.camera(SITE, CAMERA).counters.writes == writes


def test_another_password_is_declared(world: World) -> None:
    world.attest = False
    assert changes(world) == []
    world.edit(SITE, f'secrets/{SITE}-ivnview"}}]', f'secrets/{SITE}-smtp"}}]')
    assert changes(world) == [("axis_user", ["password"], True)]
    assert_set(world)


def test_somebody_changes_role_and_password_on_the_camera(world: World) -> None:
    world.attest = False
    world.lab.tamper(SITE, f"{CAMERA}/user", "guard", {"password": "theirs", "groups": "operator:viewer"})
    assert changes(world) == [("axis_user", ["role", "password"], True)]
    assert_set(world)


def test_a_wrong_password_is_tried_once_in_a_run(world: World) -> None:
    """By the plan, and not again by the proof: a camera may lock an account out."""
    world.attest = False
    world.lab.tamper(SITE, f"{CAMERA}/user", "guard", {"password": "theirs"})
    world.edit(SITE, RULES, "      io_ports: [{port: 1, name: Gate}]\n" + RULES)
    counters = world.lab.camera(SITE, CAMERA).counters
    before, writes = counters.authentication_failures, counters.writes
    world.apply(SITE, targets=(f"{CAMERA}/io_port/*",))
    assert counters.writes > writes
    assert counters.authentication_failures == before + 1


def test_an_account_that_nobody_declares_is_listed_by_its_name(world: World) -> None:
    world.lab.tamper(SITE, f"{CAMERA}/user", "stranger", {"password": "theirs", "groups": "viewer"})
    (outcome,) = world.plan(SITE)
    assert outcome.plan is not None
    assert [each.title for each in outcome.plan.foreign if each.address.kind == "axis_user"] == ["stranger"]
