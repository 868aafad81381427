"""Mails as data: one folder each, with the mail and what is read in it and said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ivn_provision.verify.mail.judge import Envelope, Expected, Finding, judge_mail
from ivn_provision.verify.mail.problem import Problem, caret
from ivn_provision.verify.mail.profile import profile_of
from ivn_provision.verify.mail.reading import MailReading, read_mail
from ivn_provision.verify.mail.times import read_time

CASES = Path(__file__).resolve().parents[1] / "cases" / "mail"
ACCOUNT = "milestone-xp-p@ivnview.example"
PROFILE = profile_of("xprotect-professional-2014")

# what was fired, unless a case is given something else: pin 2, hardware, 15:05:33 in New York
EXPECTED = Expected(
    account_id=ACCOUNT,
    pin=2,
    source="hardware",
    camera=10,
    fired_at=datetime.fromisoformat("2026-11-12T20:05:33Z"),
    within_seconds=60,
    zone=ZoneInfo("America/New_York"),
    location_address="203.0.113.7",
)
ENVELOPE = Envelope(
    sender=ACCOUNT,
    recipients=(ACCOUNT,),
    peer="203.0.113.7",
    received_at=datetime.fromisoformat("2026-11-12T20:05:41Z"),
)


def outcome(raw: bytes, given: Mapping[str, Any]) -> dict[str, Any]:
    """All that is read in a mail and said of it, as plain data."""
    expected, envelope = _given(given)
    reading = read_mail(raw, PROFILE)
    return {
        "reading": _reading(reading),
        "time": _time(reading, expected, envelope),
        "findings": [_finding(each) for each in judge_mail(reading, envelope, expected, PROFILE)],
    }


def _given(given: Mapping[str, Any]) -> tuple[Expected, Envelope]:
    """`fired.pin` and so on replace parts of `EXPECTED`, `arrived.peer` and so on of `ENVELOPE`."""
    fired = {key.removeprefix("fired."): _value(key, each) for key, each in given.items() if "fired." in key}
    arrived = {
        key.removeprefix("arrived."): _value(key, each) for key, each in given.items() if "arrived." in key
    }
    return replace(EXPECTED, **fired), replace(ENVELOPE, **arrived)


def _value(key: str, value: Any) -> Any:
    if key.endswith("_at"):
        return datetime.fromisoformat(value)
    if key.endswith("zone"):
        return ZoneInfo(value)
    return tuple(value) if isinstance(value, list) else value


def _reading(reading: MailReading) -> dict[str, Any]:
    """Without the body, which the carets of its problems show."""
    return {
        "sender": reading.sender,
        "recipients": list(reading.recipients),
        "subject": reading.subject,
        "trigger": reading.trigger,
        "pin": reading.pin,
        "source": reading.source,
        "camera": reading.camera,
        "camera_number": reading.camera_number,
        "time_text": reading.time_text,
        "hops": list(reading.hops),
        "is_read": reading.is_read,
        "problems": [_problem(each) for each in reading.problems],
    }


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "code": problem.code,
        "message": problem.message,
        "line": problem.line,
        "column": problem.column,
        "expected": problem.expected,
        "caret": caret(problem).split("\n"),
    }


def _time(reading: MailReading, expected: Expected, envelope: Envelope) -> dict[str, Any] | None:
    time = read_time(reading.time_text, expected.zone, envelope.received_at, PROFILE.times)
    if time is None:
        return None
    return {
        "moment": time.moment.isoformat(),
        "format": time.format,
        "ambiguous": time.ambiguous,
        "note": time.note,
        "precision_seconds": time.precision_seconds,
    }


def _finding(finding: Finding) -> str:
    return f"{finding.level} {finding.code} row {finding.row} {finding.requirement}: {finding.message}"
