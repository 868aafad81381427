"""Times as a recorder prints them: in the locale of its Windows, which the mail does not tell.

That the recorder prints local time in its own locale is inferred (facts/portal.md, row 19), so every reading that
the text allows is tried, and the one nearest to the receipt is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Literal

from ivn_provision.verify.mail.scan import Grammar, Step, Stop


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """An order of day, month and year, and the signs that may stand between them."""

    name: str
    order: Literal["mdy", "dmy", "ymd"]
    separators: str


FORMATS = (
    TimeFormat("M/D/Y", "mdy", "/-"),
    TimeFormat("D/M/Y", "dmy", "/-"),
    TimeFormat("D.M.Y", "dmy", "."),
    TimeFormat("Y-M-D", "ymd", "-/."),
)
"""In order: of two readings equally near to the receipt, the first is taken."""

TIME = Grammar(
    Step(r"(?P<first>[0-9]{1,4})", "a date in numbers"),
    Step(r"(?P<sep>[/.-]) ?", "one of / . -"),
    Step(r"(?P<second>[0-9]{1,2})", "the second number of the date"),
    Step(r"(?P=sep) ?", "the same sign as before"),
    Step(r"(?P<third>[0-9]{1,4})", "the third number of the date"),
    Step(r"\.?(?:T|,? +)", "a space before the time of day"),
    Step(r"(?P<hour>[0-9]{1,2})", "the hour"),
    Step(r"(?P<colon>[:.])", "a colon after the hour"),
    Step(r"(?P<minute>[0-9]{2})", "two digits of the minute"),
    Step(
        r"(?:(?P=colon)(?P<seconds>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,7}))?)?"
        r"(?: ?(?P<half>[AaPp])\.? ?[Mm]\.?)?"
        r"(?: ?(?P<offset>Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2}))?",
        "seconds, AM or PM, an offset, or the end",
    ),
    Step(r"\Z", "the end of the time"),
)
_ODD_SPACES = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\t": " "})


@dataclass(frozen=True, slots=True)
class TimeReading:
    """`moment` in UTC. `format` names the reading taken, `ambiguous` says that the text allows another moment.

    `note` is `fold` for an hour that there is twice at the end of summer time, `gap` for one that there is not.
    The text does not say more than `precision_seconds`: 60 without seconds, else 1.
    """

    moment: datetime
    format: str
    ambiguous: bool
    note: Literal["", "fold", "gap"]
    precision_seconds: int


def read_time(
    text: str, zone: tzinfo, near: datetime, formats: Sequence[TimeFormat] = FORMATS
) -> TimeReading | None:
    """The reading of `text` that is nearest to `near` (an aware time); None if there is none.

    `zone` is the recorder's; a text with an offset needs none.
    """
    found = TIME.match(_plain(text))
    if found is None:
        return None
    options = [each for form in formats for each in _moments(found, form, zone)]
    if not options:
        return None
    moment, form, note = min(options, key=lambda option: abs(option[0] - near))
    return TimeReading(
        moment=moment,
        format=_described(found, form),
        ambiguous=len({each[0] for each in options}) > 1,
        note=note,
        precision_seconds=1 if found["seconds"] else 60,
    )


def time_stop(text: str, formats: Sequence[TimeFormat] = FORMATS) -> Stop | None:
    """Where `text` stops to be a time; None if some format can read it in UTC."""
    plain = _plain(text)
    stop = TIME.stop(plain)
    found = TIME.match(plain)
    if stop or found is None:
        return stop
    for name, limit, expected in (("minute", 59, "a minute to 59"), ("seconds", 59, "a second to 59")):
        if found[name] and int(found[name]) > limit:
            return Stop(found.start(name), expected)
    if _hour(found) is None:
        return Stop(found.start("hour"), "an hour of the day")
    if any(True for form in formats for _ in _moments(found, form, UTC)):
        return None
    return Stop(0, "a date that exists, in an order that a recorder prints")


def _plain(text: str) -> str:
    """Same length: what Windows writes before AM and PM may be a space of another kind."""
    return text.translate(_ODD_SPACES)


def _moments(
    found: re.Match[str], form: TimeFormat, zone: tzinfo
) -> Iterator[tuple[datetime, TimeFormat, Literal["", "fold", "gap"]]]:
    """All moments that `form` allows: none, one, or two where the clock is changed."""
    try:
        naive = _naive(found, form)
        if naive is None:
            return
        if found["offset"]:
            yield naive.replace(tzinfo=_offset(found["offset"])).astimezone(UTC), form, ""
            return
        first, second = (naive.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        if first == second:
            yield first, form, ""
            return
        note: Literal["fold", "gap"] = (
            "fold" if first.astimezone(zone).replace(tzinfo=None) == naive else "gap"
        )
        yield first, form, note
        yield second, form, note
    except (ValueError, OverflowError):
        return


def _naive(found: re.Match[str], form: TimeFormat) -> datetime | None:
    """Raises ValueError for a day that does not exist."""
    hour = _hour(found)
    if found["sep"] not in form.separators or hour is None:
        return None
    parts = dict(zip(form.order, (found["first"], found["second"], found["third"]), strict=True))
    year = _year(parts["y"], short=form.order != "ymd")
    if year is None or len(parts["m"]) > 2 or len(parts["d"]) > 2:
        return None
    micros = int((found["fraction"] or "0").ljust(6, "0")[:6])
    return datetime(  # noqa: DTZ001 - the zone is added by the caller, for both folds
        year,
        int(parts["m"]),
        int(parts["d"]),
        hour,
        int(found["minute"]),
        int(found["seconds"] or 0),
        micros,
    )


def _year(text: str, *, short: bool) -> int | None:
    if len(text) == 4:
        return int(text)
    return 2000 + int(text) if short and len(text) == 2 else None


def _hour(found: re.Match[str]) -> int | None:
    hour, half = int(found["hour"]), found["half"]
    if not half:
        return hour if hour < 24 else None
    if hour > 12:
        return None
    return hour % 12 + (12 if half in "pP" else 0)


def _offset(text: str) -> tzinfo:
    """Raises ValueError for a day or more."""
    if text in {"Z", "UTC", "GMT"}:
        return UTC
    digits = text[1:].replace(":", "")
    away = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-away if text[0] == "-" else away)


def _described(found: re.Match[str], form: TimeFormat) -> str:
    clock = "12 h" if found["half"] else "24 h"
    return f"{form.name} {clock}{' with offset' if found['offset'] else ''}"
