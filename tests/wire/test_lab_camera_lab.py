"""The lab around its Axis cameras: state that stays, hands, status, command line, site files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ivn_provision.errors import LabError
from ivn_provision.lab.camera.profile import PROFILES, profile
from ivn_provision.lab.fault_list import CAMERA
from ivn_provision.lab.lab import Lab
from ivn_provision.lab.sites import generated_sites, with_axis
from ivn_provision.spec.fleet import find_site
from tests.support.axis_camera import (
    ADDRESS,
    SITE,
    axis_lab,
    camera_of,
    configuration,
    removal,
    rule,
    slots,
    vapix,
)
from tests.support.command import ivn
from tests.support.world import own_addresses


def test_a_lab_that_is_started_again_goes_on(tmp_path: Path) -> None:
    with axis_lab(tmp_path, "12.9") as lab, vapix(lab) as client:
        action = client.add(configuration("N", slots(lab, subject="ü")))
        number = client.add(rule("R", action))
        client.soap(removal("ActionRule", client.add(rule("gone", action))))
        client.update(**{"root.IOPort.I0.Input.Name": "Door"})
        client.http.get(
            "/axis-cgi/param.cgi?action=add&template=streamprofile&group=StreamProfile&StreamProfile.S.Name=ours"
        )
        client.http.get("/axis-cgi/param.cgi?action=remove&group=StreamProfile.S0")
        form = {"action": "add", "user": "guard", "pwd": "x", "sgrp": "viewer"}
        client.http.post("/axis-cgi/pwdgrp.cgi", data=form)
        kept, port = dict(camera_of(lab).book.rules), camera_of(lab).http_port
    with axis_lab(tmp_path, "12.9") as lab, vapix(lab) as client:
        camera = camera_of(lab)
        assert camera.http_port == port
        assert dict(camera.book.rules) == kept
        assert camera.book.configurations[action].parameters == slots(lab, subject="ü")
        assert client.add(rule("R", action)) == number + 2, "no id is used twice"
        assert client.values("IOPort.I0.Input.Name") == {"IOPort.I0.Input.Name": "Door"}
        assert client.values("StreamProfile.S2.Name") == {"StreamProfile.S2.Name": "ours"}
        assert client.params("StreamProfile.S0").startswith("# Error")
        assert "guard" in client.http.get("/axis-cgi/pwdgrp.cgi?action=get").text
    with axis_lab(tmp_path, "10.12") as lab:
        assert camera_of(lab).book.rules == {}, "another firmware begins anew"


def test_what_a_person_changes_at_it(tmp_path: Path) -> None:
    with axis_lab(tmp_path, "12.9") as lab, vapix(lab) as client:
        camera = lab.camera(SITE, ADDRESS)
        assert camera is lab.camera(SITE, "camera-10") is lab.camera(SITE, 10)
        lab.tamper(SITE, "camera-10/rule", "foreign", {"input": "1", "active": "false"})
        lab.tamper(SITE, "camera-10/rule", "Factory rule 1", {"enabled": "false", "name": "renamed"})
        lab.tamper(SITE, "camera-10/recipient", "Desk", {"email_to": "a@b.example"})
        lab.tamper(SITE, "camera-10/param", "root.IOPort.I0.Input.Trig", {"value": "open"})
        lab.tamper(SITE, "camera-10/user", "guard", {"password": "x", "groups": "viewer"})
        lab.tamper(SITE, "camera-10/configuration", "foreign", {"subject": "other"})
        rules = {each.name: each for each in camera.book.rules.values()}
        assert (rules["renamed"].enabled, rules["foreign"].id) == (False, 5)
        assert len(client.get("ActionRule")) == 5
        assert [each.parameters["email_to"] for each in camera.book.recipients.values()] == ["a@b.example"]
        assert camera.book.configurations[5].parameters["subject"] == "other"
        assert camera.counters.writes == 0, "a person's hands are not counted"
        for kind, key in (
            ("rule", "foreign"),
            ("configuration", "5"),
            ("recipient", "Desk"),
            ("user", "guard"),
        ):
            lab.remove(SITE, f"camera-10/{kind}", key)
            with pytest.raises(LabError):
                lab.remove(SITE, f"camera-10/{kind}", key)
        bad: tuple[tuple[str, str, dict[str, str]], ...] = (
            ("coffee", "x", {}),
            ("rule", "x", {"sugar": "1"}),
            ("rule", "x", {"input": "one"}),
            ("recipient", "x", {"sugar": "1"}),
            ("param", "Brand.Brand", {"value": "x"}),
        )
        for kind, key, fields in bad:
            with pytest.raises(LabError):
                lab.tamper(SITE, f"camera-10/{kind}", key, fields)
        for hand in (lambda: camera.fire_input(2), lambda: camera.fire_virtual(65)):
            with pytest.raises(LabError):
                hand()
        with pytest.raises(LabError, match="no Axis camera"):
            lab.camera(SITE, 11)


def test_status_shows_cameras_assumptions_and_no_secret(tmp_path: Path) -> None:
    with axis_lab(tmp_path, "5.50", recorders=True) as lab, vapix(lab) as client:
        client.update(**{"root.SMTP.Authentication.A1.Password": "mail-secret"})
        status = lab.status()
        shown = json.dumps(status)
        (camera,) = status["sites"][0]["axis_cameras"]
        assert (camera["target"], camera["profile"], camera["firmware"]) == ("camera-10", "5.50", "5.50.5.10")
        assert camera["last_requests"][-1]["path"] == "/axis-cgi/param.cgi"
        assert status["counters"]["cameras"][f"{SITE}/camera-10"]["writes"] == 1
        assert any("email_to only" in each and each.endswith("[assumed]") for each in status["assumptions"])
        secrets = [each.read_text().strip() for each in (lab.directory / "secrets").iterdir()]
        assert not [each for each in (*secrets, "mail-secret") if each in shown]


@pytest.mark.parametrize("name", PROFILES)
def test_written_site_files_are_valid(name: str, tmp_path: Path) -> None:
    sites = with_axis(generated_sites(1, own_addresses()), name)
    with Lab(tmp_path / "lab", sites, free_ports=True) as lab:
        lab.write_sites(tmp_path / "sites")
        site = find_site(tmp_path / "sites", "lab-0001")
        axis = (site.cameras or ())[0].axis
        assert axis is not None
        camera = lab.camera("lab-0001", 10)
        port = camera.http_port if name == "5.50" else camera.https_port
        assert (axis.connect.host, axis.connect.port) == (camera.host, port)
        assert len(axis.action_rules or ()) == 1
    assert "1 site: no errors, no warnings" in ivn("validate", "sites", cwd=tmp_path).err


def test_there_are_four_profiles_and_they_say_what_they_know() -> None:
    for name in PROFILES:
        found = profile(name)
        assert {each.mark for each in found.marks} == {"certain", "inferred", "assumed"}
        assert found.firmware.startswith(f"{name}.")
        assert all(each.accepts(each.value) or "{" in each.value for each in found.parameters.values())
    with pytest.raises(LabError, match="no Axis profile"):
        profile("5.51")
    with pytest.raises(LabError, match="no Axis profile"):
        with_axis(generated_sites(1), "1.0")


def test_the_command_line(tmp_path: Path) -> None:
    def lab(*words: str) -> str:
        done = ivn("lab", *words, "--dir", "lab", cwd=tmp_path)
        assert done.code == 0, done.err
        return done.out

    assert "VAPIX https" in lab("up", "--detach", "--free-ports", "--axis", "10.12")
    try:
        assert lab("fire", "harbor-marina", "input", "camera-10", "1") == (
            "Input 1 of camera-10 went rising: 0 events.\n"
        )
        assert lab("fire", "harbor-marina", "virtual", "camera-10", "3") == (
            "Virtual input 3 of camera-10 went rising.\n"
        )
        assert lab("fault", "harbor-marina", "camera-10", "lose-write=2") == (
            "Fault lose-write=2 of harbor-marina/camera-10 is on.\n"
        )
        lab("tamper", "harbor-marina", "camera-10/rule", "Foreign", "--set", "input=1")
        text = lab("status")
        assert (
            "harbor-marina/camera-10: AXIS P3245-LVE 10.12.182, 1 rule, 1 action configuration, 0 recipients"
            in text
        )
        assert "harbor-marina/camera-10: lose-write=2" in text
        assert "Axis camera, 10.12: product and build" in text
        assert ivn("lab", "fault", "x", "y", "z", "q", "--dir", "lab", cwd=tmp_path).code == 64
        assert "cut-before-rule" in ivn("lab", "faults", "camera", cwd=tmp_path).out
    finally:
        lab("down")


def test_the_page_lists_every_fault_and_profile() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "lab-axis-camera.md").read_text("utf-8")
    assert [each for each in CAMERA if f"| `{each.name}` | {each.text} |" not in page] == []
    assert [each for each in PROFILES if f"| `{each}` | {profile(each).product} |" not in page] == []
