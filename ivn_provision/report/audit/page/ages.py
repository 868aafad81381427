"""How long ago something was first seen, in days and in words."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(text: str) -> datetime | None:
    """An RFC 3339 time, in UTC where it names no zone; None where it is none."""
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def days_since(since: str, at: str) -> float | None:
    """Days from one time to the other, never below 0; None where one of them is not known."""
    first, last = moment(since), moment(at)
    if first is None or last is None:
        return None
    return max(0.0, (last - first).total_seconds() / 86_400)


def age(days: float | None) -> str:
    """`new`, `5 hours`, `12 days`, `3 months`; "" where it is not known."""
    if days is None:
        return ""
    if days * 24 < 1:
        return "new"
    if days < 1:
        return _many(int(days * 24), "hour")
    return _many(int(days), "day") if days < 90 else _many(int(days / 30.44), "month")


def day(text: str) -> str:
    """`2026-11-24 03:15 UTC` of an RFC 3339 time; what is none stays as it is."""
    found = moment(text)
    return found.strftime("%Y-%m-%d %H:%M UTC") if found else text


def duration(seconds: float) -> str:
    """`4.2 s`, `3 min 20 s`, `1 h 05 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
