"""What logins at the image server say, and which cameras are asked for after a write."""

from __future__ import annotations

import base64

import pytest

from ivn_provision.drivers.xprotect_e.image_server import (
    LoggedIn,
    Login,
    camera_check,
    logged_in,
    login_steps,
    observations,
)
from ivn_provision.model.resource import Address, Resource
from ivn_provision.plan.plan import Action, Change, FieldChange, Unverified, Work
from ivn_provision.secret import Secret, SecretRef

FIRST, SECOND = "11111111-aaaa-4bbb-8ccc-000000000001", "{22222222-AAAA-4BBB-8CCC-000000000002}"
BODY = f"<s><camera><guid>{FIRST.upper()}</guid></camera></s>"


def login(name: str = "ivnview", password: str = "hunter2") -> Login:
    return Login(name, Secret(password, SecretRef("env", "X")), 8080)


def camera(key: str, handle: str, *, enabled: bool = True) -> Resource:
    return Resource(Address("s", "nvr", "camera", key), {"enabled": enabled}, handle=handle)


def switched(resource: Resource, *, on: bool) -> Work:
    field = FieldChange("enabled", not on, on)
    change = Change(resource.address, Action.UPDATE, (field,), handle=resource.handle)
    return Work((change,), {resource.address: {"enabled": on}}, {})


NOTHING = Work((), {}, {})


@pytest.mark.parametrize(("status", "wanted"), [(200, [True]), (401, [False]), (404, []), (500, [])])
def test_a_status_says_or_does_not_say(status: int, wanted: list[bool]) -> None:
    user = Address("s", "nvr", "user", "ivnview")
    questions = [
        Unverified(user, "password", "-"),
        Unverified(user, "kind", "-"),
        Unverified(Address("s", "nvr", "user", "other"), "password", "-"),
        Unverified(Address("s", "portal", "device"), "password", "-"),
    ]
    found = observations(questions, [LoggedIn(login(), status, "")])
    assert [each.confirmed for each in found] == wanted
    assert all(each.address == user and "hunter2" not in each.evidence for each in found)


def test_only_answers_that_came_count() -> None:
    body = base64.b64encode(BODY.encode()).decode()
    answers = [{"ok": True, "status": 200, "body": body}, {"ok": False, "error": {"code": "unreachable"}}]
    (one,) = logged_in([login(), login("b")], answers)
    assert (one.login.name, one.status, one.body) == ("ivnview", 200, BODY)


@pytest.mark.parametrize(
    ("name", "password"), [("a:b", "x"), ("", "x"), ("é", "x"), ("a", "ö"), ("a", "x\n")]
)
def test_what_has_no_certain_form_is_not_sent(name: str, password: str) -> None:
    assert not login(name, password).is_sent
    assert login().is_sent


def test_a_step_asks_the_machine_itself() -> None:
    (step,) = login_steps([login()])
    assert (step["verb"], step["port"], step["path"], step["method"]) == (
        "http",
        8080,
        "/systeminfo.xml",
        "GET",
    )


def test_cameras_that_were_seen_are_asked_for_in_the_same_spelling() -> None:
    cameras = [camera("1", FIRST), camera("2", SECOND)]
    check = camera_check([LoggedIn(login(), 200, BODY)], cameras, NOTHING)
    assert check is not None
    assert check["contains"] == [FIRST.upper()], "the user does not see the second: that is its rights"


def test_a_camera_that_is_switched_off_is_not_asked_for() -> None:
    cameras = [camera("1", FIRST)]
    check = camera_check([LoggedIn(login(), 200, BODY)], cameras, switched(cameras[0], on=False))
    assert check is not None
    assert check["contains"] == []


def test_a_camera_that_is_switched_on_is_asked_for_if_all_others_are_seen() -> None:
    cameras = [camera("1", FIRST), camera("2", SECOND, enabled=False)]
    check = camera_check([LoggedIn(login(), 200, BODY)], cameras, switched(cameras[1], on=True))
    assert check is not None
    assert check["contains"] == [FIRST.upper(), SECOND.strip("{}")], "spelt as the others"


@pytest.mark.parametrize(("status", "body"), [(401, BODY), (200, "<s/>")])
def test_nobody_who_sees_a_camera_means_no_check(status: int, body: str) -> None:
    assert camera_check([LoggedIn(login(), status, body)], [camera("1", FIRST)], NOTHING) is None
