"""What a received mail shows of the recorder's mail settings, and what it does not."""

from __future__ import annotations

from typing import Any

import pytest

from ivn_provision.drivers.portal.mails import newest_mail, shown_by
from ivn_provision.model.resource import Address, Value
from ivn_provision.plan.plan import Unverified
from ivn_provision.secret import SecretRef
from ivn_provision.spec.build import BODY, SUBJECT
from ivn_provision.spec.values import Computed
from ivn_provision.strict_json import WrongShape

ACCOUNT = "milestone-xp-p-1@ivnview.example"


def event(**changed: Any) -> dict[str, Any]:
    return {
        "parse_status": "parsed",
        "trigger": "2 S",
        "received_at": "2026-11-23T10:00:00.5Z",
        "sender": ACCOUNT,
        "recipient": ACCOUNT,
        "subject": SUBJECT,
        **changed,
    }


def verdict(kind: str, name: str, value: Value, **changed: Any) -> bool | None:
    mail = newest_mail({"newest_mail": event(**changed)})
    assert mail is not None
    found = shown_by(mail, [Unverified(Address("s", "nvr", kind), name, "", value)])
    return found[0].confirmed if found else None


CASES: list[tuple[str, str, Value, dict[str, Any], bool | None]] = [
    ("mail_server", "password", SecretRef("env", "X"), {}, True),
    ("mail_server", "host", "smtp.example.com", {}, True),
    ("mail_server", "sender", ACCOUNT.upper(), {}, True),
    ("mail_server", "sender", "other@example.com", {}, False),
    ("mail_server", "sender", Computed("portal.smtp_account_id"), {}, None),
    ("mail_server", "sender", ACCOUNT, {"sender": None}, None),
    ("mail_message", "subject", SUBJECT, {}, True),
    ("mail_message", "subject", "Something else", {}, False),
    ("mail_message", "enabled", True, {}, True),
    ("mail_message", "enabled", False, {}, False),
    ("mail_message", "recipients", (ACCOUNT,), {}, True),
    ("mail_message", "recipients", (ACCOUNT, "second@example.com"), {}, None),
    ("mail_message", "recipients", ("second@example.com",), {}, False),
    ("mail_message", "recipients", (Computed("portal.smtp_account_id"),), {}, None),
    ("mail_message", "body", BODY, {}, True),
    ("mail_message", "body", "free text", {}, None),
    ("mail_message", "unknown", "x", {}, None),
    ("user", "password", SecretRef("env", "X"), {}, None),
    ("generic_event", "email", True, {}, None),
]


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{each[0]}-{each[1]}-{index}" for index, each in enumerate(CASES)]
)
def test_what_a_mail_shows(case: tuple[str, str, Value, dict[str, Any], bool | None]) -> None:
    kind, name, value, changed, wanted = case
    assert verdict(kind, name, value, **changed) is wanted


def test_only_a_mail_that_was_understood_counts() -> None:
    mail = newest_mail({"newest_mail": event(trigger="3 H")})
    assert mail is not None
    assert (mail.trigger, mail.received_at) == ("3 H", "2026-11-23T10:00:00Z")
    assert newest_mail({"newest_mail": event(parse_status="unknown_pin")}) is None
    assert newest_mail({"newest_mail": event(trigger=None)}) is None
    assert newest_mail({"newest_mail": None}) is None
    assert newest_mail({}) is None, "this client may not read events"


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        [],
        1,
        event(received_at="yesterday"),
        event(received_at="9999-12-31T23:59:59-23:00"),
        event(recipient=None),
        event(subject=3),
    ],
)
def test_an_answer_of_the_wrong_shape_shows_nothing(wrong: object) -> None:
    with pytest.raises(WrongShape):
        newest_mail({"newest_mail": wrong})
