"""Mails over real SMTP: who may send, and what the portal makes of what it gets."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ivn_provision.lab.lab import Lab
from ivn_provision.lab.mail.grammar import read_mail, read_time
from tests.wire.portal_client import HARBOR, authorised, create_harbor, secret

BODY = "Trigger Event : {trigger}\nCamera is : {camera}\nTime: {time}\n"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with Lab(tmp_path / "lab", free_ports=True, recorders=False) as lab:
        yield lab


def local_time(shift: timedelta = timedelta()) -> str:
    return (datetime.now(ZoneInfo("America/New_York")) + shift).strftime("%m/%d/%Y %H:%M:%S")


def send(lab: Lab, recipient: str, body: str, *, charset: str = "utf-8", cte: str | None = None) -> None:
    message = EmailMessage()
    message["From"] = message["To"] = recipient
    message["Subject"] = "Milestone XProtect Professional Notification"
    message.set_content(body, charset=charset, cte=cte)
    context = ssl.create_default_context(cafile=str(lab.ca_file))
    with smtplib.SMTP("127.0.0.1", lab.mail_port, timeout=10) as server:
        server.starttls(context=context)
        server.login("harbor-marina", secret(lab, "harbor-marina-smtp"))
        server.send_message(message)


def test_a_mail_becomes_an_event_on_the_right_pin(lab: Lab) -> None:
    with authorised(lab) as client:
        account = create_harbor(client)
        send(
            lab,
            account,
            BODY.format(trigger="2 H – Door", camera="10 Lobby", time=local_time()),
            cte="base64",
        )
        event = client.get(HARBOR + "/events").json()["results"][0]
    assert (event["parse_status"], event["detail"]) == ("parsed", "")
    assert (event["pin"], event["source"], event["camera"], event["event_type"]) == (
        2,
        "hardware",
        10,
        "perimeter",
    )
    assert (event["trigger"], event["sender"], event["recipient"]) == ("2 H – Door", account, account)
    assert abs(event["offset_seconds"]) < 5
    assert [clip["status"] for clip in event["clips"]] in (["pending"], ["unreachable"]), "no web port is set"
    assert (event["peer"], event["test"], event["release"]["status"]) == ("127.0.0.1", False, "immediate")
    mail = lab.mail.messages[-1]
    assert (mail.username, mail.account, mail.tls, mail.recipients) == (
        "harbor-marina",
        "harbor-marina",
        True,
        (account,),
    )


def test_a_wrong_clock_is_seen_in_the_offset(lab: Lab) -> None:
    with authorised(lab) as client:
        account = create_harbor(client)
    send(lab, account, BODY.format(trigger="2 S", camera="", time=local_time(-timedelta(minutes=7))))
    event = lab.portal.events("harbor-marina")[0]
    assert (event["parse_status"], event["camera"]) == ("parsed", 10)
    assert event["offset_seconds"] == pytest.approx(-420, abs=5)


@pytest.mark.parametrize(
    ("trigger", "camera", "status", "detail"),
    [
        ("2 H", "11 Gate", "camera_mismatch", "says camera 11"),
        ("2 H Door", "", "camera_mismatch", "names no camera"),
        ("2 H Door", "Lobby 10", "camera_mismatch", "does not begin with"),
        ("2 S", "11 Gate", "camera_mismatch", "says camera 11"),
        ("3 H Door", "10 Lobby", "unknown_pin", "no hardware alarm input 3"),
        ("02 H Door", "10 Lobby", "unparsed", "not an event name"),
        ("2 h Door", "10 Lobby", "unparsed", "not an event name"),
        ("2S", "", "unparsed", "not an event name"),
        ("$TriggerNam$", "10 Lobby", "unparsed", "$TriggerNam$"),
    ],
)
def test_what_does_not_fit_is_kept_and_marked(
    lab: Lab, trigger: str, camera: str, status: str, detail: str
) -> None:
    with authorised(lab) as client:
        account = create_harbor(client)
    send(lab, account, BODY.format(trigger=trigger, camera=camera, time=local_time()))
    event = lab.portal.events("harbor-marina")[0]
    assert event["parse_status"] == status
    assert detail in event["detail"]


def test_unknown_recipients_are_taken_and_marked(lab: Lab) -> None:
    send(lab, "nobody@ivnview.example", BODY.format(trigger="2 S", camera="", time=local_time()))
    assert [event["parse_status"] for event in lab.portal.events()] == ["unknown_account"]


def test_login_and_tls_are_required(lab: Lab) -> None:
    with smtplib.SMTP("127.0.0.1", lab.mail_port, timeout=10) as server:
        server.ehlo()
        assert not server.has_extn("auth")
        assert server.docmd("MAIL FROM:<a@b.example>")[0] == 530
        server.starttls(context=ssl.create_default_context(cafile=str(lab.ca_file)))
        server.ehlo()
        assert server.docmd("MAIL FROM:<a@b.example>")[0] == 530
        with pytest.raises(smtplib.SMTPAuthenticationError):
            server.login("harbor-marina", "wrong")
        with pytest.raises(smtplib.SMTPAuthenticationError):
            server.login("old-mill-storage", secret(lab, "harbor-marina-smtp"))
    assert (lab.mail.counters.mails, lab.mail.counters.logins) == (0, 0)
    assert lab.mail.counters.login_failures >= 2


def test_an_open_connection_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with Lab(tmp_path, free_ports=True, recorders=False) as lab:
        silent = socket.create_connection(("127.0.0.1", lab.mail_port), timeout=5)
        assert silent.recv(3) == b"220"
    silent.close()


@pytest.mark.parametrize(
    ("raw", "pin", "source", "camera", "problem"),
    [
        (b"\r\nTrigger Event: 12 H x\r\n\r\n\r\nCamera is :9 Gate\r\nTime : now", 12, "hardware", 9, ""),
        (b"\n  Trigger  Event :2 S\nCamera is :\nTime:", 2, "soft", None, ""),
        (b"\nTrigger Event : 2 S\nTime: x", 2, "soft", None, "no line for: camera"),
        (b"\nhello", None, "", None, "no line for: trigger, camera, time"),
        (b"Content-Type: image/png\n\n\x00\xff", None, "", None, "no readable text"),
        (
            b"Content-Type: text/plain; charset=nonsense\n\nTrigger Event : 2 S\nCamera is : \nTime: ",
            2,
            "soft",
            None,
            "",
        ),
        (b"\nTrigger Event : 1000 H x\nCamera is : 10 A\nTime: x", None, "", 10, "not an event name"),
        (b"", None, "", None, "no line for"),
    ],
)
def test_reading_is_tolerant_in_form(
    raw: bytes, pin: int | None, source: str, camera: int | None, problem: str
) -> None:
    reading = read_mail(raw)
    assert (reading.pin, reading.source, reading.camera) == (pin, source, camera)
    assert problem in reading.problem if problem else not reading.problem


def test_of_two_readings_of_a_date_the_one_near_the_receipt_counts() -> None:
    received = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
    for text in (
        "05/04/2026 12:00:01",
        "04/05/2026 12:00:01",
        "04.05.2026 12:00:01",
        "05/04/2026 12:00:01 PM",
    ):
        assert read_time(text, UTC, received) == received + timedelta(seconds=1)
    assert read_time("yesterday", UTC, received) is None
