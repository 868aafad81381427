"""Faults of the lab's mail server, over real SMTP."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
import time
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from ivn_provision.errors import LabError
from ivn_provision.lab.lab import Lab
from ivn_provision.lab.mail.relay import FOOTER
from ivn_provision.lab.mail.sink import MAIL_FAULTS
from tests.wire.nvr_fixture import until
from tests.wire.portal_client import secret

BODY = "Trigger Event : 2 H {label}\nCamera is : 10 Lobby\nTime: 05/04/2026 12:00:00\n"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with Lab(tmp_path / "lab", free_ports=True, recorders=False) as lab:
        yield lab


@contextlib.contextmanager
def connected(lab: Lab, *, secure: bool = True, timeout: float = 5) -> Iterator[smtplib.SMTP]:
    with smtplib.SMTP("127.0.0.1", lab.mail_port, "[127.0.0.1]", timeout=timeout) as server:
        if secure:
            server.starttls(context=ssl.create_default_context(cafile=str(lab.ca_file)))
        yield server


def send(lab: Lab, *, label: str = "Door", cte: str | None = None) -> dict[str, tuple[int, bytes]]:
    message = EmailMessage()
    message["From"] = message["To"] = "a@b.example"
    message["Subject"] = "Time: Trigger Event"
    message.set_content(BODY.format(label=label), cte=cte)
    with connected(lab) as server:
        server.login("harbor-marina", secret(lab, "harbor-marina-smtp"))
        return server.send_message(message)


def text(lab: Lab) -> str:
    message = message_from_bytes(lab.mail.messages[-1].raw, policy=policy.default)
    assert message["Subject"] == "Time: Trigger Event"
    return str(message.get_content()).replace("\r\n", "\n")


def test_refuse_login(lab: Lab) -> None:
    lab.fault("mail", "refuse-login")
    with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
        send(lab)
    assert refused.value.smtp_code == 535
    lab.fault("mail", "refuse-login", on=False)
    assert send(lab) == {}


def test_no_starttls(lab: Lab) -> None:
    lab.fault("mail", "no-starttls")
    with connected(lab, secure=False) as server:
        server.ehlo()
        assert not server.has_extn("starttls")
        assert server.docmd("STARTTLS")[0] == 502
        with pytest.raises(smtplib.SMTPNotSupportedError):
            server.starttls()
        assert server.docmd("MAIL FROM:<a@b.example>")[0] == 530
    lab.fault("mail", "no-starttls", on=False)
    assert send(lab) == {}


def test_refuse_recipient(lab: Lab) -> None:
    lab.fault("mail", "refuse-recipient")
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        send(lab)
    assert refused.value.recipients["a@b.example"][0] == 550
    assert lab.mail.counters.mails == 0
    lab.fault("mail", "refuse-recipient", on=False)
    assert send(lab) == {}


def test_refuse_connection(lab: Lab) -> None:
    lab.fault("mail", "refuse-connection")
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionResetError)), connected(lab):
        pass
    lab.fault("mail", "refuse-connection", on=False)
    assert send(lab) == {}


def test_stall(lab: Lab) -> None:
    lab.fault("mail", "stall")
    with socket.create_connection(("127.0.0.1", lab.mail_port), timeout=0.5) as silent:
        with pytest.raises(TimeoutError):
            silent.recv(1)
        lab.fault("mail", "stall", on=False)
        assert send(lab) == {}
        with pytest.raises(TimeoutError):
            silent.recv(1)


def test_slow(lab: Lab) -> None:
    lab.mail.slow_seconds = 0.5
    lab.fault("mail", "slow")
    began = time.monotonic()
    assert send(lab) == {}
    assert (lab.mail.counters.mails, len(lab.mail.messages)) == (1, 0)
    until(lambda: len(lab.mail.messages) == 1)
    assert time.monotonic() - began >= 0.5
    assert send(lab) == {}
    # what is on its way when the lab ends is lost, and holds nothing up


def test_slow_is_four_seconds_unless_a_test_says_otherwise(lab: Lab) -> None:
    assert lab.mail.slow_seconds == 4


def test_duplicate_and_lose(lab: Lab) -> None:
    lab.fault("mail", "duplicate")
    assert send(lab) == {}
    first, second = lab.mail.messages
    assert (first.raw, lab.mail.counters.mails) == (second.raw, 1)
    lab.fault("mail", "lose")
    assert send(lab) == {}
    assert (len(lab.mail.messages), lab.mail.counters.mails) == (2, 2)
    assert len(lab.portal.events()) == 2


@pytest.mark.parametrize("cte", [None, "base64", "quoted-printable", "8bit"])
@pytest.mark.parametrize("label", ["Door", "Tür – 1"])
def test_footer_and_translate(lab: Lab, label: str, cte: str | None) -> None:
    sent = BODY.format(label=label)
    assert send(lab, label=label, cte=cte) == {}
    assert text(lab) == sent
    lab.fault("mail", "footer")
    assert send(lab, label=label, cte=cte) == {}
    assert text(lab) == sent + FOOTER.decode().replace("\r\n", "\n")
    lab.fault("mail", "footer", on=False)
    lab.fault("mail", "translate")
    assert send(lab, label=label, cte=cte) == {}
    words = f"Ausloesendes Ereignis : 2 H {label}\nKamera ist : 10 Lobby\nZeit: 05/04/2026 12:00:00\n"
    assert text(lab) == words


def test_faults_of_the_mail_server_have_names(lab: Lab) -> None:
    with pytest.raises(LabError, match="no fault 'flood'") as caught:
        lab.fault("mail", "flood")
    assert all(name in caught.value.next_step for name in MAIL_FAULTS)
    lab.fault("mail", "lose")
    assert lab.status()["mail"]["faults"] == ["lose"]
