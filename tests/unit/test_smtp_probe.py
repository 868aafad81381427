"""What the agent's verb `smtp` is asked, and what its answers mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivn_provision.drivers.xprotect_e.smtp_probe import (
    NOT_IN_CLEAR_TEXT,
    NOT_TRUSTED,
    Mailbox,
    smtp_dialogue,
    smtp_step,
)
from ivn_provision.errors import ProtocolFault, Refused, TargetError
from ivn_provision.secret import Secret, SecretRef

CASES = Path(__file__).parents[1] / "cases" / "agent"
HASH = "0" * 64
BOX = Mailbox("mail.example", 587, "starttls", "nvr@site.example", ("a@portal.example",))


def answers(name: str) -> list[Any]:
    text = (CASES / f"{name}.json").read_text().replace("@SHA@", HASH).replace("@STRANGER_SHA@", HASH)
    found = json.loads(text)["reply"]["always"]
    assert isinstance(found, list)
    return found


def test_a_step_without_a_login() -> None:
    assert smtp_step(BOX, 10) == {
        "verb": "smtp",
        "host": "mail.example",
        "port": 587,
        "security": "starttls",
        "username": "",
        "password": "",
        "sender": "nvr@site.example",
        "recipients": ["a@portal.example"],
        "timeout_seconds": 10,
        "trust_any": False,
    }


def test_the_password_is_in_the_step_only() -> None:
    box = Mailbox("h", 25, "tls", "a", ("b",), "u", Secret("hunter2", SecretRef("env", "X")))
    step = smtp_step(box, 1, trust_any=True)
    assert (step["username"], step["password"], step["trust_any"]) == ("u", "hunter2", True)
    assert "hunter2" not in repr(box)


def test_a_dialogue_that_went_well() -> None:
    found = smtp_dialogue(answers("smtp")[0])
    assert (found.failed, found.accepted, found.address) == (None, 2, "127.0.0.1")
    assert found.tls is not None
    assert (found.tls.protocol, found.tls.valid, found.tls.sha256) == ("TLSv1.2", True, HASH)
    assert found.extensions == ("8BITMIME", "AUTH", "HELP", "SIZE")
    assert [each.name for each in found.stages][-1] == "quit"


@pytest.mark.parametrize(
    ("case", "number", "stage", "text"),
    [
        ("smtp-login-refused", 0, "auth", "5.7.8 Authentication credentials invalid"),
        ("smtp-not-trusted", 0, "auth", NOT_TRUSTED),
        ("smtp-not-in-clear-text", 0, "auth", NOT_IN_CLEAR_TEXT),
        ("smtp-broken-lines", 0, "connect", "connection refused"),
        ("smtp-starttls-fails", 0, "starttls", "not offered"),
    ],
)
def test_a_dialogue_that_failed(case: str, number: int, stage: str, text: str) -> None:
    failed = smtp_dialogue(answers(case)[number]).failed
    assert failed is not None
    assert (failed.name, failed.text) == (stage, text)


def test_a_server_that_hangs_up_after_quit_took_everything() -> None:
    (rude,) = (each for each in answers("smtp-broken-lines") if each["stages"][-1]["stage"] == "quit")
    found = smtp_dialogue(rude)
    assert not found.stages[-1].ok
    assert (found.failed, found.accepted) == (None, 1)


def test_a_refused_step_is_an_error() -> None:
    with pytest.raises(Refused, match="bad arguments"):
        smtp_dialogue(answers("smtp-arguments")[0])


@pytest.mark.parametrize(
    "change",
    [
        {"stages": None},
        {"stages": [{"stage": "data", "ok": True, "code": 0, "text": ""}]},
        {"stages": [{"stage": "auth", "ok": 1, "code": 0, "text": ""}]},
        {"stages": [{"stage": "auth", "ok": True, "code": "x", "text": ""}]},
        {"tls": {}},
        {"extensions": [1]},
        {"address": None},
    ],
)
def test_another_shape_is_a_fault(change: dict[str, Any]) -> None:
    with pytest.raises(ProtocolFault, match="the mail server is off"):
        smtp_dialogue({**answers("smtp")[0], **change})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
FIELDS = st.sampled_from(["stages", "tls", "extensions", "address", "local_address"])


@given(st.dictionaries(FIELDS, JSON))
def test_no_answer_breaks_it(change: dict[str, Any]) -> None:
    try:
        smtp_dialogue({**answers("smtp")[0], **change})
    except TargetError:
        return
