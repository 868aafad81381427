"""Is this the mail that the fired pin should have sent? One finding for each thing that is not so.

The rows are those of the failure table (facts/portal.md, part 4).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Literal

from ivn_provision.verify.mail.problem import UNOPENED, Problem, quoted
from ivn_provision.verify.mail.profile import MailProfile
from ivn_provision.verify.mail.reading import MailReading
from ivn_provision.verify.mail.times import TimeReading, read_time

WARN_SECONDS = 1.0
"""Row 18: a clock that is off by this much is worth a word."""
EARLY_SECONDS = 2.0
"""A mail may seem to arrive this much before its trigger: two clocks are compared. This project's own line."""


class Level(StrEnum):
    """`inconclusive`: it could not be judged. Never a pass."""

    FAIL = "fail"
    WARN = "warn"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Envelope:
    """How the mail arrived. What is not known is empty. `received_at` is aware, by the receiver's clock."""

    sender: str
    recipients: tuple[str, ...]
    peer: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Expected:
    """The trigger that was fired, and the limits in seconds.

    It was fired between `fired_at` and `fired_until` (None: at that moment); both are aware. `zone` is the recorder's. `camera` is None where none is declared. The mail's own time
    may be off by less than `clip_seconds`, the part of the clip before the alarm (row 18).
    """

    account_id: str
    pin: int
    source: Literal["hardware", "soft"]
    camera: int | None
    fired_at: datetime
    within_seconds: float
    zone: tzinfo
    location_address: str = ""
    clip_seconds: float = 10.0
    fired_until: datetime | None = None

    @property
    def latest(self) -> datetime:
        """The last moment at which it may have been fired."""
        return self.fired_until or self.fired_at


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be. `row` is of the failure table, `requirement` of the manual.

    `problem` is there where the mail's grammar failed, for `caret`.
    """

    code: str
    message: str
    row: int
    requirement: str
    level: Level = Level.FAIL
    problem: Problem | None = None


_PROBLEMS = {
    "no-text": (11, "R-40"),
    "too-large": (44, "R-40"),
    "too-long": (11, "R-40"),
    "unreadable": (44, "R-40"),
    "duplicate-header": (11, "R-40"),
    "missing-line": (11, "R-40"),
    "duplicate-line": (11, "R-40"),
    "order": (11, "R-40"),
    "spacing": (11, "R-40"),
    "extra-line": (11, "R-40"),
    "extra-part": (11, "R-40"),
    "variable-not-replaced": (11, "R-39"),
    "bad-trigger": (3, "R-50"),
    "control-character": (4, "R-50"),
    "bad-camera": (1, "R-27"),
    "empty-camera": (34, "R-79"),
    "bad-time": (19, "R-40"),
}
"""Problem code -> row and requirement."""

PROBLEM_CODES = tuple(_PROBLEMS)
FINDING_CODES = (
    "sender",
    "recipient",
    "subject",
    "other-pin",
    "other-kind",
    "camera-differs",
    "clock",
    "late",
    "early",
    "first-hop",
)
"""Codes of findings that are not a problem of the mail's grammar."""


def judge_mail(
    reading: MailReading, envelope: Envelope, expected: Expected, profile: MailProfile
) -> tuple[Finding, ...]:
    """All findings; none means that this is the mail, as it should be."""
    opened = not any(problem.code in UNOPENED for problem in reading.problems)
    return (
        *(_headers(reading, envelope, expected, profile) if opened else ()),
        *(_of_problem(problem) for problem in reading.problems),
        *_trigger(reading, expected),
        *_camera(reading, expected),
        *_mail_time(reading, envelope, expected, profile),
        *_arrival(envelope, expected),
        *_first_hop(reading, envelope, expected),
    )


def _headers(
    reading: MailReading, envelope: Envelope, expected: Expected, profile: MailProfile
) -> Iterator[Finding]:
    yield from _sender(reading, envelope, expected)
    yield from _recipient(reading, envelope, expected)
    yield from _subject(reading, profile)


def _sender(reading: MailReading, envelope: Envelope, expected: Expected) -> Iterator[Finding]:
    given = {"From": reading.sender, "MAIL FROM": envelope.sender or reading.sender}
    wrong = [
        f"{name} is {quoted(text)}" for name, text in given.items() if not _same(text, expected.account_id)
    ]
    if wrong:
        message = f"{' and '.join(wrong)}, not the account id {quoted(expected.account_id)}"
        yield Finding("sender", message, 9, "R-42")


