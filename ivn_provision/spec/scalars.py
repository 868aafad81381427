"""Plain scalars -> values by the YAML 1.2 core schema; what YAML 1.1 reads differently is a `Surprise`.

Editors, other tools and readers differ on `NO`, `0123`, `18:00`, `1_000` and dates, so none of them is guessed.
Quoted text never comes here.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_YES = frozenset({"yes", "Yes", "YES", "on", "On", "ON", "y", "Y"})
_NO = frozenset({"no", "No", "NO", "off", "Off", "OFF", "n", "N"})
_MAX_DIGITS = 18

_DECIMAL = re.compile(r"[-+]?[0-9]+\Z")
_HEX = re.compile(r"0x[0-9a-fA-F]+\Z")
_OCTAL = re.compile(r"0o[0-7]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")
_BASE_SIXTY = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?\Z")
_GROUPED = re.compile(
    r"[-+]?(?:0x[0-9a-fA-F_]+|0b[01_]+|[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+][0-9]+)?|\.[0-9_]+)\Z"
)
_SIGNED_BASE = re.compile(r"[-+]0[xo][0-9a-fA-F]+\Z")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t].*)?\Z")


@dataclass(frozen=True, slots=True)
class Surprise:
    """Why a plain scalar is refused. `code` is one of `codes.CODES`."""

    code: str
    summary: str
    hint: str


Plain = None | bool | int | float | str | Surprise


@lru_cache(maxsize=16384)
def resolve_plain(text: str) -> Plain:
    """The value of an unquoted scalar, or why it is refused."""
    if text in _NULLS:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text[0] in "+-.0123456789":
        return _numeric(text)
    if text in _YES or text in _NO:
        meaning = "true" if text in _YES else "false"
        return Surprise(
            "YML013",
            f"`{text}` is {meaning} in YAML 1.1 and text in YAML 1.2",
            f'Write {meaning} if that is meant, or quote the text: "{text}".',
        )
    return text


def _numeric(text: str) -> Plain:
    if _DECIMAL.match(text):
        return _decimal(text)
    if _HEX.match(text) or _OCTAL.match(text):
        return int(text, 0) if len(text) <= _MAX_DIGITS else _too_long(text)
    if _FLOAT.match(text):
        return _float(text)
    return _odd_number(text)


def _decimal(text: str) -> Plain:
    digits = text.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0":
        return Surprise(
            "YML014",
            f"`{_short(text)}` is an octal number in YAML 1.1 and decimal in YAML 1.2",
            f'Write the number without the leading zero, or quote it as text: "{_short(text)}".',
        )
    return int(text) if len(digits) <= _MAX_DIGITS else _too_long(text)


def _float(text: str) -> Plain:
    """A whole number written as 80.0 becomes an integer: JSON Schema counts it as one."""
    value = float(text)
    if not math.isfinite(value):
        return _too_long(text)
    exponent = text.lower().partition("e")[2]
    if exponent and (exponent[0] not in "+-" or "." not in text):
        return _differs(text, "text in YAML 1.1 and a number in YAML 1.2")
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _odd_number(text: str) -> Plain:
    if _NOT_FINITE.match(text):
        return Surprise("YML019", f"`{text}` is not a finite number", "Write a number, or quote the text.")
    if _BASE_SIXTY.match(text):
        return _differs(text, "a number of base 60 in YAML 1.1 and text in YAML 1.2")
    if _DATE.match(text):
        return _differs(text, "a date in YAML 1.1 and text in YAML 1.2")
    if ("_" in text or "b" in text) and _GROUPED.match(text):
        return _differs(text, "a number in YAML 1.1 and text in YAML 1.2")
    if _SIGNED_BASE.match(text):
        return _differs(text, "a number in YAML 1.1 and text in YAML 1.2")
    return text


def _differs(text: str, how: str) -> Surprise:
    quoted = f'"{_short(text)}"'
    return Surprise(
        "YML014",
        f"`{_short(text)}` is {how}",
        f"Quote it if it is text: {quoted}; else write a plain number.",
    )


def _too_long(text: str) -> Surprise:
    return Surprise(
        "YML019", f"`{_short(text)}` is out of any range", "Write a smaller number, or quote the text."
    )


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."
