"""What the newest mail that the portal understood shows of the recorder's mail settings.

A mail that arrived shows that sending works with what the recorder has; its sender, recipient and subject are
compared with what is declared. It does not show by which words a server or an account is named there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ivn_provision.model.resource import Value
from ivn_provision.plan.attestations import moment_of
from ivn_provision.plan.plan import Observation, Unverified
from ivn_provision.strict_json import Node, check_sound

MAIL_KINDS = frozenset({"mail_message", "mail_server"})
_UNDERSTOOD = frozenset({"parsed", "duplicate"})
_SENDING = frozenset({"host", "port", "security", "username", "password"})
_VARIABLES = ("$TriggerName$", "$CameraName$", "$TriggerTime$")
"""R-39, R-40: where the portal could read all three labels, the recorder knew the template."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One received mail. `received_at` is RFC 3339, UTC, in whole seconds."""

    received_at: str
    trigger: str
    sender: str
    recipient: str
    subject: str


def newest_mail(answer: Mapping[str, Any]) -> Mail | None:
    """The newest mail of a site's answer. None for none, and where this client may not read events. Raises WrongShape.

    Events that a test of the portal made count too: they are mails of the recorder. What could not be parsed
    may be of anybody and shows nothing.
    """
    event = Node(answer).find("newest_mail")
    if event is None or event.is_null:
        return None
    check_sound(event)
    if event["parse_status"].text() not in _UNDERSTOOD or event["trigger"].is_null:
        return None
    return Mail(
        received_at=_time(event["received_at"]),
        trigger=event["trigger"].text(),
        sender=_text(event["sender"]),
        recipient=event["recipient"].text(),
        subject=_text(event["subject"]),
    )


def _time(node: Node) -> str:
    try:
        return moment_of(node.text()).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError):
        node.wrong("is not a time")


def _text(node: Node) -> str:
    return "" if node.is_null else node.text()


def shown_by(mail: Mail, questions: Sequence[Unverified]) -> tuple[Observation, ...]:
    """What the mail says about each field; silent about those that it cannot show."""
    found = []
    for question in questions:
        seen = _seen(mail, question) if question.address.kind in MAIL_KINDS else None
        if seen is not None:
            confirmed, what = seen
            evidence = f"the mail of {mail.trigger!r}, received {mail.received_at}, {what}"
            found.append(Observation(question.address, question.name, confirmed, evidence, mail.received_at))
    return tuple(found)


def _seen(mail: Mail, question: Unverified) -> tuple[bool, str] | None:
    if question.address.kind == "mail_server":
        return _seen_of_server(mail, question.name, question.value)
    return _seen_of_message(mail, question.name, question.value)


def _seen_of_server(mail: Mail, name: str, value: Value) -> tuple[bool, str] | None:
    if name in _SENDING:
        return True, "shows that the recorder can send"
    return _compared(mail.sender, value, "came from", fold=True) if name == "sender" else None


def _seen_of_message(mail: Mail, name: str, value: Value) -> tuple[bool, str] | None:
    if name == "subject":
        return _compared(mail.subject, value, "has the subject", fold=False)
    if name == "enabled":
        return value is True, "shows that mail is on"
    if name == "recipients" and isinstance(value, tuple) and all(isinstance(each, str) for each in value):
        return _recipients(mail, value)
    if name == "body" and isinstance(value, str) and all(each in value for each in _VARIABLES):
        return True, "has the template's lines"
    return None


def _compared(seen: str, declared: object, how: str, *, fold: bool) -> tuple[bool, str] | None:
    if not isinstance(declared, str) or not seen:
        return None
    same = seen.lower() == declared.lower() if fold else " ".join(seen.split()) == " ".join(declared.split())
    return same, f"{how} {seen[:200]!r}"


def _recipients(mail: Mail, declared: tuple[object, ...]) -> tuple[bool, str] | None:
    """A mail shows one recipient: enough only where one is declared."""
    wanted = {str(each).lower() for each in declared}
    if mail.recipient.lower() not in wanted:
        return False, f"went to {mail.recipient[:200]!r}"
    return (True, f"went to {mail.recipient[:200]!r}") if len(wanted) == 1 else None
