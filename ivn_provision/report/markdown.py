"""Text from outside in Markdown, so that it is shown and never obeyed: no markup, no HTML, no mention of a person."""

from __future__ import annotations

import re
from html import escape

from ivn_provision.report.paint import safe

_MARKS = re.compile(r"([\\`*_{}\[\]<>#|~&!])")
_TICKS = re.compile(r"`+")


def plain(text: str) -> str:
    """Text whose every mark is shown, not obeyed; a number and a dot do not begin a list."""
    return _MARKS.sub(r"\\\1", safe(text))


def code(text: str) -> str:
    """Literal text, fenced by more backquotes than it has in a row."""
    shown = safe(text)
    ticks = fence(shown, 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") or not shown.strip() else ""
    return f"{ticks}{pad}{shown}{pad}{ticks}"


def cell(text: str) -> str:
    """Literal text in a table or in HTML: there a bar ends a cell, even between backquotes."""
    shown = escape(safe(text), quote=True).replace("|", "&#124;")
    for mark in "\\`*_[]~":  # what Markdown would read between the tags of a cell
        shown = shown.replace(mark, f"&#{ord(mark)};")
    return f"<code>{shown}</code>"


def fence(text: str, least: int = 3) -> str:
    """Backquotes that `text` cannot end."""
    longest = max((len(each) for each in _TICKS.findall(text)), default=0)
    return "`" * max(least, longest + 1)
