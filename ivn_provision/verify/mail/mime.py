"""From the bytes of a mail to its headers and texts. Whatever somebody sent, it is read or refused, in bounded time.

The standard library parses the structure; headers and charsets are decoded here, because its modern header parser
is slow and fails in many ways on hostile input.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from email.policy import compat32
from email.utils import getaddresses

from ivn_provision.verify.mail.html_text import html_text

MAX_BYTES = 1024 * 1024
_MAX_LINES = 20_000  # 1 MiB of base64 has 14,000; every line costs a comparison for each open part
_MAX_PARTS = 100
_MAX_HEADER = 4096  # characters of one header, in which the standard library takes quadratic time
_MAX_RECEIVED = 50

_CONTENT_HEADER = re.compile(rb"^content-[a-z-]+:[^\n]*(?:\n[ \t][^\n]*)*", re.IGNORECASE | re.MULTILINE)
_FOLD = re.compile(r"[\r\n]+[ \t]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CHARSETS = re.compile(
    r"utf-(?:8|8-sig|16|16-le|16-be|32|32-le|32-be)|iso8859-\d+|cp\d+|koi8-[rut]|mac-\w+|tis-620|hz|big5(?:hkscs)?"
    r"|gb2312|gbk|gb18030|shift_ji\w+|euc_\w+|iso2022_\w+|johab"
)
# what mails call Latin-1 is in truth its Windows superset, as browsers read it; ASCII is part of UTF-8
_IN_TRUTH = {"ascii": "utf-8", "iso8859-1": "cp1252"}

STDLIB_FAILS = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    RecursionError,
    MessageError,
)
"""How the standard library's mail code fails on hostile input."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A mail taken apart. `plain` and `html` are the texts of its readable parts; attachments are left out.

    `received` are the Received headers as they stand, newest first. `doubled` names headers that may be there
    once only and were there again. `refusal` says why a mail was not opened at all.
    """

    sender: str = ""
    recipients: tuple[str, ...] = ()
    subject: str = ""
    received: tuple[str, ...] = ()
    plain: tuple[str, ...] = ()
    html: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()
    refusal: str = ""


def open_mail(raw: bytes) -> Opened:
    """Take a mail apart. Never raises."""
    if refusal := _refusal(raw):
        return Opened(refusal=refusal)
    try:
        message = message_from_bytes(raw.removeprefix(codecs.BOM_UTF8), policy=compat32)
        return _opened(message)
    except STDLIB_FAILS:
        return Opened(refusal="its MIME structure cannot be read")


def _refusal(raw: bytes) -> str:
    if len(raw) > MAX_BYTES:
        return f"it has {len(raw)} bytes; {MAX_BYTES} are read at most"
    plain = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if plain.count(b"\n") > _MAX_LINES:
        return f"it has more than {_MAX_LINES} lines"
    if plain.lower().count(b"content-type") > _MAX_PARTS:
        return f"it has more than {_MAX_PARTS} parts"
    if any(len(found[0]) > _MAX_HEADER for found in _CONTENT_HEADER.finditer(plain)):
        return f"a header about its content is longer than {_MAX_HEADER} characters"
    return ""


def _opened(message: Message) -> Opened:
    plain, html = _texts(message)
    headers: dict[str, list[str]] = {"from": [], "to": [], "subject": [], "received": []}
    for name, value in message.raw_items():
        if (known := headers.get(name.lower())) is not None:
            known.append(_unfolded(str(value)))
    return Opened(
        sender=next(iter(_addresses(headers["from"][:1])), ""),
        recipients=_addresses(headers["to"][:1]),
        subject=next((_decoded(value) for value in headers["subject"]), ""),
        received=tuple(headers["received"][:_MAX_RECEIVED]),
        plain=plain,
        html=html,
        doubled=tuple(name for name in ("from", "to", "subject") if len(headers[name]) > 1),
    )


def _unfolded(value: str) -> str:
    """One line of bounded length. Bytes beyond ASCII, which are not allowed here, are UTF-8 or Windows-1252."""
    raw = value[:_MAX_HEADER].encode("ascii", "surrogateescape")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", "replace")
    return _FOLD.sub(" ", text).strip(" \t")


def _addresses(values: list[str]) -> tuple[str, ...]:
    try:
        return tuple(_printable(address) for _, address in getaddresses(values) if address)
    except STDLIB_FAILS:
        return ()


def _decoded(value: str) -> str:
    """Encoded words decoded. Line breaks and other control characters in them become U+FFFD."""
    try:
        pieces = decode_header(value)
    except STDLIB_FAILS:
        return _printable(value)
    return _printable(
        "".join(piece if isinstance(piece, str) else _text(piece, charset) for piece, charset in pieces)
    )


def _printable(text: str) -> str:
    return _CONTROL.sub("\ufffd", text)


def _texts(message: Message) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The plain parts and the HTML parts, in order."""
    leaves = [part for part in _leaves(message) if part.get_content_disposition() != "attachment"]
    plain = (part for part in leaves if part.get_content_type() == "text/plain")
    html = (part for part in leaves if part.get_content_type() == "text/html")
    return tuple(_content(part) for part in plain), tuple(html_text(_content(part)) for part in html)


def _leaves(message: Message) -> Iterator[Message]:
    """The parts that have no parts. A mail inside the mail is not this mail."""
    todo: list[Message] = [message]
    while todo:
        part = todo.pop()
        if part.get_content_maintype() == "message":
            continue
        children = part.get_payload() if part.is_multipart() else None
        if isinstance(children, list):
            todo += [child for child in reversed(children) if isinstance(child, Message)]
        else:
            yield part


def _content(part: Message) -> str:
    payload = part.get_payload(decode=True)
    text = _text(payload, part.get_content_charset()) if isinstance(payload, bytes) else ""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _text(raw: bytes, charset: str | None) -> str:
    """Unknown charsets are read as UTF-8; what does not fit becomes U+FFFD."""
    return raw.decode(_codec(charset), "replace")


def _codec(charset: str | None) -> str:
    """The codec of a known charset. Only real ones: Python's names include `idna`, `rot13` and `unicode_escape`."""
    try:
        name = codecs.lookup(charset or "utf-8").name
    except (LookupError, ValueError):
        return "utf-8"
    name = _IN_TRUTH.get(name, name)
    return name if _CHARSETS.fullmatch(name) else "utf-8"
