"""The lab recorder behaves: events make mails, edits wait for a restart, a technician can tamper."""

from __future__ import annotations

import base64
import hashlib
import socket
from collections.abc import Iterator, Mapping
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from ivn_provision.errors import LabError
from ivn_provision.lab.nvr import assumptions
from tests.wire.nvr_fixture import Running, Sink, ask, mail_sink, make_certificate, recorder, until

CONFIGURATION = r"C:\ProgramData\Milestone\Milestone Surveillance\configuration.xml"
STOP = ["Milestone Image Import Service", "Milestone Image Server", "Milestone Recording Server"]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Running]:
    with recorder(tmp_path) as running:
        yield running


def root(lab: Running) -> etree._Element:
    return etree.fromstring(lab.nvr.configuration_path.read_bytes())


def send(lab: Running, text: bytes, *, udp: bool = False) -> None:
    address = ("127.0.0.1", lab.nvr.event_port)
    if udp:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(text, address)
        return
    with socket.create_connection(address, timeout=5) as connection:
        connection.sendall(text)


def splice(lab: Running, old: bytes, new: bytes) -> dict[str, Any]:
    base = lab.nvr.configuration_path.read_bytes()
    result = base.replace(old, new, 1)
    at = base.index(old)
    return {
        "path": CONFIGURATION,
        "base_sha256": hashlib.sha256(base).hexdigest(),
        "splices": [[at, len(old), base64.b64encode(new).decode()]],
        "result_sha256": hashlib.sha256(result).hexdigest(),
    }


def control(action: str) -> dict[str, Any]:
    names = STOP if action == "stop" else STOP[::-1]
    return {"verb": "service_control", "action": action, "names": names, "timeout_seconds": 30}


def configure_mail(lab: Running, sink: Sink, **server: str) -> None:
    message = {
        "enabled": "true",
        "recipients": "portal@example.test",
        "subject": "Notification",
        "body": "Trigger Event : $TriggerName$\nCamera is : $CameraName$\nTime: $TriggerTime$",
    }
    lab.nvr.tamper("mail_message", "", message)
    settings = {"sender": "nvr@example.test", "host": "127.0.0.1", "port": str(sink.port), **server}
    lab.nvr.tamper("mail_server", "", settings)


def mail_events(lab: Running) -> None:
    """A generic and a hardware input event, as the tool would write them."""
    generic = (
        b"<GenericEvent><Guid>g-2</Guid><Name>2 S</Name><Enabled>1</Enabled><Substring>2 S</Substring>"
        b"<RuleType>Match</RuleType><Protocol>Any</Protocol><Priority>500</Priority><SendEmail>1</SendEmail></GenericEvent>"
    )
    camera = root(lab).findtext("Devices/*/Cameras/*/Guid")
    device = root(lab).findtext("Devices/*/Guid")
    hardware = (
        f"<HardwareInputEvents><HardwareInputEvent><Guid>h-2</Guid><Name>2 H Door</Name><Enabled>1</Enabled>"
        f"<DeviceGuid>{device}</DeviceGuid><Input>1</Input><Edge>Rising</Edge><SendEmail>1</SendEmail>"
        f"<EmailCamera>{camera}</EmailCamera><RecordCameras>All</RecordCameras></HardwareInputEvent></HardwareInputEvents>"
    ).encode()
    write = {
        "verb": "write_files",
        "files": [splice(lab, b"</GenericEvents>", generic + b"</GenericEvents>")],
    }
    assert ask(lab.protocol(), write)["steps"][0]["ok"] is True
    write = {"verb": "write_files", "files": [splice(lab, b"<HardwareInputEvents />", hardware)]}
    restarted = ask(lab.protocol(), control("stop"), write, control("start"))
    assert [step["ok"] for step in restarted["steps"]] == [True, True, True]


def body(mail: tuple[str, list[str], bytes]) -> list[str]:
    return str(message_from_bytes(mail[2], policy=policy.default).get_content()).splitlines()


def test_the_first_configuration(lab: Running) -> None:
    content = lab.nvr.configuration_path.read_bytes()
    assert content.startswith(b"\xef\xbb\xbf<?xml")
    assert b"\n" not in content.replace(b"\r\n", b"")
    config = root(lab)
    assert [each.text for each in config.iterfind("Devices/*/Cameras/*/DisplayName")] == [
        "Camera 1",
        "Camera 2",
    ]
    assert config.findtext("ProductInfo/ProductVersion") == "8.6a"
    assert config.findtext("ProductInfo/LabLayout") == "1"
    assert config.findtext("Events/Handling/AlertPort") == str(lab.nvr.event_port)
    assert config.findtext("Events/GenericEvents/GenericEvent/Name") == "Gate open by guard"
    source = config.findtext("AlarmDefinitions/AlarmDefinition/SourceEvent")
    assert source == config.findtext("Events/GenericEvents/GenericEvent/Guid")
    assert config.findtext("Users/User/Name") == "ivnview"
    assert b"lab-only" not in content


