"""Secrets out of a file's bytes without moving any other byte (agent protocol, `read_files`)."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

# By the byte-order mark; without one, UTF-16 shows by its first character, an angle bracket.
_UTF_16 = {b"\xff\xfe": "little", b"\xfe\xff": "big", b"<\0": "little", b"\0<": "big"}
# Written out instead of a flag: .NET and Python do not agree on the case of every letter of Unicode.
_WORD = (
    "(?:[Pp][Aa][Ss][Ss](?:[Ww][Dd]|[Ww][Oo][Rr][Dd]|[Pp][Hh][Rr][Aa][Ss][Ee])|[Pp][Ww][Dd]"
    "|[Ss][Ee][Cc][Rr][Ee][Tt]|[Cc][Rr][Ee][Dd][Ee][Nn][Tt][Ii][Aa][Ll]|[Tt][Oo][Kk][Ee][Nn])"
)
_LETTER = r"""[^ \t\r\n<>/:="'&!?]"""
_NAME = f"(?:{_LETTER}+:)?{_LETTER}*{_WORD}{_LETTER}*"
_TEXT = r"(?>[^<]+|<!\[CDATA\[(?>[^\]]+|\](?!\]>))*\]\]>|<!--(?>[^-]+|-(?!->))*-->|<\?(?>[^?]+|\?(?!>))*\?>)+"
_LEAF = re.compile(
    rf"""<{_NAME}(?=[ \t\r\n>])(?>[^<>"'/]+|"[^"<]*"|'[^'<]*'|/(?!>))*>({_TEXT})(?=</|<!|<\?|\Z)"""
)
# Not inside of a text: there the next angle bracket opens a tag.
_ATTRIBUTE = re.compile(
    rf"""[ \t\r\n]{_NAME}[ \t\r\n]*=[ \t\r\n]*(?>"([^"<]+)|'([^'<]+))(?![^<>]{{0,4096}}<)"""
)


@dataclass(frozen=True, slots=True)
class _Coding:
    """How characters and bytes correspond: one byte each (Latin-1) or UTF-16 code units."""

    decode: Callable[[bytes], str]
    encode: Callable[[str], bytes]


def redacted(content: bytes, names: Sequence[str], key: bytes) -> bytes:
    """The bytes with every secret replaced by a keyed hash of the same length.

    Secrets: the content of the named elements, then of each leaf element and attribute whose name says so.
    """
    coding = _coding(content)
    # a cut UTF-16 file may end in half a code unit: what stands before it is text all the same
    cut = len(content) % 2 if content[:2] in _UTF_16 else 0
    body, tail = content[: len(content) - cut], content[len(content) - cut :]
    text = coding.decode(body)
    masked: set[int] = set()
    for name in names:
        text = _masked(text, _spans(_pattern(name), text, 3), coding, key, masked)
    for pattern in (_LEAF, _ATTRIBUTE):
        found = [span for span in _spans(pattern, text, 1, 2) if span[0] not in masked]
        text = _masked(text, found, coding, key, masked)
    return coding.encode(text) + tail


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(
        rf"<((?:[A-Za-z_][\w.-]*:)?{re.escape(name)})(\s[^<>]*[^<>/])?\s*>(.*?)</\1\s*>", re.DOTALL
    )


def _spans(pattern: re.Pattern[str], text: str, *groups: int) -> Iterator[tuple[int, int]]:
    for match in pattern.finditer(text):
        for group in groups:
            if group <= pattern.groups and match.start(group) < match.end(group):
                yield match.span(group)


def _masked(
    text: str, spans: Iterable[tuple[int, int]], coding: _Coding, key: bytes, masked: set[int]
) -> str:
    pieces, end = [], 0
    for start, stop in spans:
        digest = hmac.new(key, coding.encode(text[start:stop]), hashlib.sha256).hexdigest()
        pieces += [text[end:start], (digest * ((stop - start) // len(digest) + 1))[: stop - start]]
        masked.add(start)
        end = stop
    return "".join([*pieces, text[end:]])


def _coding(content: bytes) -> _Coding:
    order = _UTF_16.get(content[:2])
    if order is None:
        return _Coding(lambda raw: raw.decode("latin-1"), lambda text: text.encode("latin-1"))
    # Code units, not characters: a surrogate pair counts as two, as it does in .NET.
    byte_order = "little" if order == "little" else "big"

    def decode(raw: bytes) -> str:
        return "".join(map(chr, _units(raw, order)))

    def encode(text: str) -> bytes:
        return b"".join(ord(unit).to_bytes(2, byte_order) for unit in text)  # type: ignore[arg-type]

    return _Coding(decode, encode)


def _units(raw: bytes, order: str) -> Iterable[int]:
    low, high = (raw[0::2], raw[1::2]) if order == "little" else (raw[1::2], raw[0::2])
    return (one | two << 8 for one, two in zip(low, high, strict=True))
