"""Lines of source files for reports, with everything masked that may be a password."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from ivn_provision.diagnostics import Diagnostic, Place
from ivn_provision.report.line_masks import is_reference, masked
from ivn_provision.spec.secret_keys import MASKED

SourceLine = Callable[[str, int], str]
"""(path, line from 1) -> the line as it may be shown; '' if there is none."""

_UNKNOWN_KEY, _DUPLICATE_KEY = "SCH001", "YML009"
_AFTER_KEY = re.compile(r"""["']?\s*:?\s*""")


def file_lines(path: str, line: int) -> str:
    """A line of a file on disk, masked. Files are read once."""
    lines = _lines(path)
    return lines[line - 1] if 1 <= line <= len(lines) else ""


def hiding_unknown(diagnostics: Sequence[Diagnostic], source_line: SourceLine) -> SourceLine:
    """`source_line`, without what follows a key that these diagnostics call unknown where it stands."""
    ends: dict[tuple[str, int], int] = {}
    for place in _unknown_keys(diagnostics):
        at, end = (place.path, place.line), place.end_column - 1
        ends[at] = min(end, ends.get(at, end))

    def line(path: str, number: int) -> str:
        text = source_line(path, number)
        end = ends.get((path, number))
        return text if end is None else _without_value(text, end)

    return line


def _unknown_keys(diagnostics: Sequence[Diagnostic]) -> Iterator[Place]:
    """Where they are written. Of a key that is there twice, only the first is called unknown."""
    unknown = {found.place for found in diagnostics if found.code == _UNKNOWN_KEY and found.place is not None}
    yield from unknown
    starts = {(place.path, place.line, place.column) for place in unknown}
    for found in diagnostics:
        if found.code == _DUPLICATE_KEY and found.place is not None:
            firsts = {(each.place.path, each.place.line, each.place.column) for each in found.related}
            if firsts & starts:
                yield found.place


def _without_value(text: str, key_end: int) -> str:
    match = _AFTER_KEY.match(text, min(key_end, len(text)))
    start = match.end() if match else len(text)
    return text if start >= len(text) or is_reference(text, start) else f"{text[:start]}{MASKED}"


def _lines(path: str) -> tuple[str, ...]:
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            return ()
        return _read(path, status.st_mtime_ns, status.st_size)
    except (OSError, ValueError):
        return ()


@lru_cache(maxsize=64)
def _read(path: str, _changed: int, _size: int) -> tuple[str, ...]:
    with open(path, "rb") as file:
        content = file.read(1024 * 1024)
    text = content.decode("utf-8-sig", errors="replace")
    return masked(line.removesuffix("\r") for line in text.split("\n"))