def _recipient(reading: MailReading, envelope: Envelope, expected: Expected) -> Iterator[Finding]:
    given = {"To": reading.recipients, "RCPT TO": envelope.recipients or reading.recipients}
    wrong = [
        f"{name} is {', '.join(map(quoted, texts)) or 'empty'}"
        for name, texts in given.items()
        if len(texts) != 1 or not _same(texts[0], expected.account_id)
    ]
    if wrong:
        message = f"{' and '.join(wrong)}, not the account id {quoted(expected.account_id)} alone"
        yield Finding("recipient", message, 9, "R-41")


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


def _subject(reading: MailReading, profile: MailProfile) -> Iterator[Finding]:
    if reading.subject != profile.subject:
        message = f"the subject is {quoted(reading.subject)}, not {quoted(profile.subject)}"
        yield Finding("subject", message, 11, "R-40")


def _of_problem(problem: Problem) -> Finding:
    row, requirement = _PROBLEMS[problem.code]
    return Finding(problem.code, problem.message, row, requirement, problem=problem)


def _trigger(reading: MailReading, expected: Expected) -> Iterator[Finding]:
    if reading.pin is None:
        return
    fired = f"pin {expected.pin} was fired ({expected.source})"
    if reading.pin != expected.pin:
        yield Finding("other-pin", f"the mail is of pin {reading.pin}; {fired}", 3, "R-50")
    if reading.source != expected.source:
        requirement = "R-59" if expected.source == "soft" else "R-50"
        yield Finding("other-kind", f"the mail is of a {reading.source} event; {fired}", 3, requirement)


def _camera(reading: MailReading, expected: Expected) -> Iterator[Finding]:
    """An empty name is normal for a soft trigger [I]; for a hardware event the reading has a problem."""
    number = reading.camera_number
    if number is not None and expected.camera is not None and number != expected.camera:
        message = f"the mail is of camera {number}; pin {expected.pin} has camera {expected.camera}"
        yield Finding("camera-differs", message, 34, "R-79")


def _mail_time(
    reading: MailReading, envelope: Envelope, expected: Expected, profile: MailProfile
) -> Iterator[Finding]:
    time = read_time(reading.time_text, expected.zone, envelope.received_at, profile.times)
    if time is None:
        return
    offset = _offset(time, expected.fired_at, expected.latest)
    if abs(offset) < WARN_SECONDS:
        return
    level = Level.FAIL if abs(offset) >= expected.clip_seconds else Level.WARN
    message = (
        f"the mail says {quoted(reading.time_text)} ({time.format}): {abs(offset):.0f} s"
        f" {'after' if offset > 0 else 'before'} the trigger was fired"
    )
    yield Finding("clock", message, 18, "R-03", level)


def _offset(time: TimeReading, began: datetime, until: datetime) -> float:
    """Seconds from the time of firing to the span of time that the text may mean; 0 where they meet."""
    end = time.moment + timedelta(seconds=time.precision_seconds)
    if time.moment > until:
        return (time.moment - until).total_seconds()
    return min(0.0, (end - began).total_seconds())


def _arrival(envelope: Envelope, expected: Expected) -> Iterator[Finding]:
    after = (envelope.received_at - expected.latest).total_seconds()
    before = (expected.fired_at - envelope.received_at).total_seconds()
    if after > expected.within_seconds:
        message = (
            f"the mail arrived {after:.1f} s after the trigger; the limit is {expected.within_seconds:g} s"
        )
        yield Finding("late", message, 10, "R-03")
    elif before > EARLY_SECONDS:
        message = f"the mail arrived {before:.1f} s before the trigger was fired: it is of another one"
        yield Finding("early", message, 10, "R-53")


def _first_hop(reading: MailReading, envelope: Envelope, expected: Expected) -> Iterator[Finding]:
    """Whose address the mail came from: of the sender of the SMTP connection, or behind a relay of the first hop."""
    wanted = _address(expected.location_address)
    if not expected.location_address:
        return
    first = next((hop for hop in reversed(reading.hops) if not _is_inside(hop)), "")
    seen = [each for each in dict.fromkeys((envelope.peer, first)) if each]
    if wanted is None or not seen:
        why = "is a name" if wanted is None else "cannot be compared: the mail shows no address"
        message = f"the location address {quoted(expected.location_address)} {why}"
        yield Finding("first-hop", message, 24, "R-09", Level.INCONCLUSIVE)
    elif wanted not in map(_address, seen):
        message = f"the mail came from {' by way of '.join(reversed(seen))}, not from {wanted}, the declared address"
        yield Finding("first-hop", message, 24, "R-09")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None


_INSIDE = tuple(
    ipaddress.ip_network(each)
    for each in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8",
        "fc00::/7", "fe80::/10", "::1/128",
    )
)  # fmt: skip


def _is_inside(text: str) -> bool:
    """An address of a local network, which the site's router hides."""
    address = _address(text)
    return address is not None and any(address in network for network in _INSIDE)
