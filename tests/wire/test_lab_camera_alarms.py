"""Rules of the lab's cameras that fire and mail for real (facts/axis.md, 5.1, 5.5, 8 and 13.7)."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from email.policy import default
from pathlib import Path

import pytest

from ivn_provision.lab.camera.profile import PROFILES
from ivn_provision.lab.lab import Lab
from tests.support.axis_camera import (
    ADDRESS,
    SITE,
    Vapix,
    axis_lab,
    camera_of,
    conditions,
    configuration,
    event,
    port_filter,
    rule,
    set_legacy_smtp,
    sink_slots,
    vapix,
)

VIRTUAL = "tns1:Device/tnsaxis:IO/VirtualInput"


def virtual_filter(port: str, active: str = "1") -> str:
    return (
        f'boolean(//SimpleItem[@Name="port" and @Value="{port}"]) and '
        f'boolean(//SimpleItem[@Name="active" and @Value="{active}"])'
    )


def made(lab: Lab, client: Vapix, text: str = "", **parameters: str) -> int:
    """An action that mails the lab's sink; its id."""
    if camera_of(lab).profile.name == "5.50":
        set_legacy_smtp(lab, client)
    return client.add(
        configuration("N", sink_slots(lab, subject="Input", message=text or "now", **parameters))
    )


def mails(lab: Lab) -> list[Message]:
    lab.settle_cameras(SITE)
    assert not [each.error for each in camera_of(lab).mails if each.error]
    return [message_from_bytes(each.raw, policy=default) for each in lab.mail.messages]


@pytest.fixture(params=PROFILES)
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    with axis_lab(tmp_path, str(request.param)) as lab:
        yield lab


@pytest.fixture
def newest(tmp_path: Path) -> Iterator[Lab]:
    with axis_lab(tmp_path, "12.9") as lab:
        yield lab


def test_an_input_that_becomes_active_mails(lab: Lab) -> None:
    with vapix(lab) as client:
        client.add(rule("R", made(lab, client, "at %25F %T, 5%25 & <b> %23s")))
        camera_of(lab).fire_input(1)
        (mail,) = mails(lab)
        kept = lab.mail.messages[-1]
        assert client.http.get("/axis-cgi/io/port.cgi?checkactive=1").text == "port1=active\r\n"
        camera_of(lab).fire_input(1, active=False)
        assert client.http.get("/axis-cgi/io/port.cgi?checkactive=1").text == "port1=inactive\r\n"
    assert (mail["To"], mail["From"], mail["Subject"]) == (
        "guard@site.example",
        "camera@site.example",
        "Input",
    )
    at = camera_of(lab).mails[-1].at
    assert str(mail.get_payload()).strip() == f"at {at:%F} {at:%T}, 5% & <b> 00408C123456"
    assert (kept.username, kept.tls, kept.recipients) == (SITE, True, ("guard@site.example",))
    assert len(mails(lab)) == 1, "the falling edge is none of the rule's"
    assert camera_of(lab).counters.rules_fired == 1


def test_the_time_is_that_of_the_cameras_zone(newest: Lab) -> None:
    with vapix(newest) as client:
        client.add(rule("R", made(newest, client)))
        for zone, hours in (("EST5", -5), ("XYZ-3:30", 3.5), ("no zone", 0)):
            assert client.update(**{"root.Time.POSIXTimeZone": zone}) == "OK"
            camera_of(newest).fire_input(1)
            mails(newest)
            offset = camera_of(newest).mails[-1].at.utcoffset()
            assert offset is not None
            assert offset.total_seconds() == hours * 3600


def test_virtual_inputs_and_conditions(newest: Lab) -> None:
    camera = camera_of(newest)
    with vapix(newest) as client:
        action = made(newest, client)
        start, held = event(VIRTUAL, virtual_filter("2")), event(content=port_filter())
        client.add(rule("virtual", action, start=start, conditions=conditions(held)))
        client.add(rule("off", action, start=start, enabled="false"))
        activate = "/axis-cgi/virtualinput/activate.cgi?schemaversion=1&port="
        client.http.get(f"{activate}2")
        assert camera.counters.rules_fired == 0, "input 1 is not active"
        camera.fire_input(1)
        assert camera.counters.rules_fired == 0, "the virtual input's edge is over"
        camera.fire_virtual(2, active=False)
        client.http.get(f"{activate}3")
        assert camera.counters.rules_fired == 0
        client.http.get(f"{activate}2")
    assert len(mails(newest)) == 1


