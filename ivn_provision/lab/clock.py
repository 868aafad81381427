"""Time as the lab's parts see it: a clock comes in as an argument, times go out as RFC 3339."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Now, with zone UTC."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """UTC with milliseconds and `Z`: texts sort as times do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def parse_rfc3339(text: str) -> datetime:
    """Raises ValueError for anything but a full date and time with an offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or "T" not in text.upper():
        raise ValueError("no offset from UTC")
    return moment
