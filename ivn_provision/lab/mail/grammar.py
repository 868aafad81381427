"""How the portal reads a recorder's mail (facts/portal.md, part 5): tolerant in form, strict in meaning.

The wording is the manual's (R-40), the reading rules are this project's assumptions. It shares no code with
the product's own grammar, so that a shared mistake cannot hide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as mail_policy

_EVENT = re.compile(r"([1-9][0-9]{0,2}) ([HS])(?: .*)?\Z", re.DOTALL)
_CAMERA = re.compile(r"([1-9][0-9]{0,2}) \S.*\Z", re.DOTALL)
_VARIABLE = re.compile(r"\$[A-Za-z]*\$?")
_LABELS = {
    "trigger": re.compile(r"^[ \t]*Trigger[ \t]+Event[ \t]*:[ \t]*(.*?)[ \t]*$", re.MULTILINE),
    "camera": re.compile(r"^[ \t]*Camera[ \t]+is[ \t]*:[ \t]*(.*?)[ \t]*$", re.MULTILINE),
    "time": re.compile(r"^[ \t]*Time[ \t]*:[ \t]*(.*?)[ \t]*$", re.MULTILINE),
}
# the recorder writes its server's locale (facts/portal.md, row 19)
_TIMES = (
    "%m/%d/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %I:%M:%S %p",
    "%d.%m.%Y %H:%M:%S",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a mail says. `problem` is empty where trigger and labels could be read."""

    subject: str = ""
    sender: str = ""
    trigger: str = ""
    pin: int | None = None
    source: str = ""
    camera_name: str = ""
    camera: int | None = None
    time_text: str = ""
    problem: str = ""


def read_mail(raw: bytes) -> Reading:
    """Read one mail: MIME first, then the three labels. Never raises for what somebody sent."""
    message = message_from_bytes(raw, policy=mail_policy)
    assert isinstance(message, EmailMessage)
    subject, sender = _header(message, "subject"), _header(message, "from")
    body = _text(message)
    if body is None:
        return Reading(subject, sender, problem="the mail has no readable text")
    found = {name: pattern.search(body) for name, pattern in _LABELS.items()}
    texts = {name: match[1] if match else "" for name, match in found.items()}
    missing = [name for name, match in found.items() if match is None]
    event, camera = _EVENT.match(texts["trigger"]), _CAMERA.match(texts["camera"])
    return Reading(
        subject=subject,
        sender=sender,
        trigger=texts["trigger"],
        pin=int(event[1]) if event else None,
        source={"H": "hardware", "S": "soft"}[event[2]] if event else "",
        camera_name=texts["camera"],
        camera=int(camera[1]) if camera else None,
        time_text=texts["time"],
        problem=_problem(texts, missing, readable=event is not None),
    )


def _problem(texts: dict[str, str], missing: list[str], *, readable: bool) -> str:
    if missing:
        return f"the body has no line for: {', '.join(missing)}"
    variable = next((match[0] for text in texts.values() if (match := _VARIABLE.search(text))), "")
    if variable:
        return f"{variable} stands in the mail: the recorder does not know a variable of this name"
    if not readable:
        return f"{texts['trigger'][:100]!r} is not an event name like `2 H ...` or `2 S`"
    return ""


def read_time(text: str, zone: tzinfo, received_at: datetime) -> datetime | None:
    """The mail's local time in UTC; of several readings (M/D or D/M) the one nearest to the receipt."""
    readings = []
    for form in _TIMES:
        try:
            moment = datetime.strptime(text.strip(), form).replace(tzinfo=zone)
            readings.append(moment.astimezone(UTC))
        except (ValueError, OverflowError):
            continue
    return min(readings, key=lambda moment: abs(moment - received_at), default=None)


def _header(message: EmailMessage, name: str) -> str:
    try:
        return " ".join(str(message.get(name, "")).split())
    except (ValueError, LookupError, IndexError, AttributeError):
        return ""  # the standard library's header parser fails in several ways on hostile input


def _text(message: EmailMessage) -> str | None:
    part = message.get_body(preferencelist=("plain", "html"))
    if part is None or part.get_content_maintype() != "text":
        return None
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return None
    charset = part.get_content_charset("utf-8")
    try:
        text = payload.decode(charset, "replace")
    except LookupError:
        text = payload.decode("utf-8", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")