def test_services_and_programs(lab: Running) -> None:
    reply = ask(
        lab.protocol(),
        {"verb": "services", "path_pattern": "Milestone|VideoOS"},
        {"verb": "processes", "names": ["RecordingServer.exe", "ManagementApplication.exe"]},
        {
            "verb": "file_versions",
            "paths": [r"C:\Program Files (x86)\Milestone\Milestone Surveillance\RecordingServer.exe"],
        },
    )
    services, processes, versions = reply["steps"]
    assert len(services["services"]) == 5
    assert {each["state"] for each in services["services"]} == {"Running"}
    assert processes["running"] == ["RecordingServer.exe"]
    assert versions["files"][0]["product_name"] == "XProtect Professional 2014"
    lab.nvr.windows.management_application_open = True
    busy = ask(lab.protocol(), {"verb": "require_not_running", "names": ["ManagementApplication.exe"]})[
        "steps"
    ][0]
    assert busy["error"]["code"] == "busy"


def test_a_written_file_has_no_effect_before_the_restart(lab: Running) -> None:
    write = {"verb": "write_files", "files": [splice(lab, b"<Substring>GATE<", b"<Substring>DOOR<")]}
    assert ask(lab.protocol(), write)["steps"][0]["ok"] is True
    send(lab, b"the DOOR is open")
    until(lambda: len(lab.nvr.events_log) == 1)
    assert lab.nvr.events_log[0].kind == "unmatched"
    assert ask(lab.protocol(), control("stop"), control("start"))["steps"][1]["ok"] is True
    assert lab.nvr.counters.service_restarts == 3
    send(lab, b"the DOOR is open")
    until(lambda: lab.nvr.counters.events == 1)
    assert (lab.nvr.events_log[-1].kind, lab.nvr.events_log[-1].name) == ("generic", "Gate open by guard")


def test_the_event_port_is_closed_while_the_service_is_stopped(lab: Running) -> None:
    assert ask(lab.protocol(), control("stop"))["steps"][0]["ok"] is True
    with pytest.raises(ConnectionRefusedError):
        send(lab, b"GATE")
    assert lab.loop.run(lab.nvr.fire_input("192.168.10.61", 1, "rising")) == 0


def test_a_broken_configuration_keeps_the_service_down(lab: Running) -> None:
    write = {"verb": "write_files", "files": [splice(lab, b"</config>", b"</confiig>")]}
    reply = ask(lab.protocol(), control("stop"), write, control("start"))
    assert reply["steps"][2]["error"] == {
        "code": "timeout",
        "message": "the service did not reach the state in time: Milestone Recording Server",
    }
    assert "not well-formed" in lab.nvr.events_log[-1].detail
    with pytest.raises(LabError, match="cannot be opened"):
        lab.nvr.tamper("services", "", {"event_server_port": "1300"})


@pytest.mark.parametrize(
    ("udp", "text", "hit"),
    [
        (False, b"2 S", True),
        (False, b"2 S\r\n", True),
        (True, b"2 S", True),
        (True, b"2 S\0", True),
        (False, b"12 S", False),
        (False, b"2 s", False),
        (False, "2 Ś".encode(), False),
    ],
)
def test_generic_events_send_mail(lab: Running, udp: bool, text: bytes, hit: bool) -> None:
    with mail_sink() as sink:
        configure_mail(lab, sink)
        mail_events(lab)
        before = len(lab.nvr.events_log)
        send(lab, text, udp=udp)
        until(lambda: len(lab.nvr.events_log) == before + 1)
        if not hit:
            assert lab.nvr.events_log[-1].kind == "unmatched"
            return
        until(lambda: lab.nvr.counters.mails_sent == 1)
        sender, recipients, _ = sink.mails[0]
        assert (sender, recipients) == ("nvr@example.test", ["portal@example.test"])
        lines = body(sink.mails[0])
        assert lines[:2] == ["Trigger Event : 2 S", "Camera is : "]
        assert lines[2].startswith("Time: ")


