"""The agent's mail dialogue between a lab recorder and the lab's own mail server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivn_provision.drivers.xprotect_e.bootstrap import AGENT_VERSION
from ivn_provision.drivers.xprotect_e.exchange import Line, exchange_step, replies
from ivn_provision.drivers.xprotect_e.smtp_probe import (
    NOT_IN_CLEAR_TEXT,
    NOT_TRUSTED,
    Mailbox,
    SmtpDialogue,
    smtp_dialogue,
    smtp_step,
)
from ivn_provision.lab.lab import Lab
from ivn_provision.lab.nvr.agent_emulation import answer
from ivn_provision.lab.sites import generated_sites
from ivn_provision.secret import Secret, SecretRef

SITE = "lab-0001"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with Lab(tmp_path / "lab", generated_sites(1), free_ports=True) as lab:
        yield lab


def dialogue(
    lab: Lab, host: str = "127.0.0.1", security: str = "starttls", password: str = ""
) -> SmtpDialogue:
    site = lab.site(SITE)
    secret = Secret(password or site.mail_password, SecretRef("env", "X"))
    box = Mailbox(
        host, lab.mail_port, security, "nvr@site.example", ("a@portal.example",), site.mail_username, secret
    )
    return smtp_dialogue(asked(lab, smtp_step(box, 10)))


def asked(lab: Lab, step: object) -> dict[str, object]:
    request = {"protocol": 1, "marker": "M" * 16, "steps": [step]}
    _, reply = answer(json.dumps(request), lab.nvr(SITE).windows, agent=AGENT_VERSION)
    (found,) = json.loads(reply)["steps"]
    assert isinstance(found, dict)
    return found


def test_the_recorder_could_send_mail_and_sent_none(lab: Lab) -> None:
    found = dialogue(lab)
    assert (found.failed, found.accepted) == (None, 1)
    assert found.tls is not None
    assert found.tls.valid
    assert (lab.mail.counters.mails, lab.mail.counters.logins) == (0, 1)


def test_a_wrong_password_is_told(lab: Lab) -> None:
    failed = dialogue(lab, password="hunter2").failed
    assert failed is not None
    assert (failed.name, failed.code) == ("auth", 535)


def test_a_recorder_that_does_not_trust_the_server_sends_no_login(lab: Lab) -> None:
    lab.nvr(SITE).windows.system.trusted_roots = ""
    failed = dialogue(lab).failed
    assert failed is not None
    assert (failed.name, failed.text) == ("auth", NOT_TRUSTED)
    assert (lab.mail.counters.logins, lab.mail.counters.login_failures) == (0, 0)


def test_a_name_is_another_machine_and_gets_no_login_in_clear_text(lab: Lab) -> None:
    windows = lab.nvr(SITE).windows.system
    windows.names = {"mail.example": "127.0.0.1"}
    windows.source = "127.0.0.9"
    found = dialogue(lab, "Mail.example", "none")
    assert found.failed is not None
    assert (found.failed.text, found.local_address) == (NOT_IN_CLEAR_TEXT, "127.0.0.9")
    assert lab.mail.counters.logins == 0
    assert dialogue(lab, "mail.example").tls is not None
    unknown = dialogue(lab, "other.example").failed
    assert unknown is not None
    assert unknown.text == "the name is not known"


def test_the_image_server_is_reached_at_the_port_of_the_machine(lab: Lab) -> None:
    windows = lab.nvr(SITE).windows
    (port,) = (port for (protocol, port), (name, _) in windows.ports.items() if name.endswith("Image Server"))
    line = Line(b"GET /systeminfo.xml HTTP/1.0\r\n\r\n", b"\r\n\r\n")
    (found,) = replies(asked(lab, exchange_step(port, [[line]], 5)))
    assert found.ok
    assert b" 401 " in found.replies[0].head
    (closed,) = replies(asked(lab, exchange_step(1, [[line]], 5)))
    assert closed.error == "connection refused"
