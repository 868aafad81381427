"""`cameras[].axis`: the manual's example by default (R-67 to R-72), and what becomes of it as resources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ivn_provision.model.desired import Desired, desired_of
from ivn_provision.model.resource import Resource
from ivn_provision.model.targets import camera_number, camera_target, family
from ivn_provision.secret import SecretRef
from ivn_provision.spec.fleet import load_fleet
from ivn_provision.spec.ruleset import NO_RULES
from ivn_provision.spec.site import Site
from ivn_provision.spec.values import Computed

BASE = """\
site: harbor
cameras:
  - number: 10
    label: Lobby
    hardware: {address: 192.168.10.61}
    axis:
      connect: {host: 192.168.10.61, username: root, password: !secret env:CAM}
"""
WHOLE = (
    BASE
    + """\
      smtp: {sender: cam@guard.example, host: mail.guard.example, security: starttls, username: cam, password: !secret env:MAIL}
      recipients:
        - {name: Guard, addresses: [desk@guard.example, !ref portal.smtp_account_id]}
      action_rules:
        - send_mail: {recipient: Guard, subject: Alarm, message: "Input 1"}
        - name: Panic
          trigger: {virtual_input: 3, active: false}
          conditions: []
          wait_seconds: 5
          send_mail: {recipient: Guard, subject: Panic, message: Button}
      io_ports: [{port: 1, name: Door, normal: open}]
      image: {codec: mjpeg, resolution: 1280x800, compression: 30, fps: 8}
      time: {ntp_server: dhcp}
      users: [{name: ann, role: viewer, password: !secret env:ANN}]
"""
)
PORTAL = """\
portal:
  url: https://portal.example/api/v1
  auth: {client_id: a, client_secret: !secret env:B}
  device: {make: Milestone, model: XProtect}
"""


def loaded(text: str, folder: Path) -> Site:
    (folder / "harbor.yml").write_text(text, encoding="utf-8")
    fleet = load_fleet([folder], rules=NO_RULES)
    assert [each.summary for each in fleet.diagnostics if each.is_error] == []
    (found,) = fleet.sites
    assert found.site is not None
    return found.site


def resource(desired: Desired, kind: str, key: str = "") -> Resource:
    (found,) = [each for each in desired.resources.values() if each.address[2:] == (kind, key)]
    return found


def test_the_port_follows_from_tls(tmp_path: Path) -> None:
    (camera,) = loaded(BASE, tmp_path).cameras or ()
    assert camera.axis is not None
    assert (camera.axis.connect.port, camera.axis.connect.tls.mode) == (443, "verify")
    assert (camera.axis.recipients, camera.axis.action_rules) == (None, None)


def test_a_rule_is_by_default_the_manuals_example(tmp_path: Path) -> None:
    desired = desired_of(loaded(WHOLE + PORTAL, tmp_path))
    rule = resource(desired, "action_rule", "Input 1")
    assert str(rule.address) == "harbor/camera-10/action_rule/Input 1"
    smtp: dict[str, Any] = {
        "smtp.sender": "cam@guard.example",
        "smtp.host": "mail.guard.example",
        "smtp.port": 25,
        "smtp.security": "starttls",
        "smtp.username": "cam",
        "smtp.password": SecretRef("env", "MAIL", str(tmp_path)),
    }
    mailed = ("desk@guard.example", Computed("portal.smtp_account_id"))
    assert rule.fields == {
        "enabled": True,
        "trigger": "input 1 active",
        "conditions": ("input 1 active",),
        "wait_seconds": 0,
        "action": "mail",
        "mail.addresses": mailed,
        "mail.subject": "Alarm",
        "mail.message": "Input 1",
        **smtp,
    }
    assert [str(each) for each in rule.needs] == ["harbor/portal/device", "harbor/camera-10/recipient/Guard"]
    assert resource(desired, "recipient", "Guard").fields == {"addresses": mailed, **smtp}


def test_everything_else_is_as_it_is_said(tmp_path: Path) -> None:
    desired = desired_of(loaded(WHOLE, tmp_path))
    panic = resource(desired, "action_rule", "Panic").fields
    assert (panic["trigger"], panic["conditions"]) == ("virtual input 3 inactive", ())
    assert panic["wait_seconds"] == 5
    assert resource(desired, "io_port", "1").fields == {"name": "Door", "normal": "open"}
    assert resource(desired, "stream_profile", "ivn-provision").fields["compression"] == 30
    assert resource(desired, "camera_clock").fields == {"ntp_server": "dhcp"}
    assert resource(desired, "axis_user", "ann").fields["role"] == "viewer"


def test_lists_are_complete_for_their_own_camera_only(tmp_path: Path) -> None:
    desired = desired_of(loaded(WHOLE, tmp_path))
    assert desired.is_complete("camera-10", "action_rule")
    assert desired.is_complete("camera-10", "action_configuration")
    assert not desired.is_complete("camera-11", "action_rule")
    assert not desired_of(loaded(BASE, tmp_path)).is_complete("camera-10", "action_rule")


@pytest.mark.parametrize(("target", "number"), [("camera-10", 10), ("camera-0", None), ("nvr", None)])
def test_names_of_targets(target: str, number: int | None) -> None:
    assert camera_number(target) == number
    assert family(target) == ("camera" if number else target)
    assert number is None or camera_target(number) == target
