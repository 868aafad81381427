"""The local time of a camera that says only its zone: `EST5EDT,M3.2.0,M11.1.0`."""

from __future__ import annotations

import re
import struct
from datetime import datetime, timedelta, tzinfo
from io import BytesIO
from zoneinfo import ZoneInfo

_NAME = r"(?:[A-Za-z]{3,10}|<[A-Za-z0-9+-]{3,10}>)"
_ZONE = re.compile(rf"{_NAME}[+-]?\d[^\s\0]{{0,80}}", re.ASCII)


def zone_of(text: str) -> tzinfo | None:
    """The zone; None for what is none. A text without a rule for its summer time is none either: where summer begins
    then is the system's own secret."""
    if not _ZONE.fullmatch(text) or (re.search(r"\d[A-Za-z<]", text) and "," not in text):
        return None
    # zoneinfo reads such texts only as the last line of a zone's file: RFC 8536, 3.3
    head = b"TZif2" + bytes(15) + struct.pack(">6l", 0, 0, 0, 0, 1, 4)
    body = head + struct.pack(">lbb", 0, 0, 0) + b"UTC\0"
    try:
        return ZoneInfo.from_file(BytesIO(body + body + b"\n" + text.encode("ascii") + b"\n"))
    except (ValueError, OverflowError):
        return None


def moments_of(local: datetime, text: str, *, saves: bool) -> tuple[datetime, ...]:
    """The moments that a local time may be: two where the clock is set back. Without `saves` (daylight saving is
    off in the camera) also the one of standard time: whether the zone's own rule counts then is unknown.
    Nothing where the zone is not known."""
    zone = zone_of(text)
    if zone is None:
        return ()
    try:
        found = {local.replace(tzinfo=zone, fold=fold).astimezone(_UTC) for fold in (0, 1)}
        if not saves:
            found |= {each + _saving(local, zone) for each in set(found)}
    except (ValueError, OverflowError):
        return ()
    return tuple(sorted(found))


def _saving(local: datetime, zone: tzinfo) -> timedelta:
    return local.replace(tzinfo=zone).dst() or timedelta()


_UTC = ZoneInfo("UTC")
