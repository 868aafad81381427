"""A person at the lab's Management Application, in both stores: what a save leaves behind, and what it makes happen."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from email import message_from_bytes, policy
from pathlib import Path
from typing import Literal

import pytest
from click.testing import CliRunner

from ivn_provision.cli.lab import command
from ivn_provision.errors import LabError
from ivn_provision.lab.lab import Lab
from ivn_provision.lab.nvr.store import RESTORE_POINTS, Edit
from ivn_provision.lab.nvr.store_b_initial import ALARMS, CONFIG, EVENTS, MAIL, USAGE
from ivn_provision.lab.sites import generated_sites, with_store_b
from tests.support.world import own_addresses
from tests.wire.nvr_fixture import Running, ask, mail_sink, make_certificate, recorder, until

SERVICES = ("Milestone Recording Server", "Milestone Image Server", "Milestone Event Server")
BODY = "Trigger Event : $TriggerName$\nCamera is : $CameraName$\nTime: $TriggerTime$"
MESSAGE = {"enabled": "true", "recipients": "one@x.test;two@x.test", "subject": "S & <s>", "body": BODY}


@pytest.fixture(params=["a", "b"])
def lab(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Running]:
    store: Literal["a", "b"] = request.param
    with recorder(tmp_path, store=store) as running:
        yield running


@pytest.fixture
def lab_b(tmp_path: Path) -> Iterator[Running]:
    with recorder(tmp_path, store="b") as running:
        yield running


def gui(
    lab: Running, action: str, kind: str = "", key: str = "", fields: Mapping[str, str] | None = None
) -> None:
    lab.nvr.gui(Edit(action, kind, key, fields or {}))


def contents(lab: Running) -> dict[str, bytes]:
    return {path: lab.nvr.windows.tree.locate(path).read_bytes() for path in lab.nvr.store.files}


def starts(lab: Running) -> list[tuple[str, int]]:
    return [
        (each.started_at, each.process_id) for each in lab.nvr.windows.services() if each.name in SERVICES
    ]


def send(lab: Running, text: bytes) -> None:
    with socket.create_connection(("127.0.0.1", lab.nvr.event_port), timeout=5) as connection:
        connection.sendall(text)


def events_text(lab: Running) -> str:
    return contents(lab)[EVENTS.path].decode("utf-16")


def test_what_a_person_adds_sends_the_mail_that_the_person_wrote(lab: Running) -> None:
    with mail_sink() as sink:
        gui(lab, "add", "generic_event", "2 S", {"match": "2 S", "rule": "match", "email": "true"})
        fields = {"camera": "Camera 2", "input": "1", "edge": "falling", "email": "true", "record": "all"}
        gui(lab, "add", "hardware_event", "3 H Door", fields)
        gui(lab, "change", "mail_message", "", MESSAGE)
        gui(
            lab,
            "change",
            "mail_server",
            "",
            {"sender": "nvr@x.test", "host": "127.0.0.1", "port": str(sink.port), "security": "none"},
        )
        send(lab, b"2 S")
        until(lambda: len(sink.mails) == 1)
        assert lab.loop.run(lab.nvr.fire_input("192.168.10.62", 1, "rising")) == 0
        assert lab.loop.run(lab.nvr.fire_input("192.168.10.62", 1, "falling")) == 1
        until(lambda: len(sink.mails) == 2)
        sender, recipients, raw = sink.mails[1]
        mail = message_from_bytes(raw, policy=policy.default)
        assert (sender, recipients) == ("nvr@x.test", ["one@x.test", "two@x.test"])
        assert mail["Subject"] == "S & <s>"
        lines = mail.get_content().splitlines()
        assert lines[:2] == ["Trigger Event : 3 H Door", "Camera is : Camera 2"]
        gui(lab, "change", "generic_event", "2 S", {"email": "false"})
        gui(lab, "remove", "hardware_event", "3 H Door")
        send(lab, b"2 S")
        until(lambda: lab.nvr.counters.events == 3)
        assert lab.loop.run(lab.nvr.fire_input("192.168.10.62", 1, "falling")) == 0
        assert len(sink.mails) == 2


@pytest.mark.parametrize(
    ("security", "number", "username"), [("none", "0", ""), ("starttls", "1", "account"), ("tls", "2", "")]
)
def test_the_mail_server_of_store_b(
    lab_b: Running, tmp_path: Path, security: str, number: str, username: str
) -> None:
    folder = tmp_path / "mail"
    folder.mkdir()
    _, context = make_certificate(folder)
    login = ("account", "typed by hand") if username else None
    with mail_sink(context if security == "starttls" else None, login=login) as sink:
        gui(lab_b, "change", "mail_message", "", MESSAGE)
        server = {"sender": "a@x.test", "host": "127.0.0.1", "port": str(sink.port), "security": security}
        gui(lab_b, "change", "mail_server", "", {**server, "username": username, "password": "typed by hand"})
        gui(lab_b, "change", "generic_event", "Gate open by guard", {"email": "true"})
        text = contents(lab_b)[MAIL.path].decode()
        assert f"security='{number}'" in text
        assert f"account='{username}'" in text
        assert "typed by hand" not in text
        send(lab_b, b"the GATE")
        counters = lab_b.nvr.counters
        until(lambda: counters.mails_sent + counters.mails_failed == 1)
        assert counters.mails_sent == (0 if security == "tls" else 1), lab_b.nvr.mail_log


def test_a_save_is_a_save_whatever_was_changed(lab: Running) -> None:
    before, services = contents(lab), starts(lab)
    points = lab.nvr.windows.tree.locate(RESTORE_POINTS)
    gui(lab, "save")
    assert starts(lab) == services
    assert [len(list(each.iterdir())) for each in points.iterdir()] == [len(before)]
    changed = [path for path, content in contents(lab).items() if content != before[path]]
    assert len(changed) == (4 if lab.nvr.site.store == "b" else 0)
    assert next(points.iterdir()).joinpath("configuration.xml").read_bytes() == contents(lab)[CONFIG.path]
    for _ in range(12):
        gui(lab, "save")
    assert len(list(points.iterdir())) == 10


def test_each_kind_of_store_b_restarts_its_own_services(lab_b: Running) -> None:
    restarted = {}
    for kind, key, fields in (
        ("generic_event", "Gate open by guard", {"enabled": "false"}),
        ("mail_message", "", {"enabled": "true"}),
        ("mail_server", "", {"port": "26"}),
        ("alarm", "Server room temperature", {"enabled": "false"}),
    ):
        before = starts(lab_b)
        gui(lab_b, "change", kind, key, fields)
        after = starts(lab_b)
        restarted[kind] = [
            name.split()[1] for name, old, new in zip(SERVICES, before, after, strict=True) if old != new
        ]
        assert all(old == new or old[0] < new[0] for old, new in zip(before, after, strict=True))
    assert restarted == {
        "generic_event": ["Recording", "Image"],
        "mail_message": ["Recording"],
        "mail_server": ["Recording"],
        "alarm": ["Event"],
    }


def test_the_files_of_store_b_are_of_many_kinds(lab_b: Running) -> None:
    gui(lab_b, "add", "generic_event", "997 S <&>'\"", {"match": "a < b", "rule": "match"})
    gui(lab_b, "add", "alarm", "Forced", {"source": "997 S <&>'\"", "description": "why"})
    files = contents(lab_b)
    events = files[EVENTS.path]
    assert events.startswith(b"\xff\xfe<\x00")
    text = events.decode("utf-16")
    assert text.startswith('<?xml version="1.0" encoding="utf-16"?>\r\n<EventStore ')
    assert '\r\n\t\t\t<Label Text="997 S &lt;&amp;&gt;\'&quot;"/>\r\n' in text
    assert ">a &lt; b</Trigger>" in text
    assert files[MAIL.path].startswith(b"<?xml version='1.0'")
    assert b"\r" not in files[MAIL.path]
    assert b"<Group>External Event</Group>" in files[ALARMS.path]
    assert all(each not in files[CONFIG.path] for each in (b"GenericEvent", b"Notifications", b"LabLayout"))
    usage = lab_b.nvr.windows.tree.locate(USAGE).read_bytes()
    assert usage.startswith(b"saves=2\r\n")


def test_attributes_of_store_b_change_their_order_and_nothing_else(lab_b: Running) -> None:
    gui(lab_b, "save")
    first = events_text(lab_b)
    gui(lab_b, "save")
    second = events_text(lab_b)
    assert {'<Event Id="' in text for text in (first, second)} == {True, False}
    assert {'<Event Class="' in text for text in (first, second)} == {True, False}
    generics = lab_b.nvr.store.load().generics
    assert [(each.name, each.rule, each.substring) for each in generics] == [
        ("Gate open by guard", "search", "GATE")
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('Rule="0"', 'Rule="Search"'),
        ('State="Y"', 'State="1"'),
        ('Encoding="1252"', 'Encoding="65001"'),
        ("<Sms ", "<Fax "),
        ('Id="{', 'Id="'),
        ('Alert="', 'Alert="x'),
    ],
)
def test_store_b_is_not_started_with_words_it_does_not_know(lab_b: Running, old: str, new: str) -> None:
    place = lab_b.nvr.windows.tree.locate(EVENTS.path)
    place.write_bytes(b"\xff\xfe" + events_text(lab_b).replace(old, new).encode("utf-16-le"))
    assert lab_b.nvr.windows.control("Milestone Recording Server", running=False)
    assert not lab_b.nvr.windows.control("Milestone Recording Server", running=True)
    log = next(
        lab_b.nvr.windows.tree.locate(r"C:\ProgramData\Milestone\Milestone Surveillance\logs").glob("Rec*")
    )
    assert " ERROR Recording Server cannot start: " in log.read_text().splitlines()[-1]


def test_settings_come_back_as_they_were_at_the_last_save(lab: Running) -> None:
    gui(lab, "change", "mail_message", "", MESSAGE)
    gui(lab, "save")
    gui(lab, "change", "mail_message", "", {"enabled": "false", "subject": "other", "recipients": ""})
    gui(lab, "restore", "mail_message")
    mail = lab.nvr.store.load().mail
    assert (mail.enabled, mail.subject, mail.recipients) == (True, "S & <s>", ("one@x.test", "two@x.test"))
    assert mail.message == BODY


@pytest.mark.parametrize(
    ("action", "kind", "key", "fields", "message"),
    [
        ("add", "generic_event", "Gate open by guard", {}, "already"),
        ("add", "generic_event", "", {}, "already"),
        ("add", "mail_message", "x", {}, "cannot be added"),
        ("add", "camera", "x", {}, "no camera|cannot be added"),
        ("change", "generic_event", "nothing", {"email": "true"}, "there is no generic_event 'nothing'"),
        ("change", "generic_event", "Gate open by guard", {"colour": "red"}, "no field 'colour'"),
        ("change", "generic_event", "Gate open by guard", {"rule": "guess"}, "not known here"),
        ("change", "generic_event", "Gate open by guard", {"email": "maybe"}, "neither true nor false"),
        ("change", "generic_event", "Gate open by guard", {"match": "a\x00b"}, "control characters"),
        ("change", "hardware_event", "3 H", {"camera": "Camera 9"}, "there is no"),
        ("add", "hardware_event", "3 H", {"camera": "Camera 9"}, "there is no camera 'Camera 9'"),
        ("add", "hardware_event", "3 H", {"device": "10.0.0.1"}, "there is no device"),
        ("add", "alarm", "A", {"source": "nothing"}, "no event named"),
        ("remove", "mail_server", "", {}, "cannot be removed"),
        ("restore", "mail_server", "", {}, "nothing was kept"),
        ("change", "toaster", "", {}, "no kind 'toaster'"),
        ("dance", "alarm", "", {}, "is no action"),
    ],
)
def test_what_nobody_can_do_changes_nothing(
    lab: Running, action: str, kind: str, key: str, fields: dict[str, str], message: str
) -> None:
    before, services = contents(lab), starts(lab)
    with pytest.raises(LabError, match=message):
        gui(lab, action, kind, key, fields)
    assert (contents(lab), starts(lab)) == (before, services)
    assert not lab.nvr.windows.management_application_open


def test_a_broken_file_of_store_b_cannot_be_edited(lab_b: Running) -> None:
    lab_b.nvr.windows.tree.locate(EVENTS.path).write_bytes(b"<!DOCTYPE x [<!ENTITY y 'z'>]><x>&y;</x>")
    with pytest.raises(LabError, match=r"events\.config cannot be opened"):
        gui(lab_b, "save")


def test_an_open_application_is_seen_and_stays_open(lab: Running) -> None:
    seen = {"verb": "processes", "names": ["ManagementApplication.exe"]}
    assert ask(lab.protocol(), seen)["steps"][0]["running"] == []
    lab.nvr.open_gui()
    gui(lab, "save")
    assert ask(lab.protocol(), seen)["steps"][0]["running"] == ["ManagementApplication.exe"]
    lab.nvr.open_gui(is_open=False)
    assert ask(lab.protocol(), seen)["steps"][0]["running"] == []


def test_tampering_works_in_both_stores(lab: Running) -> None:
    nvr = lab.nvr
    nvr.tamper("camera", "Camera 1", {"name": "10 Lobby", "recording": "always"})
    nvr.tamper("camera", "10", {"label": "Hall"})
    assert "10 Hall" in nvr.store.load().cameras.values()
    gui(lab, "add", "generic_event", "2 S Soft", {})
    nvr.tamper("generic_event", "2", {"label": "Button", "substring": "PRESS", "protocol": "tcp"})
    event = nvr.store.load().generics[-1]
    assert (event.name, event.substring, event.protocol, event.rule) == (
        "2 S Button",
        "PRESS",
        "tcp",
        "search",
    )
    gui(lab, "add", "hardware_event", "3 H x", {"device": "00:40:8C:12:34:57"})
    nvr.tamper("hardware_event", "3", {"input": "2"})
    found = nvr.store.load()
    assert (found.inputs[0].number, found.inputs[0].device) == (2, found.devices[1].guid)
    port = nvr.store.load().alert_port
    nvr.tamper("services", "", {"log_server_port": "82"})
    assert nvr.store.load().alert_port == port
    nvr.remove("generic_event", "2")
    assert [each.name for each in nvr.store.load().generics] == ["Gate open by guard"]


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(command, list(words))
    if isinstance(done.exception, LabError):
        return 1, done.exception.summary
    return done.exit_code, done.output


def test_the_command(tmp_path: Path) -> None:
    sites = with_store_b(generated_sites(2, own_addresses()), ["lab-0002"])
    with Lab(tmp_path, sites, portal_port=0, mail_port=0) as lab, lab.control(lambda: None):
        here = ("--dir", str(tmp_path))
        added = run("gui", "lab-0002", "generic_event", "add", "997 S x", "--set", "match=a=b", *here)
        assert added == (0, "Added lab-0002/generic_event/997 S x, and saved.\n")
        assert lab.nvr("lab-0002").store.load().generics[-1].substring == "a=b"
        assert run("gui", "lab-0002", "mail_message", "change", "--set", "enabled=yes", *here)[0] == 0
        assert run("gui", "lab-0002", "generic_event", "remove", "997 S x", *here)[0] == 0
        assert run("gui", "lab-0002", "save", *here) == (0, "Saved on lab-0002 without a change.\n")
        assert run("gui", "lab-0002", "open", *here)[0] == 0
        shown = run("status", *here)[1]
        assert "lab-0002: XProtect Professional 2014 8.7b, store b" in shown
        assert "ManagementApplication.exe is open" in shown
        assert "lab-0001: XProtect Professional 2014 8.6a, store a" in shown
        assert run("gui", "lab-0002", "close", *here)[0] == 0
        code, shown = run("gui", "nowhere", "save", *here)
        assert (code, "nowhere" in shown) == (1, True)
        for wrong in (("dance",), ("generic_event", "add"), ("alarm", "sing", "x"), ("save", "a", "b", "c")):
            assert run("gui", "lab-0002", *wrong, *here)[0] != 0
        assert run("fault", "lab-0001", "disk-full", *here)[0] == 0
        assert "lab-0001: disk-full" in run("status", *here)[1]


def test_a_site_that_is_not_there_has_no_store() -> None:
    with pytest.raises(LabError, match="no site 'lab-9'"):
        with_store_b(generated_sites(1), ["lab-9"])
    assert [each.store for each in with_store_b(generated_sites(2))] == ["b", "b"]
