"""Faults of a lab recorder that acceptance looks for, over real sockets: each does what it says, and ends."""

from __future__ import annotations

import base64
import io
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.client import HTTPConnection
from pathlib import Path

import pytest
from PIL import Image

from ivn_provision.lab.fault_list import MACHINE, MAIL, RECORDER
from ivn_provision.lab.lab import Lab
from ivn_provision.lab.nvr import FAULTS, MACHINE_FAULTS
from ivn_provision.lab.nvr.generic_listener import STRANGER
from ivn_provision.lab.portal.front import FAULTS as PORTAL_FAULTS
from ivn_provision.lab.sites import generated_sites
from tests.support.image_client import ImageClient, Picture
from tests.support.world import own_addresses
from tests.wire.nvr_fixture import until

SITE = "lab-0001"
SKEW = 300


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """One recorder with a soft trigger and an input that mail."""
    sites = generated_sites(1, own_addresses())
    with Lab(tmp_path / "lab", sites, portal_port=0, mail_port=0) as lab:
        body = "Trigger Event : $TriggerName$\nCamera is : $CameraName$\nTime: $TriggerTime$"
        message = {"enabled": "true", "recipients": "a@b.example", "subject": "S", "body": body}
        lab.tamper(SITE, "mail_message", "", message)
        server = {"sender": "a@b.example", "host": "127.0.0.1", "port": str(lab.mail_port)}
        server |= {"security": "starttls", "login": "true", "username": SITE}
        lab.tamper(SITE, "mail_server", "", server)
        lab.tamper(SITE, "camera", "Camera 1", {"name": "10 Lobby"})
        lab.gui(SITE, "add", "generic_event", "2 S", {"match": "2 S", "rule": "match", "email": "true"})
        fields = {"camera": "10", "input": "1", "edge": "rising", "email": "true"}
        lab.gui(SITE, "add", "hardware_event", "2 H Door", fields)
        yield lab


def host(lab: Lab) -> str:
    return lab.site(SITE).host


def device(lab: Lab) -> str:
    return lab.site(SITE).cameras[0].address


def password(lab: Lab) -> str:
    return lab.secret_file(f"{SITE}-ivnview").read_text().strip()


def mails(lab: Lab) -> list[EmailMessage]:
    found = [message_from_bytes(mail.raw, policy=policy.default) for mail in lab.mail.messages]
    return [each for each in found if isinstance(each, EmailMessage)]


def fired(lab: Lab, *, soft: bool = False) -> int:
    """How many mails an event made."""
    nvr, before = lab.nvr(SITE), len(lab.mail.messages)
    events = nvr.counters.events
    if soft:
        send(lab, b"2 S")
    else:
        assert lab.fire_input(SITE, device(lab), 1) == 1
    until(lambda: nvr.counters.events == events + 1)
    lab.run(nvr.settled(None, 5))
    return len(lab.mail.messages) - before


def send(lab: Lab, text: bytes, source: str = "127.0.0.1") -> bytes:
    """What came back over the event port before its end."""
    place = (host(lab), lab.nvr(SITE).event_port)
    with socket.create_connection(place, timeout=5, source_address=(source, 0)) as connection:
        if source == STRANGER:
            return connection.recv(1)
        connection.sendall(text)
    return b""


def date(lab: Lab) -> datetime:
    connection = HTTPConnection(host(lab), lab.nvr(SITE).image_port, timeout=5)
    try:
        connection.request("GET", "/nothing")
        stamp = connection.getresponse().headers["Date"]
    finally:
        connection.close()
    return datetime.strptime(stamp, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)


def image_client(lab: Lab) -> tuple[ImageClient, tuple[str, str]]:
    """A client, and the answer to its `connect` to the first camera."""
    guid = next(iter(lab.nvr(SITE).store.load().cameras))
    client = ImageClient(lab.nvr(SITE).image_port, host=host(lab))
    return client, client.connect(guid, "ivnview", password(lab))


def test_mails_come_from_the_sites_own_address(lab: Lab) -> None:
    assert (fired(lab), fired(lab, soft=True)) == (1, 1)
    assert {mail.peer for mail in lab.mail.messages} == {host(lab)}
    assert host(lab) != "127.0.0.1"


