"""The second opinion on what hides in a site file: by the columns of its lines alone.

`line_masks` follows quotes and brackets over many lines, and one that only looks like one may lead it astray. Here a
line counts for itself: does it begin with a key whose value is masked, so are the lines below it that are indented deeper,
whatever was open before.
"""

from __future__ import annotations

import re

from ivn_provision.spec.secret_keys import FREE_MAPS, may_be_quoted

_LEAD = re.compile(r"\s*(?:[-?](?:\s+|$)|[!&]\S*\s+)*")
_KEY = re.compile(r"""(?P<key>"(?:[^"\\]|\\.)*"\s*|'(?:[^']|'')*'\s*|[^"'\[{].*?|):(?=\s|$)""")


class BlockKeys:
    """Which of the lines so far begins a masked value, and which one a map of free keys: their columns."""

    def __init__(self) -> None:
        self._hidden: int | None = None
        self._free: int | None = None
        self._parent = ""

    def hides(self, text: str, indent: int) -> bool:
        """Belongs this line to the value of a masked key above it? A comment and an empty line end nothing."""
        content = text[indent : indent + 1]
        if self._hidden is not None and (
            indent > self._hidden or (indent == self._hidden and content == "-")
        ):
            return True
        if content in {"", "#"}:
            return False
        self._hidden = None
        self._read(text, indent)
        return False

    def _read(self, text: str, indent: int) -> None:
        if self._free is not None and indent <= self._free:
            self._free = None
        column = first_key(text)
        found = _KEY.match(text, column)
        if found is None:
            return
        key = found["key"].strip().strip("\"'")
        parent = self._parent if self._free is not None else ""
        if not may_be_quoted(key, parent):
            self._hidden = column
        elif key in FREE_MAPS and not parent:
            self._free, self._parent = column, key


def first_key(text: str) -> int:
    """The column where a line's first key would begin: after dashes, tags and anchors."""
    lead = _LEAD.match(text)
    return lead.end() if lead else 0