def test_an_input_sends_mail_with_the_camera(lab: Running) -> None:
    with mail_sink() as sink:
        configure_mail(lab, sink)
        mail_events(lab)
        assert lab.loop.run(lab.nvr.fire_input("192.168.10.61", 1, "falling")) == 0
        assert lab.loop.run(lab.nvr.fire_input("192.168.10.62", 1, "rising")) == 0
        assert lab.loop.run(lab.nvr.fire_input("00:40:8c:12:34:56", 1, "rising")) == 1
        until(lambda: lab.nvr.counters.mails_sent == 1)
        assert body(sink.mails[0])[:2] == ["Trigger Event : 2 H Door", "Camera is : Camera 1"]
    for device, edge in (("10.0.0.1", "rising"), ("192.168.10.61", "sideways")):
        with pytest.raises(LabError):
            lab.loop.run(lab.nvr.fire_input(device, 1, edge))


def test_starttls_and_login(lab: Running, tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    folder.mkdir()
    _, context = make_certificate(folder)
    with mail_sink(context, login=("account", "lab-only")) as sink:
        configure_mail(lab, sink, security="starttls", login="true", username="account")
        mail_events(lab)
        send(lab, b"2 S")
        until(lambda: lab.nvr.counters.mails_sent == 1)
        lab.nvr.tamper("mail_server", "", {"password": "another"})
        send(lab, b"2 S")
        until(lambda: lab.nvr.counters.mails_failed == 1)
        assert "Authentication" in lab.nvr.mail_log[-1].error
        lab.nvr.tamper("mail_server", "", {"security": "none", "password": "lab-only"})
        send(lab, b"2 S")
        until(lambda: lab.nvr.counters.mails_failed == 2)
        assert len(sink.mails) == 1


@pytest.mark.parametrize(
    ("server", "error"),
    [
        ({"host": "smtp.ivnview.example"}, "not a loopback address"),
        ({"host": "192.0.2.1"}, "not a loopback address"),
        ({"port": "1"}, "refused"),
        ({"security": "starttls"}, "STARTTLS"),
        ({"security": "tls"}, "SSL"),
    ],
)
def test_a_mail_that_fails_is_logged_and_not_retried(
    lab: Running, server: Mapping[str, str], error: str
) -> None:
    with mail_sink() as sink:
        configure_mail(lab, sink, **server)
        mail_events(lab)
        send(lab, b"2 S")
        until(lambda: lab.nvr.counters.mails_failed == 1)
        assert error in lab.nvr.mail_log[0].error
        assert lab.nvr.mail_log[0].event == "2 S"
        assert sink.mails == []


def test_no_mail_unless_switched_on(lab: Running) -> None:
    with mail_sink() as sink:
        configure_mail(lab, sink)
        mail_events(lab)
        lab.nvr.tamper("mail_message", "", {"enabled": "no"})
        send(lab, b"2 S")
        until(lambda: lab.nvr.counters.events == 1)
        assert (lab.nvr.counters.mails_sent, lab.nvr.counters.mails_failed) == (0, 0)


def test_tampering(lab: Running) -> None:
    mail_events(lab)
    nvr = lab.nvr
    starts = nvr.windows.start_count["Milestone Recording Server"]
    nvr.tamper(
        "camera",
        "Camera 1",
        {"name": "10 Lobby & <more>", "codec": "mjpeg", "fps": "12", "recording": "always"},
    )
    nvr.tamper("camera", "10", {"label": "Gate", "enabled": "false", "pre_buffer_seconds": "7"})
    nvr.tamper("camera", "192.168.10.62", {"resolution": "640x480"})
    nvr.tamper("hardware_event", "2", {"label": "Window", "edge": "falling", "email": "false"})
    nvr.tamper("generic_event", "2", {"rule": "search", "match": "X"})
    nvr.tamper("alarm", "Server room temperature", {"time_profile": "Nights", "source": "2 S"})
    nvr.tamper("server_access", "", {"internet_access": "true", "internet_port": "8080"})
    nvr.tamper("services", "", {"log_server_port": "82"})
    nvr.tamper("user", "ivnview", {"administrator": "false"})
    nvr.tamper("user", "second", {"password": "new", "administrator": "true"})
    assert nvr.windows.start_count["Milestone Recording Server"] == starts + 10
    content, config = nvr.configuration_path.read_bytes(), root(lab)
    assert content.startswith(
        b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>\r\n<config>\r\n  <ProductInfo>'
    )
    assert b"\n" not in content.replace(b"\r\n", b"")
    camera = config.find("Devices/*/Cameras/Camera0")
    assert camera is not None
    expected = {
        "DisplayName": "10 Gate",
        "Disabled": "1",
        "VideoFormat/Codec": "MJPEG",
        "FrameRateSettings/FPS": "12",
        "Storage/DbSaveMode": "0",
        "Storage/DbPreSecs": "7",
        "Storage/EnableDbPreSecs": "1",
    }
    assert {path: camera.findtext(path) for path in expected} == expected
    assert config.findtext("Devices/Device00408C123457/Cameras/Camera0/VideoFormat/Resolution") == "640x480"
    event = config.find("Events/HardwareInputEvents/HardwareInputEvent")
    assert event is not None
    assert [event.findtext(n) for n in ("Name", "Edge", "SendEmail")] == ["2 H Window", "Falling", "0"]
    assert config.findtext("AlarmDefinitions/AlarmDefinition/SourceEvent") == "g-2"
    assert config.findtext("ServerAccess/InternetPort") == "8080"
    assert config.findtext("RegisteredServices/LogServerPort") == "82"
    users = {u.findtext("Name"): u.findtext("Administrator") for u in config.iterfind("Users/User")}
    assert users == {"ivnview": "0", "second": "1"}
    assert nvr.secrets["second"] == "new"
    assert b">new<" not in content


def test_the_event_port_moves_with_the_configuration(lab: Running) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    lab.nvr.tamper("services", "", {"event_server_port": str(port)})
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(b"GATE")
    until(lambda: lab.nvr.counters.events == 1)


def test_removing(lab: Running) -> None:
    mail_events(lab)
    lab.nvr.remove("generic_event", "2")
    lab.nvr.remove("hardware_event", "2")
    lab.nvr.remove("alarm", "Server room temperature")
    lab.nvr.remove("user", "ivnview")
    lab.nvr.remove("camera", "Camera 1")
    config = root(lab)
    assert len(config.findall("Events/GenericEvents/*")) == 1
    assert [
        len(config.findall(path))
        for path in ("Events/HardwareInputEvents/*", "AlarmDefinitions/*", "Users/*")
    ] == [0] * 3
    assert [each.tag for each in config.iterfind("Devices/*")] == ["Device00408C123457"]


@pytest.mark.parametrize(
    ("kind", "key", "fields", "said"),
    [
        ("planet", "", {}, "no kind"),
        ("camera", "77", {}, "'Camera 1', 'Camera 2'"),
        ("camera", "Camera 1", {"colour": "red"}, "fields: codec"),
        ("camera", "Camera 1", {"fps": "many"}, "digits"),
        ("camera", "Camera 1", {"codec": "vhs"}, "mjpeg"),
        ("camera", "Camera 1", {"recording": "maybe"}, "motion_and_event"),
        ("camera", "Camera 1", {"enabled": "perhaps"}, "true or false"),
        ("camera", "Camera 1", {"name": "a\x00b"}, ""),
        ("user", "nobody", {"administrator": "true"}, "ivnview"),
        ("alarm", "Server room temperature", {"source": "no event"}, "whole name"),
    ],
)
def test_tampering_with_what_is_not_there(
    lab: Running, kind: str, key: str, fields: Mapping[str, str], said: str
) -> None:
    before = lab.nvr.configuration_path.read_bytes()
    with pytest.raises(LabError) as refused:
        lab.nvr.tamper(kind, key, fields)
    assert said in f"{refused.value.summary} {refused.value.next_step}"
    assert lab.nvr.configuration_path.read_bytes() == before
    for bad, name in (("mail_server", ""), ("camera", "99"), ("planet", "")):
        with pytest.raises(LabError):
            lab.nvr.remove(bad, name)


def test_a_stopped_recorder_says_so(tmp_path: Path) -> None:
    with recorder(tmp_path) as lab:
        nvr, loop = lab.nvr, lab.loop
        loop.run(nvr.stop())
        with pytest.raises(LabError, match="not running"):
            nvr.tamper("camera", "Camera 1", {"fps": "5"})
        with pytest.raises(LabError, match="not running"):
            loop.run(nvr.fire_input("192.168.10.61", 1, "rising"))
        loop.run(nvr.start())
        nvr.tamper("camera", "Camera 1", {"fps": "5"})


def test_what_was_there_before_is_kept(tmp_path: Path) -> None:
    with recorder(tmp_path) as lab:
        lab.nvr.tamper("camera", "Camera 1", {"name": "10 Kept"})
        port = lab.nvr.event_port
    with recorder(tmp_path) as lab:
        assert root(lab).findtext("Devices/*/Cameras/*/DisplayName") == "10 Kept"
        assert lab.nvr.event_port == port


def test_what_the_lab_assumes_is_marked() -> None:
    found = assumptions()
    assert {each.mark for each in found} == {"certain", "inferred", "assumed"}
    assert all(each.topic and each.text for each in found)
    assert any("STARTTLS" in each.text for each in found)
