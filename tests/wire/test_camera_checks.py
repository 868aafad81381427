"""What a camera itself says, looked at by `check`: on every profile that the lab plays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from ivn_provision.drivers.axis.looking import MOST_REQUESTS
from ivn_provision.lab.camera.camera import AxisCamera
from ivn_provision.run.checking import Checked, check_site
from ivn_provision.verify.result import Found, State
from tests.support.world import Events, World, started

SITE = "lab-0001"
READING = 6
PROFILES = ("5.50", "10.12", "11.11", "12.9")
EXTRA = ("/axis-cgi/tcptest.cgi", "/axis-cgi/io/port.cgi", "/axis-cgi/time.cgi", "/axis-cgi/date.cgi")
OF_CAMERAS = (
    *("camera-inputs", "camera-mail-server", "camera-firmware", "camera-legacy-events"),
    *("camera-clock", "camera-mails", "camera-rules"),
)


@pytest.fixture(scope="module", params=PROFILES)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with started(tmp_path_factory.mktemp("camera"), axis=request.param) as world:
        (outcome,) = world.apply(SITE)
        assert outcome.error is None, outcome.error
        yield world


def camera_of(world: World) -> AxisCamera:
    return world.lab.camera(SITE, 10)


def is_old(world: World) -> bool:
    return camera_of(world).profile.firmware.startswith("5.")


def checked(world: World) -> Checked:
    return check_site(world.site(SITE), world.opener(), Events())


def found(checked: Checked) -> Mapping[str, list[Found]]:
    listed: dict[str, list[Found]] = {}
    for each in checked.results:
        listed.setdefault(each.check, []).append(each.found)
    return listed


def one(checked: Checked, check: str) -> Found:
    (only,) = found(checked)[check]
    return only


def test_at_first_nothing_is_wrong(world: World) -> None:
    said = found(checked(world))
    states = {name: {each.state for each in said[name]} for name in OF_CAMERAS}
    wanted = {name: {State.PASS} for name in OF_CAMERAS}
    if is_old(world):
        wanted |= {"camera-mail-server": {State.INCONCLUSIVE}, "camera-firmware": {State.WARN}}
    assert states == wanted, said


def test_it_costs_three_requests_more_and_writes_nothing(world: World) -> None:
    camera = camera_of(world)
    before, writes = camera.counters.by_path.copy(), camera.counters.writes
    checked(world)
    asked = camera.counters.by_path - before
    assert asked.total() <= READING + MOST_REQUESTS
    assert sum(asked[each] for each in EXTRA) <= MOST_REQUESTS
    assert camera.counters.writes == writes


def test_a_plan_asks_none_of_it(world: World) -> None:
    camera = camera_of(world)
    before = camera.counters.by_path.copy()
    (outcome,) = world.plan(SITE)
    assert outcome.error is None
    asked = camera.counters.by_path - before
    assert 0 < asked.total() <= READING
    assert not any(asked[each] for each in EXTRA)


def test_the_old_firmware_is_not_asked_for_the_mail_server(world: World) -> None:
    camera = camera_of(world)
    before = camera.counters.by_path["/axis-cgi/tcptest.cgi"]
    said = one(checked(world), "camera-mail-server")
    asked = camera.counters.by_path["/axis-cgi/tcptest.cgi"] - before
    assert asked == (0 if is_old(world) else 1)
    assert ("CVE-2023-5677" in said.evidence) == is_old(world)


def test_an_input_that_is_active_warns(world: World) -> None:
    camera = camera_of(world)
    camera.fire_input(1, active=True, told=True)
    try:
        said = one(checked(world), "camera-inputs")
    finally:
        camera.fire_input(1, active=False, told=True)
    assert said.state is State.WARN
    assert said.subject == "camera 10 input 1"


def test_a_rule_of_somebody_that_mails_the_portal_fails(world: World) -> None:
    camera = camera_of(world)
    camera.tamper("rule", "Porch", {"input": "1"})
    camera.tamper("configuration", "Porch", {"email_to": f"x@y.example, {account_id(world).upper()}"})
    try:
        said = one(checked(world), "camera-mails")
    finally:
        camera.remove("rule", "Porch")
        camera.remove("configuration", "Porch")
    assert said.state is State.FAIL
    assert "'Porch'" in said.evidence


def account_id(world: World) -> str:
    reader = world.opener().readers(world.site(SITE))["portal"]
    try:
        return reader.read().computed["portal.smtp_account_id"]
    finally:
        reader.close()


def test_a_mail_server_that_is_not_there_fails(world: World) -> None:
    if is_old(world):
        pytest.skip("this firmware is not asked")
    path = world.folder / f"{SITE}.yml"
    text = path.read_text(encoding="utf-8")
    at = text.index("smtp:", text.index("axis:"))
    head, tail = text[:at], text[at:]
    port = next(line for line in tail.splitlines() if "port:" in line)
    path.write_text(head + tail.replace(port, port.split("port:")[0] + "port: 9", 1), encoding="utf-8")
    try:
        said = one(checked(world), "camera-mail-server")
    finally:
        path.write_text(text, encoding="utf-8")
    assert said.state is State.FAIL
    assert "could not connect" in said.evidence


def test_an_input_that_is_not_there_fails(world: World) -> None:
    path = world.folder / f"{SITE}.yml"
    text = path.read_text(encoding="utf-8")
    world.edit(SITE, "trigger: {input: 1, active: true}", "trigger: {input: 9, active: true}")
    try:
        said = found(checked(world))["camera-inputs"]
    finally:
        path.write_text(text, encoding="utf-8")
    (bad,) = [each for each in said if each.state is State.FAIL]
    assert bad.subject == "camera 10 input 9"
    assert "rule Input 1" in bad.evidence


def test_a_camera_that_is_dead_makes_only_its_own_checks_inconclusive(world: World) -> None:
    camera = camera_of(world)
    healthy = found(checked(world))
    camera.fault("dead")
    try:
        dead = checked(world)
    finally:
        camera.fault("dead", on=False)
    said = found(dead)
    assert set(dead.errors) == {"camera-10"}
    for name in OF_CAMERAS:
        assert {each.state for each in said[name]} == {State.INCONCLUSIVE}, name
    others = [name for name in said if not name.startswith("camera-") or name == "camera-names"]
    assert {name: [each.state for each in said[name]] for name in others} == {
        name: [each.state for each in healthy[name]] for name in others
    }