def test_clock_skew(lab: Lab) -> None:
    nvr = lab.nvr(SITE)
    lab.fault(SITE, "clock-skew")
    real = datetime.now(UTC)
    assert fired(lab) == 1
    mail = mails(lab)[-1]
    seen = [
        datetime.strptime(str(nvr.windows.facts()["utc_now"]), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC),
        date(lab),
        mail["Date"].datetime,
        _mail_time(lab, mail),
        nvr.events_log[-1].at,
    ]
    assert [round((each - real).total_seconds()) for each in seen] == pytest.approx([SKEW] * 5, abs=3)
    lab.fault(SITE, "clock-skew", on=False)
    assert abs((date(lab) - datetime.now(UTC)).total_seconds()) < 3


def _mail_time(lab: Lab, mail: EmailMessage) -> datetime:
    text = str(mail.get_content()).splitlines()[2].removeprefix("Time: ")
    zone = lab.nvr(SITE).windows.now().tzinfo
    return datetime.strptime(text, "%m/%d/%Y %H:%M:%S").replace(tzinfo=zone)


def test_no_picture_and_picture_cut(lab: Lab) -> None:
    lab.fault(SITE, "no-picture")
    client, answer = image_client(lab)
    with client:
        assert answer == ("yes", "")
        client.call("live")
        assert not any(isinstance(client.package(), Picture) for _ in range(3))
        lab.fault(SITE, "no-picture", on=False)
        lab.fault(SITE, "picture-cut")
        cut = client.picture().jpeg
        assert (cut[:2], cut[-2:] == b"\xff\xd9") == (b"\xff\xd8", False)
        with pytest.raises(OSError, match="truncated"):
            Image.open(io.BytesIO(cut)).load()
        lab.fault(SITE, "picture-cut", on=False)
        Image.open(io.BytesIO(client.picture().jpeg)).load()


def test_login_refused(lab: Lab) -> None:
    lab.fault(SITE, "login-refused")
    client, answer = image_client(lab)
    client.__exit__()
    assert answer == ("no", "Wrong user name or password")
    assert "200" not in _status_line(lab)
    lab.fault(SITE, "login-refused", on=False)
    assert "200" in _status_line(lab)


def _status_line(lab: Lab) -> str:
    token = base64.b64encode(f"ivnview:{password(lab)}".encode()).decode()
    connection = HTTPConnection(host(lab), lab.nvr(SITE).image_port, timeout=5)
    try:
        connection.request("GET", "/systeminfo.xml", headers={"Authorization": f"Basic {token}"})
        return str(connection.getresponse().status)
    finally:
        connection.close()


def test_clients_full(lab: Lab) -> None:
    lab.fault(SITE, "clients-full")
    client, answer = image_client(lab)
    client.__exit__()
    assert answer == ("no", "Too many clients")
    assert _status_line(lab) == "200", "it needs no place"
    lab.fault(SITE, "clients-full", on=False)
    client, answer = image_client(lab)
    client.__exit__()
    assert answer == ("yes", "")


def test_web_port_closed(lab: Lab) -> None:
    nvr = lab.nvr(SITE)
    port, before = nvr.image_port, nvr.windows.local_http(80)
    assert before == (host(lab), port)
    lab.fault(SITE, "web-port-closed")
    lab.tamper(SITE, "server_access", "", {"max_clients": "5"})  # restarts the Image Server
    with pytest.raises(ConnectionRefusedError):
        date(lab)
    inside = nvr.windows.local_http(80)
    assert inside is not None
    assert inside[1] != port
    with socket.create_connection(inside, timeout=5):
        pass
    lab.fault(SITE, "web-port-closed", on=False)
    assert (nvr.image_port, nvr.windows.local_http(80)) == (port, before)
    date(lab)


def test_event_port_closed(lab: Lab) -> None:
    lab.fault(SITE, "event-port-closed")
    lab.tamper(SITE, "camera", "10", {"fps": "9"})  # restarts the Recording Server
    with pytest.raises(ConnectionRefusedError):
        send(lab, b"2 S")
    assert fired(lab) == 1, "inputs need no port"
    lab.fault(SITE, "event-port-closed", on=False)
    assert fired(lab, soft=True) == 1


