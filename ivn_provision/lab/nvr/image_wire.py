"""The ImageServer's own protocol as bytes (facts/xprotect-e.md, part 7.2): requests in, replies and images out.

Certain: one XML text per request and reply, each ended by CR LF CR LF; `methodcall`, `methodresponse`,
`livepackage`; the header lines of an image. The reasons are the lab's own words but `Unknown device`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from xml.sax.saxutils import escape

from ivn_provision.lab.nvr.config_active import Unreadable, parse_document

END = b"\r\n\r\n"
MOST_BYTES = 64 * 1024
_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
_FRAME_MILLISECONDS = 125  # eight pictures a second, as a new camera of the lab is set
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)


class Reason(Enum):
    """Why `connect` is answered with no."""

    LOGIN = "Wrong user name or password"
    NO_RIGHT = "No right to view this device"
    UNKNOWN = "Unknown device"
    FULL = "Too many clients"


@dataclass(frozen=True, slots=True)
class Call:
    """One `methodcall`. Values that a method does not use are not kept."""

    request_id: str
    method: str
    username: str = ""
    password: str = field(default="", repr=False)
    camera: str = ""


def parse_call(content: bytes) -> Call:
    """Read one request, without its end. Raises Unreadable.

    Bytes above 127 are read in the server's own code page, not in UTF-8, whatever the text says of itself;
    a client that does not know it writes `&#n;`.
    """
    text = content.removeprefix(b"\xef\xbb\xbf").decode("cp1252", "replace")
    root = parse_document(_DECLARATION.sub("", text).encode("utf-8")).getroot()
    if root.tag != "methodcall":
        raise Unreadable("not a methodcall")
    words = {str(each.tag): each.text or "" for each in root}
    number = words.get("requestid", "").strip()
    return Call(
        request_id=number if _NUMBER.fullmatch(number) else "0",
        method=words.get("methodname", "").strip(),
        username=words.get("username", ""),
        password=words.get("password", ""),
        camera=words.get("cameraid", "").strip().strip("{}").lower(),
    )


def connected(call: Call, refused: Reason | None) -> bytes:
    """The reply to `connect`."""
    reason = refused.value if refused else ""
    more = [("connected", "no" if refused else "yes"), ("errorreason", reason)]
    return _response(call, more)


def refusal(call: Call, reason: str) -> bytes:
    """The reply to a call that cannot be carried out."""
    return _response(call, [("errorreason", reason)])


def status(at: datetime) -> bytes:
    """A status package; what the items of the product mean is unknown."""
    items = "".join(f'<statusitem id="{number}" value="1"/>' for number in (2, 3, 5))
    return _xml(
        f"<livepackage><status><statustime>{_milliseconds(at)}</statustime>{items}</status></livepackage>"
    )


def image(jpeg: bytes, at: datetime) -> bytes:
    """An image with its header lines."""
    now = _milliseconds(at)
    lines = (
        "ImageResponse",
        f"Content-Length: {len(jpeg)}",
        "Content-Type: image/jpeg",
        f"Current: {now}",
        f"Prev: {now - _FRAME_MILLISECONDS}",
        f"Next: {now + _FRAME_MILLISECONDS}",
    )
    return "\r\n".join(lines).encode("ascii") + END + jpeg + END


def _response(call: Call, values: Sequence[tuple[str, str]]) -> bytes:
    every = [("requestid", call.request_id), ("methodname", call.method[:40]), *values]
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in every)
    return _xml(f"<methodresponse>{inner}</methodresponse>")


def _xml(text: str) -> bytes:
    whole = '<?xml version="1.0" encoding="utf-8"?>' + text
    return whole.encode("utf-8") + END


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
