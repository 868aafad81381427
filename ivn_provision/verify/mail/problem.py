"""What is wrong with a mail or a template, and the character at which its grammar failed."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Literal

Part = Literal["mail", "subject", "body"]

TOLERATED = frozenset({"extra-line", "extra-part", "spacing"})
"""Codes of problems that do not keep us from reading. Whether the portal minds them is not known."""

UNOPENED = frozenset({"too-large", "unreadable"})
"""Codes of mails of which nothing was read, headers neither."""

CARET_WIDTH = 100


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem. `part` says what `line` and `column` count in.

    `body`: lines and columns of the decoded body, from 1, in characters; `column` may be one past the end of
    `text`, where something is missing. `subject`: the same, `line` is 1. `mail`: the mail as a whole, both are 0.
    `expected` says in words what the grammar wants at that character.
    """

    code: str
    message: str
    part: Part = "mail"
    line: int = 0
    column: int = 0
    text: str = ""
    expected: str = ""


def caret(problem: Problem, width: int = CARET_WIDTH) -> str:
    """The line and, below it, a `^` under the character: two lines of at most `width` cells each.

    What is not printable is shown as an escape, so that no mail can drive a terminal. Empty for a problem of
    the mail as a whole.
    """
    if problem.line < 1:
        return ""
    at = min(problem.column - 1, len(problem.text))
    room = max(width, 20) - 3  # an ellipsis on either side, and the caret behind the last character
    left = _tail(problem.text[:at], room * 2 // 3)
    right = _head(problem.text[at:], room - _cells(left[1]))
    before = ("…" if left[0] else "") + left[1]
    after = right[1] + ("…" if right[0] else "")
    return f"{before}{after}\n{' ' * _cells(before)}^"


def visible(text: str) -> str:
    """`text` with an escape for every character that is not printable (control, direction, line marks)."""
    return "".join(char if char.isprintable() else _escape(ord(char)) for char in text)


def quoted(text: str, limit: int = 80) -> str:
    """`text` for a message: quoted, escaped, and cut at `limit` characters."""
    shown = visible(text[:limit])
    return f"'{shown}…'" if len(text) > limit else f"'{shown}'"


def _tail(text: str, room: int) -> tuple[bool, str]:
    """(cut?, the last characters of `text` that fit into `room` cells)."""
    cut, shown = _head(text[::-1], room, backwards=True)
    return cut, shown


def _head(text: str, room: int, *, backwards: bool = False) -> tuple[bool, str]:
    pieces: list[str] = []
    for char in text:
        piece = visible(char)
        room -= _cells(piece)
        if room < 0:
            break
        pieces.append(piece)
    shown = "".join(reversed(pieces)) if backwards else "".join(pieces)
    return len(pieces) < len(text), shown


def _cells(text: str) -> int:
    """How many columns a terminal needs for it."""
    return sum(_cell(char) for char in text)


def _cell(char: str) -> int:
    if char.isascii():
        return 1
    if unicodedata.category(char) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _escape(code: int) -> str:
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
