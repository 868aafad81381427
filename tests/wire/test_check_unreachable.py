"""A target that does not answer: its checks are inconclusive, and the command does not end as if all was well."""

from __future__ import annotations

import json

from tests.support.command import ivn_here
from tests.support.world import World

SITE = "lab-0001"


def test_a_recorder_that_does_not_answer(world: World) -> None:
    assert world.apply(SITE)[0].error is None
    world.lab.fault(SITE, "reset")
    ran = ivn_here("check", SITE, "--format", "json", "--deadline", "5", cwd=world.folder.parent)
    assert ran.code == 1, ran.out
    assert "error:" in ran.err
    states = {(each["check"], each["state"]) for each in json.loads(ran.out)["checks"]}
    assert ("recorder-clock", "inconclusive") in states
    assert ("event-names", "inconclusive") in states
    assert ("portal-pins", "pass") in states
    assert not [check for check, state in states if state == "fail"]


def test_a_portal_that_does_not_answer(world: World) -> None:
    assert world.apply(SITE)[0].error is None
    world.lab.fault("portal", "http_500")
    ran = ivn_here("check", SITE, "--format", "json", "--deadline", "5", cwd=world.folder.parent)
    assert ran.code == 1, ran.out
    states = {(each["check"], each["state"]) for each in json.loads(ran.out)["checks"]}
    assert ("portal-pins", "inconclusive") in states
    assert ("web-port", "inconclusive") in states
    assert ("camera-names", "pass") in states
