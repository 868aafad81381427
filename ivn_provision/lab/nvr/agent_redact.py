"""Secrets out of a file's bytes without moving any other byte (agent protocol, `read_files`)."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

_BOMS = {b"\xff\xfe": "little", b"\xfe\xff": "big"}


@dataclass(frozen=True, slots=True)
class _Coding:
    """How characters and bytes correspond: one byte each (Latin-1) or UTF-16 code units."""

    decode: Callable[[bytes], str]
    encode: Callable[[str], bytes]


def redacted(content: bytes, names: Sequence[str], key: bytes) -> bytes:
    """The bytes with the text of the named elements replaced by a keyed hash of the same length."""
    coding = _coding(content)
    # a cut UTF-16 file may end in half a code unit: what stands before it is text all the same
    cut = len(content) % 2 if content[:2] in _BOMS else 0
    body, tail = content[: len(content) - cut], content[len(content) - cut :]
    text = coding.decode(body)
    for name in names:
        text = _pattern(name).sub(lambda match: _masked(match, coding, key), text)
    return coding.encode(text) + tail


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(
        rf"<((?:[A-Za-z_][\w.-]*:)?{re.escape(name)})(\s[^<>]*[^<>/])?\s*>(.*?)</\1\s*>", re.DOTALL
    )


def _masked(match: re.Match[str], coding: _Coding, key: bytes) -> str:
    secret = match.group(3)
    digest = hmac.new(key, coding.encode(secret), hashlib.sha256).hexdigest()
    mask = (digest * (len(secret) // len(digest) + 1))[: len(secret)]
    start, end = (place - match.start() for place in match.span(3))
    return match.group(0)[:start] + mask + match.group(0)[end:]


def _coding(content: bytes) -> _Coding:
    order = _BOMS.get(content[:2])
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