def test_a_rule_without_start_event_fires_when_its_conditions_become_true(newest: Lab) -> None:
    camera = camera_of(newest)
    both = conditions(event(), event(VIRTUAL, virtual_filter("1")))
    with vapix(newest) as client:
        client.add(rule("both", made(newest, client), start=None, conditions=both))
    camera.fire_input(1)
    assert camera.counters.rules_fired == 0
    camera.fire_virtual(1)
    assert camera.counters.rules_fired == 1
    camera.fire_virtual(2)
    assert camera.counters.rules_fired == 1, "they have not become true anew"


def test_wait_at_least(newest: Lab) -> None:
    with vapix(newest) as client:
        client.add(rule("slow", made(newest, client), timeout="PT600S"))
    for _ in range(3):
        camera_of(newest).fire_input(1)
    assert len(mails(newest)) == 1


def test_a_filter_off_by_one_never_fires(newest: Lab) -> None:
    with vapix(newest) as client:
        client.add(rule("wrong", made(newest, client), start=event(content=port_filter("1"))))
        client.add(rule("any", made(newest, client), start=event(content=port_filter("-1"))))
    camera_of(newest).fire_input(1)
    assert len(mails(newest)) == 1
    assert [each.rule for each in camera_of(newest).mails] == ["any"]


def test_a_normally_closed_circuit(newest: Lab) -> None:
    with vapix(newest) as client:
        client.add(rule("R", made(newest, client)))
        assert client.update(**{"root.IOPort.I0.Input.Trig": "open"}) == "OK"
        assert len(mails(newest)) == 1, "nothing closes the circuit: the alarm is there at once"
        ports = client.json("io/portmanagement.cgi", "getPorts")["data"]["items"][0]
    assert (ports["state"], ports["normalState"]) == ("open", "closed")


def test_several_recipients_and_a_server_that_cannot_be_had(newest: Lab) -> None:
    with vapix(newest) as client:
        client.add(rule("two", made(newest, client, email_to="a@x.example, b@x.example")))
        client.add(rule("none", made(newest, client, port="1")))
        client.add(rule("away", made(newest, client, host="192.0.2.1")))
        client.add(rule("login", made(newest, client, password="wrong")))
        client.add(rule("empty", client.add(configuration("N", dict.fromkeys(sink_slots(newest), "")))))
        client.add(rule("checked", made(newest, client, validate_server_cert="1")))
    camera_of(newest).fire_input(1)
    newest.settle_cameras(SITE)
    errors = {each.rule: each.error.split(":")[0] for each in camera_of(newest).mails}
    assert errors == {
        "two": "",
        "none": "ConnectionRefusedError",
        "away": "192.0.2.1 is not a loopback address",
        "login": "SMTPAuthenticationError",
        "empty": "no mail server",
        "checked": "",
    }
    assert {each.recipients for each in newest.mail.messages} == {
        ("a@x.example", "b@x.example"),
        ("guard@site.example",),
    }
    assert (camera_of(newest).counters.mails_sent, camera_of(newest).counters.mails_failed) == (2, 4)


def test_virtualinput_cgi_moves_the_real_input_and_the_recorder_sees_it(tmp_path: Path) -> None:
    with axis_lab(tmp_path, "12.9", recorders=True) as lab, vapix(lab) as client:
        made_event = {
            "name": "2 H Door",
            "camera": "Camera 1",
            "input": "1",
            "edge": "rising",
            "enabled": "true",
        }
        lab.gui(SITE, "add", "hardware_event", "2 H Door", made_event)
        before = len(lab.nvr(SITE).events_log)
        client.add(rule("R", made(lab, client)))
        assert client.http.get(r"/axis-cgi/io/virtualinput.cgi?action=1%3A%2F50%5C").text == "OK\r\n"
        assert len(mails(lab)) == 1
        assert [each.kind for each in lab.nvr(SITE).events_log[before:]] == ["input"]
        for bad in ("1", "1:", "2:/", "9:/", "1:/x"):
            assert client.http.get("/axis-cgi/io/virtualinput.cgi", params={"action": bad}).text.startswith(
                "Error"
            )
        for device in (ADDRESS, "camera-10", "00:40:8C:12:34:56"):
            assert lab.fire_input(SITE, device, 1) == 1
        assert len(mails(lab)) == 4, "the camera sees its own input too"
        camera_of(lab).fire_input(1)
        assert len([each for each in lab.nvr(SITE).events_log if each.kind == "input"]) == 5