def test_event_port_open_lets_strangers_in(lab: Lab) -> None:
    nvr = lab.nvr(SITE)
    place = (host(lab), nvr.event_port)
    assert send(lab, b"2 S", STRANGER) == b"", "closed at once"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind((STRANGER, 0))
        stranger.sendto(b"2 S", place)
    assert fired(lab, soft=True) == 1
    assert nvr.counters.events == 1, "what the stranger sent was not heard"
    lab.fault(SITE, "event-port-open")
    with socket.create_connection(place, timeout=0.3, source_address=(STRANGER, 0)) as stranger:
        with pytest.raises(TimeoutError):
            stranger.recv(1)
        stranger.sendall(b"2 S")
    until(lambda: nvr.counters.events == 2)


def test_mail_swallowed_until_the_box_was_saved_without_its_tick(lab: Lab) -> None:
    lab.fault(SITE, "mail-swallowed")
    assert (fired(lab), fired(lab, soft=True)) == (0, 0)
    lab.gui(SITE, "change", "hardware_event", "2 H Door", {"email": "false"})
    assert fired(lab) == 0
    lab.gui(SITE, "change", "hardware_event", "2 H Door", {"email": "true"})
    assert (fired(lab), fired(lab, soft=True)) == (1, 0), "only this event is cured"
    lab.fault(SITE, "mail-swallowed", on=False)
    assert fired(lab, soft=True) == 1
    lab.fault(SITE, "mail-swallowed")
    assert fired(lab) == 0, "and the cure is forgotten with the fault"


def test_mail_twice(lab: Lab) -> None:
    lab.fault(SITE, "mail-twice")
    assert (fired(lab), fired(lab, soft=True)) == (2, 1), "no camera sees a soft trigger"
    pair = mails(lab)[:2]
    assert pair[0].get_content() == pair[1].get_content()
    assert sorted(str(each["X-Mailer"]) for each in pair) == ["None", "camera"]
    assert pair[0]["Message-ID"] != pair[1]["Message-ID"]
    lab.fault(SITE, "mail-twice", on=False)
    assert fired(lab) == 1


def test_mail_interval(lab: Lab) -> None:
    assert fired(lab) == 1
    lab.fault(SITE, "mail-interval")
    assert (fired(lab), fired(lab, soft=True), fired(lab)) == (1, 0, 0)
    lab.fault(SITE, "mail-interval", on=False)
    assert fired(lab, soft=True) == 1


def test_disk_full(lab: Lab) -> None:
    system = lab.nvr(SITE).windows.system
    before = system.disks
    lab.fault(SITE, "disk-full")
    lab.fault(SITE, "disk-full")
    assert [each.free_bytes * 100 // each.size_bytes for each in system.disks] == [1]
    lab.fault(SITE, "disk-full", on=False)
    assert system.disks == before


def test_service_dead_can_be_started_again(lab: Lab) -> None:
    windows, name = lab.nvr(SITE).windows, "Milestone Event Server"
    lab.fault(SITE, "service-dead")
    assert windows.state(name) == "Stopped"
    lab.tamper(SITE, "windows_service", name, {"state": "running"})
    assert "service-dead" not in windows.faults
    lab.fault(SITE, "service-dead")
    lab.fault(SITE, "service-dead", on=False)
    assert windows.state(name) == "Running"


def test_every_fault_is_in_the_list_once() -> None:
    names = [each.name for each in (*RECORDER, *MACHINE)]
    assert len(names) == len(set(names)) == len(MACHINE_FAULTS)
    assert not MACHINE_FAULTS & FAULTS
    assert all(0 <= each.row <= 44 and each.text for each in (*RECORDER, *MACHINE, *MAIL))
    assert PORTAL_FAULTS


def test_the_page_about_the_lab_says_what_the_list_says() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/how-to/use-the-lab.md").read_text("utf-8")
    for each in RECORDER:
        assert f"| `{each.name}` | {each.row or '-'} | {each.text} |" in page
    for each in MACHINE:
        assert f"`{each.name}`" in page
