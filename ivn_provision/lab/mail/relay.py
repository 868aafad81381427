"""What faults make of a mail on its way: a relay that adds a footer, or puts its words into another language."""

from __future__ import annotations

import base64
import quopri
import re
from collections.abc import Callable, Container

FOOTER = b"-- \r\nThis message was scanned by Example Mail Relay.\r\n"
_WORDS = {b"Trigger Event": b"Ausloesendes Ereignis", b"Camera is": b"Kamera ist", b"Time": b"Zeit"}
_ENCODING = re.compile(rb"^content-transfer-encoding:[ \t]*([a-z0-9-]+)", re.IGNORECASE | re.MULTILINE)
_BLANK = b"\r\n\r\n"


def relayed(raw: bytes, faults: Container[str]) -> bytes:
    """The mail as it arrives: the bytes of its header are those that were sent."""
    if "translate" in faults:
        raw = _with_body(raw, _translated)
    if "footer" in faults:
        raw = _with_body(raw, lambda body: body.rstrip(b"\r\n") + b"\r\n" + FOOTER)
    return raw


def _translated(body: bytes) -> bytes:
    for word, other in _WORDS.items():
        body = re.sub(rb"^(\s*)" + re.escape(word) + rb"(?=\s*:)", rb"\1" + other, body, flags=re.MULTILINE)
    return body


def _with_body(raw: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """Change the text of a mail of one part, in the encoding that its header names."""
    header, blank, body = raw.partition(_BLANK)
    found = _ENCODING.search(header)
    encoding = found[1].lower() if found else b""
    if encoding == b"base64":
        text = base64.encodebytes(change(base64.b64decode(body)))
        return header + blank + text.replace(b"\n", b"\r\n")
    if encoding == b"quoted-printable":
        text = quopri.encodestring(change(quopri.decodestring(body)).replace(b"\r\n", b"\n"))
        return header + blank + text.replace(b"\n", b"\r\n")
    return header + blank + change(body)
