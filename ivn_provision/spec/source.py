"""Bytes of a file -> text, within limits, or a diagnostic that says why not."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from ivn_provision.diagnostics import Diagnostic, Place, Severity

MAX_BYTES = 1024 * 1024

_WIDE = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")


@dataclass(frozen=True, slots=True)
class Source:
    """A file of one level: `path` as the user named it, `level` `fleet`, `group NAME` or `site`."""

    path: str
    level: str


def read_bytes(path: str) -> bytes | Diagnostic:
    """The whole file, at most `MAX_BYTES`; never waits on a pipe or device."""
    try:
        content = _read(path)
    except OSError as problem:
        reason = problem.strerror or str(problem)
        hint = "Check the path and its permissions; site files are regular files."
        return _error("YML001", path, f"cannot read the file: {reason}", hint)
    except ValueError:
        return _error("YML001", path, "cannot read the file: its name holds a NUL", "Rename the file.")
    if len(content) > MAX_BYTES:
        hint = "A site file has some hundred lines; was another file meant? Split large fleets into sites."
        return _error("YML003", path, "the file is over 1 MiB", hint)
    return content


def decode(content: bytes, path: str) -> str | Diagnostic:
    """UTF-8 text, a byte order mark removed."""
    if content.startswith(_WIDE):
        return _error("YML002", path, "the file is UTF-16 or UTF-32 text", "Save it as UTF-8.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        good = content[: problem.start].decode("utf-8-sig")
        line, column = good.count("\n") + 1, len(good) - (good.rfind("\n") + 1) + 1
        place = Place(path, line, column, line, column + 1)
        summary = f"byte 0x{content[problem.start]:02x} is not UTF-8 text"
        hint = "Save the file as UTF-8; it may be Latin-1 or Windows-1252 now."
        return Diagnostic(Severity.ERROR, "YML002", summary, place, hint=hint)
    if not text.strip():
        return _error("YML004", path, "the file is empty", "Begin with `site: NAME`, or delete the file.")
    return text


def _read(path: str) -> bytes:
    """At most one byte over `MAX_BYTES`. Opens without blocking, and refuses what is no regular file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "it is not a regular file")
        if status.st_size > MAX_BYTES:
            return b" " * (MAX_BYTES + 1)
        parts: list[bytes] = []
        while part := os.read(descriptor, MAX_BYTES + 1 - sum(len(each) for each in parts)):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def _error(code: str, path: str, summary: str, hint: str) -> Diagnostic:
    return Diagnostic(Severity.ERROR, code, summary, Place(path, 1, 1, 1, 1), hint=hint)
