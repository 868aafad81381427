"""The local time that a POSIX zone text says (`EST5EDT,M3.2.0,M11.1.0`)."""

from __future__ import annotations

import io
import struct
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo

_KIND = struct.pack(">lbb", 0, 0, 0) + b"UTC\0"


def posix_zone(text: str) -> tzinfo:
    """The zone; UTC for a text that says none."""
    if not text.isascii() or not text.isprintable():
        return UTC
    # zoneinfo reads such texts only as the last line of a zone's file: RFC 8536, 3.3
    head = b"TZif2" + bytes(15) + struct.pack(">6l", 0, 0, 0, 0, 1, 4)
    body = head + _KIND
    try:
        return ZoneInfo.from_file(io.BytesIO(body + body + b"\n" + text.encode("ascii") + b"\n"), key=text)
    except ValueError:
        return UTC
