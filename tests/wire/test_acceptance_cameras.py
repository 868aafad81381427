"""Cameras trip their own inputs: the alarm goes the whole way, and a camera that cannot is named."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from ivn_provision.errors import Uncertain
from ivn_provision.lab.camera.camera import AxisCamera
from ivn_provision.report.acceptance_json import acceptance_json
from ivn_provision.report.acceptance_text import render_acceptance
from ivn_provision.report.paint import Paint
from ivn_provision.report.untested import untested_of
from ivn_provision.run.cameras import inputs_of
from ivn_provision.transports.vapix import Asked, VapixReply
from ivn_provision.verify.acceptance.shots import shots_of
from ivn_provision.verify.result import State
from tests.support.acceptance import (
    SITE,
    At,
    Technician,
    accepted,
    no_alarm_but_in_a_window,
    of_pin,
    said,
    window,
)
from tests.support.command import ivn_here
from tests.support.world import World, started

PULSE = "/axis-cgi/io/virtualinput.cgi"


@pytest.fixture(scope="module", params=["5.50", "12.9"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with started(tmp_path_factory.mktemp("inputs"), axis=request.param) as world:
        world.edit(SITE, "mail_within_seconds: 30", "mail_within_seconds: 4")
        (outcome,) = world.apply(SITE)
        assert outcome.error is None, outcome.error
        yield world


@pytest.fixture
def site(world: World) -> Iterator[World]:
    """No fault and the file as it was after each test."""
    path = world.folder / f"{SITE}.yml"
    text = path.read_text(encoding="utf-8")
    yield world
    path.write_text(text, encoding="utf-8")
    for fault in tuple(camera_of(world).faults):
        camera_of(world).fault(fault, on=False)
    assert window(world) is None


def camera_of(world: World) -> AxisCamera:
    return world.lab.camera(SITE, 10)


def pulses(world: World) -> int:
    return camera_of(world).counters.by_path[PULSE]


def test_the_camera_trips_its_input_and_the_alarm_arrives(site: World) -> None:
    before, mails = pulses(site), camera_of(site).counters.mails_sent
    acceptance = accepted(site, cameras=True)
    assert said(acceptance, "2 H").startswith("pass one mail after")
    assert "tripped by camera 10 itself, over VAPIX" in said(acceptance, "2 H")
    assert pulses(site) - before == 1
    record = of_pin(acceptance, "2 H")
    assert record.latency_seconds is not None, "it is known when it was fired"
    assert [each.test for each in record.events] == [True]
    no_alarm_but_in_a_window(site)
    site.lab.settle_cameras(SITE)
    assert camera_of(site).counters.mails_sent == mails + 1, (
        "its own rule mails as well: that is said in the docs"
    )


def test_what_no_camera_can_trip_is_left_to_a_person(site: World) -> None:
    acceptance = accepted(site, cameras=True)
    assert "--hardware cameras,ask" in said(acceptance, "3 H")
    assert of_pin(acceptance, "3 H").skipped
    technician = Technician(site)
    both = accepted(site, cameras=True, ask=technician)
    assert technician.tripped == ["3 H"]
    assert {each.state for each in both.results if each.check == "pin"} == {State.PASS}
    assert of_pin(both, "3 H").by == "a person"


def test_without_the_option_no_camera_is_asked(site: World) -> None:
    before = pulses(site)
    acceptance = accepted(site)
    assert of_pin(acceptance, "2 H").skipped
    assert pulses(site) == before


def test_reports_say_who_tripped_it(site: World) -> None:
    acceptance = accepted(site, cameras=True)
    (pin,) = [
        each
        for each in acceptance_json(acceptance)["pins"]
        if (each["pin"], each["source"]) == (2, "hardware")
    ]
    assert pin["fired_by"] == "camera 10 itself, over VAPIX"
    json.dumps(pin)
    assert "tripped by camera 10 itself" in render_acceptance(acceptance, Paint(False))
    left = "\n".join(untested_of(site.site(SITE), acceptance.records, in_lab=True))
    assert "detectors and wiring of 2 H" in left
    assert "technician signs" not in left


def test_the_site_is_on_test_while_the_camera_is_asked(site: World) -> None:
    open_then: list[bool] = []
    at = At(moment=("firing", "2 H"), act=lambda: open_then.append(window(site) is not None))
    accepted(site, cameras=True, observer=at)
    assert open_then == [True]


def test_a_dead_camera_is_named_and_the_rest_is_tested(site: World) -> None:
    camera_of(site).fault("dead")
    acceptance = accepted(site, cameras=True)
    text = said(acceptance, "2 H")
    assert text.startswith("fail ")
    assert str(camera_of(site).host) in text
    assert said(acceptance, "2 S").startswith("pass "), "the recorder is not taken to be down"
    assert not acceptance.passed


def test_an_input_that_the_camera_does_not_have_is_refused(site: World) -> None:
    path = site.folder / f"{SITE}.yml"
    text = path.read_text(encoding="utf-8")
    path.write_text(_with_input_nine(text), encoding="utf-8")
    acceptance = accepted(site, cameras=True)
    assert said(acceptance, "2 H").startswith("fail the camera refused")


def _with_input_nine(text: str) -> str:
    at = text.index("hardware_events:")
    return text[:at] + text[at:].replace("input: 1", "input: 9", 1)


def test_a_refused_login_fails_and_nothing_is_fired(site: World) -> None:
    camera_of(site).fault("http-401")
    before = pulses(site)
    acceptance = accepted(site, cameras=True)
    assert said(acceptance, "2 H").startswith("fail ")
    assert pulses(site) == before


def test_a_pulse_is_never_sent_twice(site: World) -> None:
    """A line that breaks at the pulse itself: nobody knows, and nobody tries again."""
    (shot,) = [each for each in shots_of(site.site(SITE)) if each.name == "2 H"]
    asked: list[str] = []

    class Cut:
        endpoint = "a camera"

        def ask(self, wanted: Asked) -> VapixReply:
            asked.append(wanted.path)
            if wanted.writes:
                camera_of(site).fault("dead")
            return link.ask(wanted)

        def close(self) -> None:
            link.close()

    link = site.opener().vapix(inputs_of(site.site(SITE), Cut).connects[10])  # type: ignore[arg-type]
    with pytest.raises(Uncertain):
        inputs_of(site.site(SITE), lambda _: Cut()).trip(shot)  # type: ignore[arg-type, return-value]
    assert asked == ["/axis-cgi/io/port.cgi", PULSE]


def test_an_input_that_is_active_is_not_tripped(site: World) -> None:
    camera_of(site).fire_input(1, active=True, told=True)
    try:
        before = pulses(site)
        acceptance = accepted(site, cameras=True)
    finally:
        camera_of(site).fire_input(1, active=False, told=True)
    assert "is active already" in said(acceptance, "2 H")
    assert pulses(site) == before


def test_the_command_line(site: World) -> None:
    ran = ivn_here("verify", SITE, "--fleet", ".", "--hardware", "cameras", cwd=site.folder)
    assert "tripped by camera 10 itself" in ran.out, ran
    assert ran.code == 0


def test_an_apply_is_verified_so_too(site: World) -> None:
    world_before = pulses(site)
    site.edit(SITE, "label: Door contact", "label: Front door")
    options = ("--auto-approve", "--verify", "--hardware", "cameras")
    ran = ivn_here("apply", SITE, "--fleet", ".", *options, cwd=site.folder)
    assert ran.code == 0, ran
    assert pulses(site) == world_before + 1
