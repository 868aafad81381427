"""Colour on a terminal, nothing elsewhere. `NO_COLOR` is honoured by whoever makes the Paint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_CODES = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36", "bold": "1", "dim": "2"}


@dataclass(frozen=True, slots=True)
class Paint:
    """Wraps text in ANSI codes if `on`."""

    on: bool

    def __call__(self, text: str, *styles: str) -> str:
        if not self.on or not text or not styles:
            return text
        codes = ";".join(_CODES[style] for style in styles)
        return f"\x1b[{codes}m{text}\x1b[0m"


def paint_for(*, is_terminal: bool, env: Mapping[str, str]) -> Paint:
    """Colour on a terminal unless NO_COLOR is set (no-color.org) or TERM is dumb; FORCE_COLOR wins."""
    if env.get("FORCE_COLOR"):
        return Paint(on=True)
    return Paint(on=is_terminal and not env.get("NO_COLOR") and env.get("TERM") != "dumb")


def safe(text: str) -> str:
    """Text from outside without what could drive a terminal or deceive its reader.

    Everything that `str.isprintable` denies is written as an escape: control characters (C1 too), marks
    that reverse the direction of text, zero-width characters, line separators, halves of surrogate pairs.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
