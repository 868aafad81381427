"""The mail server as the recorder hears it: the agent's verb `smtp`, a dialogue up to RCPT that sends no mail."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ivn_provision.drivers.xprotect_e.agent_link import Answer, Step, failure
from ivn_provision.errors import ProtocolFault
from ivn_provision.secret import Secret
from ivn_provision.strict_json import Node, WrongShape

STAGES = ("connect", "banner", "ehlo", "starttls", "tls", "auth", "mail", "rcpt", "quit")
NOT_IN_CLEAR_TEXT = "not sent in clear text"
NOT_TRUSTED = "the certificate is not trusted here"
_STAGE = re.compile("|".join(STAGES))
_HASH = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The mail server and the mail that is asked about; `security` is `none`, `starttls` or `tls`."""

    host: str
    port: int
    security: str
    sender: str
    recipients: Sequence[str]
    username: str = ""
    password: Secret | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: the server's code (0 if it said none) and its text, or what went wrong in our words."""

    name: str
    ok: bool
    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Tls:
    """The TLS of a dialogue: common names, hash of the certificate, whether the recorder trusts it."""

    protocol: str
    subject: str
    issuer: str
    sha256: str
    valid: bool


@dataclass(frozen=True, slots=True)
class SmtpDialogue:
    """What was said, up to the first stage that failed. Addresses are "" where nothing was connected."""

    stages: tuple[Stage, ...]
    extensions: tuple[str, ...]
    tls: Tls | None
    local_address: str
    address: str

    @property
    def failed(self) -> Stage | None:
        """The stage that ended it; a server that only closes after QUIT has taken everything."""
        return next((each for each in self.stages if not each.ok and each.name != "quit"), None)

    @property
    def accepted(self) -> int:
        """How many recipients the server took."""
        return sum(each.ok for each in self.stages if each.name == "rcpt")


def smtp_step(mailbox: Mailbox, timeout_seconds: int, *, trust_any: bool = False) -> Step:
    """The verb. With `trust_any` the login also goes to a server whose certificate the recorder does not trust."""
    return {
        "verb": "smtp",
        "host": mailbox.host,
        "port": mailbox.port,
        "security": mailbox.security,
        "username": mailbox.username,
        "password": mailbox.password.reveal() if mailbox.password is not None else "",
        "sender": mailbox.sender,
        "recipients": list(mailbox.recipients),
        "timeout_seconds": timeout_seconds,
        "trust_any": trust_any,
    }


def smtp_dialogue(answer: Answer) -> SmtpDialogue:
    """The answer to `smtp_step`. Raises TargetError for a refused step, ProtocolFault for another shape."""
    refused = failure([answer])
    if refused is not None:
        raise refused
    node = Node(dict(answer))
    try:
        return SmtpDialogue(
            stages=tuple(_stage(each) for each in node["stages"].items()),
            extensions=tuple(each.text() for each in node["extensions"].items()),
            tls=None if node["tls"].is_null else _tls(node["tls"]),
            local_address=node["local_address"].text(),
            address=node["address"].text(),
        )
    except WrongShape as error:
        raise ProtocolFault(
            f"the agent's answer about the mail server is off: {error}",
            next_step="is another version of the agent installed there?",
        ) from error


def _stage(node: Node) -> Stage:
    name = node["stage"].text(_STAGE, "a stage of a mail dialogue")
    return Stage(name, node["ok"].flag(), node["code"].integer(0, 599), node["text"].text())


def _tls(node: Node) -> Tls:
    return Tls(
        node["protocol"].text(),
        node["subject"].text(),
        node["issuer"].text(),
        node["sha256"].text(_HASH, "a SHA-256"),
        node["valid"].flag(),
    )
