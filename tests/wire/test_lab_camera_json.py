"""JSON APIs and small CGIs of the lab's cameras (facts/axis.md, 4, 6 and 8)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from ivn_provision.lab.camera.profile import PROFILES
from ivn_provision.lab.lab import Lab
from tests.support.axis_camera import axis_lab, camera_of, vapix

PORTS = "io/portmanagement.cgi"


@pytest.fixture(params=PROFILES)
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    with axis_lab(tmp_path, str(request.param)) as lab:
        yield lab


@pytest.fixture
def newest(tmp_path: Path) -> Iterator[Lab]:
    with axis_lab(tmp_path, "12.9") as lab:
        yield lab


def test_old_firmware_has_none(tmp_path: Path) -> None:
    with axis_lab(tmp_path, "5.50") as lab, vapix(lab) as client:
        for path in (
            "apidiscovery.cgi",
            "basicdeviceinfo.cgi",
            PORTS,
            "streamprofile.cgi",
            "systemready.cgi",
        ):
            reply = client.http.post(f"/axis-cgi/{path}", json={"apiVersion": "1.0", "method": "getApiList"})
            assert reply.status_code == 404
            assert reply.headers["content-type"] == "text/html; charset=ISO-8859-1"
            assert "<TITLE>404 Not Found</TITLE>" in reply.text


@pytest.mark.parametrize("profile", ["10.12", "11.11", "12.9"])
def test_newer_firmware_lists_what_it_has(profile: str, tmp_path: Path) -> None:
    with axis_lab(tmp_path, profile) as lab, vapix(lab) as client:
        reply = client.json("apidiscovery.cgi", "getApiList")
        assert (reply["context"], reply["method"]) == ("ctx", "getApiList")
        listed = {each["id"]: each for each in reply["data"]["apiList"]}
        assert {"io-port-management", "basic-device-info", "param-cgi", "stream-profiles"} < set(listed)
        assert ("status" in listed["param-cgi"]) == (profile == "12.9")
        assert not [each for each in listed if "action" in each], "there is no id for the SOAP services"
        info = client.json("basicdeviceinfo.cgi", "getAllProperties")
        assert (info["apiVersion"], "method" in info) == ("1.3", False)
        assert info["data"]["propertyList"]["Version"] == camera_of(lab).profile.firmware
        assert info["data"]["propertyList"]["SerialNumber"] == camera_of(lab).camera.mac
        info = client.json("time.cgi", "getDateTimeInfo")
        assert info["data"]["posixTimeZone"] == "GMT0"


def test_errors_are_200_with_a_code(newest: Lab) -> None:
    def code(**asked: Any) -> int:
        reply = client.http.post(f"/axis-cgi/{PORTS}", json=asked)
        assert reply.status_code == 200
        return int(reply.json()["error"]["code"])

    with vapix(newest) as client:
        assert code(apiVersion="1.0", method="fly") == 2102
        assert code(apiVersion="9.0", method="getPorts") == 2100
        assert code(apiVersion="1.0") == 2103
        assert code(apiVersion="1.0", method="setPorts", params={}) == 2103
        assert code(apiVersion="1.0", method="setPorts", params={"ports": 1}) == 2104
        assert client.http.post(f"/axis-cgi/{PORTS}", content=b"{").json()["error"]["code"] == 2101
        assert client.http.post(f"/axis-cgi/{PORTS}", content=b"[" * 100_000).json()["error"]["code"] == 2101
        assert client.json("streamprofile.cgi", "fly")["error"]["code"] == 2005


def test_ports_from_zero_as_texts_and_the_same_in_param_cgi(newest: Lab) -> None:
    with vapix(newest) as client:
        ports = client.json(PORTS, "getPorts")["data"]
        assert ports["numberOfPorts"] == 2
        assert ports["items"][0] == {
            "port": "0",
            "state": "open",
            "configurable": False,
            "readonly": True,
            "usage": "",
            "direction": "input",
            "name": "Port 1",
            "normalState": "open",
        }
        wanted = {"port": "0", "name": "Door", "normalState": "closed"}
        assert client.json(PORTS, "setPorts", ports=[wanted])["data"] == {"ports": ["0"]}
        assert client.values("IOPort.I0.Input") == {
            "IOPort.I0.Input.Name": "Door",
            "IOPort.I0.Input.Trig": "open",
        }
        refused = client.json(PORTS, "setPorts", ports=[{"port": "0", "direction": "output"}])["error"]
        assert refused["details"] == {"port": "0", "propertyName": "direction"}
        assert client.json(PORTS, "setPorts", ports=[{"port": "7"}])["error"]["code"] == 2104
    assert camera_of(newest).counters.writes == 1


def test_configurable_ports_change_what_the_events_know(tmp_path: Path) -> None:
    with axis_lab(tmp_path, "10.12") as lab, vapix(lab) as client:
        assert client.values("Input.NbrOfInputs,Output.NbrOfOutputs") == {
            "Input.NbrOfInputs": "1",
            "Output.NbrOfOutputs": "1",
        }
        assert "data" in client.json(PORTS, "setPorts", ports=[{"port": "1", "direction": "input"}])
        assert client.values("Input.NbrOfInputs") == {"Input.NbrOfInputs": "2"}
        (leaf,) = [each for each in camera_of(lab).device.events.leaves if each.topic.endswith("IO/Port")]
        assert dict(leaf.instances) == {"0": "Port 1", "1": "Port 2", "-1": "Any"}


def test_stream_profiles_are_those_of_param_cgi(newest: Lab) -> None:
    path = "streamprofile.cgi"
    with vapix(newest) as client:
        made = {"name": "ours", "description": "", "parameters": "videocodec=mjpeg"}
        assert "data" in client.json(path, "create", streamProfile=[made])
        assert "error" in client.json(path, "create", streamProfile=[made])
        assert client.values("StreamProfile.S2.Name") == {"StreamProfile.S2.Name": "ours"}
        assert "data" in client.json(path, "update", streamProfile=[{**made, "parameters": "fps=8"}])
        found = client.json(path, "list", streamProfileName=[{"name": "ours"}])["data"]
        assert found == {"streamProfile": [{**made, "parameters": "fps=8"}], "maxProfiles": 20}
        assert len(client.json(path, "list")["data"]["streamProfile"]) == 3
        assert "data" in client.json(path, "remove", streamProfileName=[{"name": "ours"}])
        assert "error" in client.json(path, "remove", streamProfileName=[{"name": "ours"}])
    assert camera_of(newest).counters.writes == 3


def test_config_discover(lab: Lab) -> None:
    with vapix(lab) as client:
        reply = client.http.get("/config/discover")
    name = camera_of(lab).profile.name
    if name in {"5.50", "10.12"}:
        assert reply.status_code == 404
    else:
        apis = reply.json()["apis"]
        assert ("action-rules" in apis) == (name == "12.9")
    if name == "12.9":
        assert apis["action-rules"]["v2"]["rest_api"] == "/config/rest/action-rules/v2beta"
        assert apis["action-rules"]["v2"]["version"] == "2.0.0-beta.2"


def test_tcptest_connects_for_real_and_to_loopback_only(lab: Lab) -> None:
    with vapix(lab) as client:

        def ask(**fields: str) -> str:
            return client.http.get("/axis-cgi/tcptest.cgi", params=fields).text

        before = lab.mail.counters.connections
        assert ask(address="127.0.0.1", port=str(lab.mail_port)).startswith("OK")
        assert lab.mail.counters.connections == before + 1
        assert ask(address="127.0.0.1", port="1").startswith("Error: could not connect")
        assert "not a loopback address" in ask(address="192.0.2.1", port="25")
        assert ask(address="127.0.0.1", port="9" * 5000).startswith("Error")


def test_date(lab: Lab) -> None:
    with vapix(lab) as client:
        reply = client.http.get("/axis-cgi/date.cgi?action=get")
        assert client.http.get("/axis-cgi/date.cgi").text.startswith("Request failed: ")
    assert reply.text.strip()[3] == " "
    assert reply.headers["date"].endswith(" GMT")


def test_virtual_inputs_answer_in_xml(lab: Lab) -> None:
    space = {"v": "http://www.axis.com/vapix/http_cgi/virtualinput1"}

    def ask(path: str, **fields: str) -> etree._Element:
        reply = client.http.get(f"/axis-cgi/virtualinput/{path}.cgi", params=fields)
        assert reply.status_code == 200
        return etree.fromstring(reply.content)

    with vapix(lab) as client:
        changed = "v:Success/v:ActivateSuccess/v:StateChanged"
        assert ask("activate", schemaversion="1", port="3").findtext(changed, namespaces=space) == "true"
        assert ask("activate", schemaversion="1", port="3").findtext(changed, namespaces=space) == "false"
        assert ask("deactivate", schemaversion="1", port="3").find("v:Success", space) is not None
        for bad in ({"schemaversion": "1", "port": "0"}, {"port": "1"}, {"schemaversion": "1", "port": "99"}):
            assert ask("activate", **bad).find("v:Error/v:GeneralError/v:ErrorCode", space) is not None


def test_whatever_is_sent_is_answered(lab: Lab) -> None:
    paths = list(camera_of(lab)._places)
    texts = (
        "",
        "action=list&group=%00",
        "action=update&a=%FF",
        "port=%C2%B2&schemaversion=1",
        "checkactive=%C2%B2",
    )
    with vapix(lab) as client:
        for path in (*paths, "/", "/axis-cgi/none.cgi"):
            for text in texts:
                assert client.http.get(f"{path}?{text}").status_code in {200, 404, 405}
                assert client.http.post(path, content=b"\xff<{" + text.encode()).status_code in {
                    200,
                    400,
                    404,
                    405,
                }
        assert client.http.post("/vapix/services", content=b"x" * 300_000).status_code == 413
        assert client.values("Brand.Brand") == {"Brand.Brand": "AXIS"}
