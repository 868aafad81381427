"""param.cgi of the lab's cameras over HTTP (facts/axis.md, 3 and 13.3)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from ivn_provision.lab.camera.profile import PROFILES
from ivn_provision.lab.lab import Lab
from tests.support.axis_camera import SITE, axis_lab, camera_of, vapix

FIXTURE = Path(__file__).parents[3] / "shared" / "fixtures" / "axis" / "p5512-5.51.7.json"
DEFINITIONS = {"d": "http://www.axis.com/ParameterDefinitionsSchema"}


@pytest.fixture(params=PROFILES)
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    with axis_lab(tmp_path, str(request.param)) as lab:
        yield lab


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Lab]:
    with axis_lab(tmp_path, "5.50") as lab:
        yield lab


def test_the_key_echoes_the_prefix_of_the_request(lab: Lab) -> None:
    firmware = camera_of(lab).profile.firmware
    with vapix(lab) as client:
        assert client.params("root.Properties.Firmware.Version") == (
            f"root.Properties.Firmware.Version={firmware}\n"
        )
        mixed = client.params("Properties.Firmware.Version,root.Brand.Brand").splitlines()
        everything = client.params().splitlines()
    assert mixed == [f"Properties.Firmware.Version={firmware}", "root.Brand.Brand=AXIS"]
    assert all(line.startswith("root.") and "=" in line for line in everything)
    assert f"root.Properties.System.SerialNumber={camera_of(lab).camera.mac}" in everything


def test_one_bad_group_fails_the_whole_list_with_200(lab: Lab) -> None:
    with vapix(lab) as client:
        reply = client.http.get("/axis-cgi/param.cgi?action=list&group=Brand,Nothing.Here")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/plain")
    assert reply.text == "# Error: Error -1 getting param in group 'Nothing.Here'\n"


def test_an_asterisk_stands_for_one_step(old: Lab) -> None:
    with vapix(old) as client:
        assert client.values("IOPort.I*.Direction") == {
            "IOPort.I0.Direction": "input",
            "IOPort.I1.Direction": "output",
        }
        assert client.params("IOPort*Direction").startswith("# Error")


def test_root_smtp_is_there_on_5_only(lab: Lab) -> None:
    with vapix(lab) as client:
        found = client.params("root.SMTP")
    assert found.startswith("# Error" if camera_of(lab).profile.name != "5.50" else "root.SMTP.")


def test_updates_are_checked_by_the_definitions(old: Lab) -> None:
    bad = {
        "root.SMTP.MailServerPort1": "65536",
        "root.SMTP.MailServerSSL1": "true",
        "root.IOPort.I0.Input.Trig": "shut",
        "root.Properties.Firmware.Version": "6.0",
        "root.StreamProfile.S0.Name": "x" * 65,
        "root.SMTP.MailServer1": "a host",
        "root.Image.I0.Appearance.Compression": "1e1",
        "root.Brand.Nothing": "1",
        "root.SMTP.FromEmail": "a\nb",
    }
    before = camera_of(old).counters.writes
    with vapix(old) as client:
        for name, value in bad.items():
            assert client.update(**{name: value}) == f"# Error: Error setting '{name}' to '{value}'!\n"
        assert camera_of(old).counters.writes == before
        assert (
            client.update(**{"SMTP.MailServer1": "mail.example", "root.SMTP.MailServerPort1": "587"}) == "OK"
        )
        assert client.update(**{"root.StreamProfile.S0.Parameters": "a=1&b=2"}) == "OK"
        assert client.values("SMTP.MailServerPort1,StreamProfile.S0.Parameters") == {
            "SMTP.MailServerPort1": "587",
            "StreamProfile.S0.Parameters": "a=1&b=2",
        }
    assert camera_of(old).counters.writes == before + 2


def test_an_update_that_stops_has_set_what_came_before(old: Lab) -> None:
    with vapix(old) as client:
        form = "action=update&root.SMTP.MailServer1=one&root.SMTP.MailServerPort1=x&root.SMTP.FromEmail=a%40b"
        reply = client.http.post(
            "/axis-cgi/param.cgi", content=form, headers={"Content-Type": "application/x-www-form-urlencoded"}
        )
        assert reply.text == "# Error: Error setting 'root.SMTP.MailServerPort1' to 'x'!\n"
        assert client.values("SMTP.MailServer1,SMTP.FromEmail") == {
            "SMTP.MailServer1": "one",
            "SMTP.FromEmail": "",
        }


def test_a_password_reads_as_stars(old: Lab) -> None:
    with vapix(old) as client:
        assert client.values("SMTP.Authentication.A1.Password") == {"SMTP.Authentication.A1.Password": ""}
        assert client.update(**{"root.SMTP.Authentication.A1.Password": "secret&="}) == "OK"
        assert client.values("SMTP.Authentication.A1.Password") == {
            "SMTP.Authentication.A1.Password": "*****"
        }
        assert (
            "secret"
            not in client.http.get("/axis-cgi/param.cgi?action=listdefinitions&listformat=xmlschema").text
        )
    assert camera_of(old).params.get("SMTP.Authentication.A1.Password") == "secret&="


def test_text_is_latin_1_and_other_bytes_come_back_as_they_were(old: Lab) -> None:
    with vapix(old) as client:
        for sent in ("T%FCr", "T%C3%BCr"):
            client.http.get(f"/axis-cgi/param.cgi?action=update&IOPort.I0.Input.Name={sent}")
            raw = client.http.get("/axis-cgi/param.cgi?action=list&group=IOPort.I0.Input.Name").content
            assert raw.rstrip().endswith(bytes.fromhex("54fc72" if sent == "T%FCr" else "54c3bc72"))


def test_stream_profiles_are_added_and_removed(lab: Lab) -> None:
    add = "/axis-cgi/param.cgi?action=add&template=streamprofile&group=StreamProfile&StreamProfile.S."
    with vapix(lab) as client:
        assert client.http.get(
            f"{add}Name=one&StreamProfile.S.Parameters=videocodec%3Dmjpeg%26fps%3D8"
        ).text == ("S2 OK\n")
        assert client.values("StreamProfile.S2")["StreamProfile.S2.Parameters"] == "videocodec=mjpeg&fps=8"
        long = client.http.get(f"{add}Name={'x' * 65}").text
        assert long.startswith("# Error: Error setting")
        assert long.endswith("S3 OK\n")
        for _ in range(16):
            client.http.get(f"{add}Name=more")
        assert "# Request failed" in client.http.get(f"{add}Name=full").text
        assert client.http.get(
            "/axis-cgi/param.cgi?action=remove&group=root.StreamProfile.S2,StreamProfile.S3"
        ).text == ("OK")
        assert client.params("StreamProfile.S2").startswith("# Error")
        refused = client.http.get("/axis-cgi/param.cgi?action=remove&group=Brand").text
        assert "# Request failed" in refused
        assert client.http.get("/axis-cgi/param.cgi?action=add&template=x&group=Event").text.startswith(
            "# Error"
        )


def test_definitions_tell_type_bounds_and_rights(old: Lab) -> None:
    with vapix(old) as client:
        reply = client.http.get(
            "/axis-cgi/param.cgi?action=listdefinitions&listformat=xmlschema&group=root.SMTP,IOPort"
        )
        assert client.http.get("/axis-cgi/param.cgi?action=listdefinitions").text.startswith("# Error")
    assert reply.headers["content-type"] == "text/xml"
    assert b'encoding="iso-8859-1"' in reply.content
    root = etree.fromstring(reply.content)
    port = root.find(
        "d:group[@name='root']/d:group[@name='SMTP']/d:parameter[@name='MailServerPort1']", DEFINITIONS
    )
    assert port is not None
    assert {str(name): str(value) for name, value in port.attrib.items()} == {
        "name": "MailServerPort1",
        "value": "25",
        "securityLevel": "7766",
        "niceName": "MailServerPort1",
    }
    number = port.find("d:type/d:int", DEFINITIONS)
    assert number is not None
    assert {str(name): str(value) for name, value in number.attrib.items()} == {"min": "0", "max": "65535"}
    entries = root.iterfind(".//d:parameter[@name='Trig']/d:type/d:enum/d:entry", DEFINITIONS)
    assert [each.get("value") for each in entries] == ["closed", "open"]
    assert root.findtext("d:firmwareVersion", namespaces=DEFINITIONS) == "5.50.5.10"


def test_rights_hide_and_refuse(old: Lab) -> None:
    form = {"action": "add", "user": "eye", "pwd": "eyes", "grp": "users", "sgrp": "viewer"}
    with vapix(old) as client:
        assert "Created account eye." in client.http.post("/axis-cgi/pwdgrp.cgi", data=form).text
    import httpx

    with vapix(old, auth=httpx.DigestAuth("eye", "eyes")) as viewer:
        assert "root.SMTP.FromEmail" not in viewer.values()
        assert viewer.params("SMTP.FromEmail").startswith("# Error")
        assert viewer.update(**{"Time.POSIXTimeZone": "UTC0"}).startswith("# Error: Error setting")
        assert viewer.http.post("/axis-cgi/pwdgrp.cgi", data={"action": "get"}).status_code == 401
        assert viewer.raw_soap("<x/>").status_code == 401


def test_without_inputs_there_is_no_group(tmp_path: Path) -> None:
    with axis_lab(tmp_path, "11.11", inputs=0) as lab, vapix(lab) as client:
        assert client.params("IOPort").startswith("# Error")
        assert client.json("io/portmanagement.cgi", "getPorts")["data"] == {"numberOfPorts": 0}


def test_no_clock_here_on_5_and_a_local_one_later(lab: Lab) -> None:
    with vapix(lab) as client:
        found = client.values("Time.ServerDate")["Time.ServerDate"]
    assert (found == "") == (camera_of(lab).profile.name == "5.50")


@pytest.mark.skipif(not FIXTURE.is_file(), reason="the recordings of a real camera are not here")
def test_the_old_profile_names_its_parameters_as_a_real_camera_does(old: Lab) -> None:
    recorded = json.loads(FIXTURE.read_text("utf-8"))["transactions"][1]["response"]["body"]["string"]
    real = {line.split("=")[0].removeprefix("root.") for line in recorded.splitlines()}
    own = set(camera_of(old).params.definitions)
    assert own - real == set(), "no name was made up"


def test_the_state_file_is_for_its_owner_only(old: Lab) -> None:
    with vapix(old) as client:
        client.update(**{"root.SMTP.FromEmail": "a@b.example"})
    file = old.directory / "cameras" / f"{SITE}-camera-10.json"
    assert file.stat().st_mode & 0o777 == 0o600
