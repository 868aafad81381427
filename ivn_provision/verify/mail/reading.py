"""Read a recorder's mail: tolerant in form, exact about the character at which it cannot be understood."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ivn_provision.verify.mail.lines import Found, find_lines, structure_problems
from ivn_provision.verify.mail.mime import Opened, open_mail
from ivn_provision.verify.mail.problem import TOLERATED, Problem, quoted
from ivn_provision.verify.mail.profile import MailProfile
from ivn_provision.verify.mail.scan import CAMERA, EVENT
from ivn_provision.verify.mail.times import time_stop

Source = Literal["hardware", "soft"]
SOURCES: dict[str, Source] = {"H": "hardware", "S": "soft"}

_MAX_BODY = 65_536  # characters
_MAX_BODY_LINES = 1000
_KNOWN = "TriggerName|CameraName|TriggerTime"
_VARIABLE = re.compile(rf"\$[A-Za-z]+\$|\$(?:{_KNOWN})\b|\b(?:{_KNOWN})\$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Exim writes the name that the client gave itself beside its address
_LITERAL = re.compile(r"(?<!helo=)(?<!HELO )[\[(](?:IPv6:)?(?P<address>[0-9A-Fa-f:.]{3,45})[\])]")
_BY = re.compile(r"(?:^|\s)by\s")


@dataclass(frozen=True, slots=True)
class MailReading:
    """What a mail says. Empty or None is what it does not say, or says in a way that cannot be understood.

    `subject` is one line; its control characters are U+FFFD. `body` is the decoded text in which problems have
    their lines and columns. `hops` are the addresses of the Received headers that have one, newest first.
    """

    sender: str = ""
    recipients: tuple[str, ...] = ()
    subject: str = ""
    trigger: str = ""
    pin: int | None = None
    source: Source | None = None
    camera: str = ""
    camera_number: int | None = None
    time_text: str = ""
    body: str = ""
    hops: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def is_read(self) -> bool:
        """Pin, camera and time were understood: no problem but those that reading tolerates."""
        return all(problem.code in TOLERATED for problem in self.problems)


def read_mail(raw: bytes, profile: MailProfile) -> MailReading:
    """Read one mail. Never raises, whatever somebody sent."""
    mail = open_mail(raw)
    if mail.refusal:
        code = "too-large" if "bytes" in mail.refusal else "unreadable"
        return MailReading(problems=(Problem(code, f"the mail is not read: {mail.refusal}"),))
    chosen = _chosen((*mail.plain, *mail.html), profile)
    body, cut = _bounded(chosen)
    lines = body.split("\n")
    found = find_lines(lines, profile)
    first = {field: seen[0] for field, seen in found.items() if seen}
    event, camera = _value(first.get("trigger")), _value(first.get("camera"))
    trigger_match, camera_match = EVENT.match(event), CAMERA.match(camera)
    problems = [*_mail_problems(mail, chosen), *_cut_problems(cut, lines)]
    if body.strip():
        problems += [
            *structure_problems(lines, found, profile),
            *_value_problems([first[each.field] for each in profile.lines if each.field in first], profile),
        ]
    else:
        problems.append(Problem("no-text", "the mail has no text that can be read"))
    return MailReading(
        sender=mail.sender,
        recipients=mail.recipients,
        subject=mail.subject,
        trigger=event,
        pin=int(trigger_match["pin"]) if trigger_match else None,
        source=SOURCES[trigger_match["kind"]] if trigger_match else None,
        camera=camera,
        camera_number=int(camera_match["number"]) if camera_match else None,
        time_text=_value(first.get("time")),
        body=body,
        hops=tuple(_hops(mail.received)),
        problems=tuple(problems),
    )


def _chosen(texts: Sequence[str], profile: MailProfile) -> str:
    """The first text with a label in it; else the first that is not blank."""
    for text in texts:
        if any(find_lines(_bounded(text)[0].split("\n"), profile).values()):
            return text
    return next((text for text in texts if text.strip()), "")


def _bounded(text: str) -> tuple[str, bool]:
    lines = text[:_MAX_BODY].split("\n")
    cut = len(text) > _MAX_BODY or len(lines) > _MAX_BODY_LINES
    return "\n".join(lines[:_MAX_BODY_LINES]), cut


def _value(found: Found | None) -> str:
    return found.value if found else ""


def _mail_problems(mail: Opened, chosen: str) -> Iterator[Problem]:
    for name in mail.doubled:
        yield Problem("duplicate-header", f"the mail has the header {name.capitalize()} more than once")
    if extra := next((text for text in mail.plain if text is not chosen and text.strip()), ""):
        shown = quoted(" ".join(extra[:200].split()))
        yield Problem("extra-part", f"the mail has a text part that is not the template: {shown}")


def _cut_problems(cut: bool, lines: Sequence[str]) -> Iterator[Problem]:
    if cut:
        yield Problem(
            code="too-long",
            message=f"the body goes on; only {_MAX_BODY} characters and {_MAX_BODY_LINES} lines of it are read",
            part="body",
            line=len(lines),
            column=len(lines[-1]) + 1,
            text=lines[-1],
            expected="the end of the mail",
        )


def _value_problems(found: Sequence[Found], profile: MailProfile) -> Iterator[Problem]:
    event = next((EVENT.match(one.value) for one in found if one.template.field == "trigger"), None)
    source = SOURCES[event["kind"]] if event else None
    for one in found:
        if variable := _VARIABLE.search(one.value):
            yield _variable(one, variable)
        elif one.template.field == "trigger":
            yield from _bad_trigger(one)
        elif one.template.field == "camera":
            yield from _bad_camera(one, source, profile)
        else:
            yield from _bad_time(one, profile)


def _at(one: Found, index: int, code: str, message: str, expected: str) -> Problem:
    """A problem at a character of the value."""
    return Problem(code, message, "body", one.line + 1, one.start + index + 1, one.text, expected)


def _variable(one: Found, variable: re.Match[str]) -> Problem:
    known = f"${one.template.variable}$"
    why = "did not replace it" if variable[0] == known else "has no variable of this name"
    return _at(
        one,
        variable.start(),
        "variable-not-replaced",
        f"{variable[0]} stands in the line '{one.template.shown}': the recorder {why}",
        f"what {known} stands for",
    )


def _bad_trigger(one: Found) -> Iterator[Problem]:
    if stop := EVENT.stop(one.value):
        message = f"{quoted(one.value)} is not an event name such as '2 H Front door' or '2 S'"
        yield _at(one, stop.index, "bad-trigger", message, stop.expected)
    else:
        yield from _control(one)


def _bad_camera(one: Found, source: Source | None, profile: MailProfile) -> Iterator[Problem]:
    if not one.value:
        if source and source not in profile.camera_may_be_empty:
            message = f"the mail of a {source} event names no camera"
            yield _at(one, 0, "empty-camera", message, "the camera's number and name")
    elif stop := CAMERA.stop(one.value):
        message = f"{quoted(one.value)} is not a camera name such as '10 Lobby'"
        yield _at(one, stop.index, "bad-camera", message, stop.expected)
    else:
        yield from _control(one)


def _bad_time(one: Found, profile: MailProfile) -> Iterator[Problem]:
    if stop := time_stop(one.value, profile.times):
        message = f"{quoted(one.value)} is not a time in a form that is known"
        yield _at(one, stop.index, "bad-time", message, stop.expected)


def _control(one: Found) -> Iterator[Problem]:
    if found := _CONTROL.search(one.value):
        message = f"the character U+{ord(found[0]):04X} stands in the line '{one.template.shown}'"
        yield _at(one, found.start(), "control-character", message, "a printable character")


def _hops(received: Sequence[str]) -> Iterator[str]:
    """The last address of each header's `from` part: the first may be what the client calls itself."""
    for header in received:
        given = _BY.split(header, maxsplit=1)[0]
        literals = [each for found in _LITERAL.finditer(given) if (each := _address(found["address"]))]
        if literals:
            yield literals[-1]


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""
