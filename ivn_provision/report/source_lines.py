"""Lines of source files for reports, with everything masked that may be a password."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from functools import lru_cache

SourceLine = Callable[[str, int], str]
"""(path, line from 1) -> the line as it may be shown; '' if there is none."""

_MASK = "********"
_SECRET_VALUE = re.compile(
    r"""(?ix) ( [\w.-]* (?:pass|secret|token|pwd|credential|private_key) [\w.-]* ["']? \s* : \s+ )
        (?! !secret\s+(?:env|file|keyring): | !ref\b | \s | $ ) .+ $"""
)
_OPEN_SECRET = re.compile(
    r"""(?ix) (?:pass|secret|token|pwd|credential|private_key) [\w.-]* ["']? \s* : \s* (?: [|>"'\[{] .* )? $"""
)
_USER_INFORMATION = re.compile(r"://[^/\s@]*@")
_MAX_LINE = 400


def file_lines(path: str, line: int) -> str:
    """A line of a file on disk, masked. Files are read once."""
    lines = _lines(path)
    if not 1 <= line <= len(lines):
        return ""
    return masked(lines, line)


def masked(lines: tuple[str, ...], line: int) -> str:
    """Line `line` without what stands after a key that looks secret, or continues such a value."""
    text = lines[line - 1][:_MAX_LINE]
    if _continues_secret(lines, line):
        return re.sub(r"\S.*", _MASK, text)
    return _USER_INFORMATION.sub(f"://{_MASK}@", _SECRET_VALUE.sub(rf"\1{_MASK}", text))


def _continues_secret(lines: tuple[str, ...], line: int) -> bool:
    """Is this line inside a block or quoted scalar, or below the bare key, of something secret?"""
    indent = _indent(lines[line - 1])
    for above in reversed(lines[max(0, line - 40) : line - 1]):
        if above.strip() and (_indent(above) < indent or indent == 0):
            return _OPEN_SECRET.search(above) is not None
    return False


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" \t"))


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
    return tuple(line.removesuffix("\r") for line in text.split("\n"))
