"""Attestation files on disk: `attestations/SITE.yml` beside the fleet's `fleet.yml`.

They are meant for version control. Recording appends; every byte that is there stays.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

from ivn_provision.diagnostics import Diagnostic
from ivn_provision.errors import IvnError, SpecError
from ivn_provision.plan.attestations import Attestation, entry_lines
from ivn_provision.run.attestation_entries import Entries, parse_entries, read_entries
from ivn_provision.spec.discovery import fleet_root
from ivn_provision.spec.source import read_bytes


class HasFile(Protocol):
    """A site, or a reference to one."""

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> str: ...


FOLDER = "attestations"
_HEAD = """\
# Who attested which field of {site} that no reading can show. Written by `ivn-provision apply`.
# An entry counts for its one value only, and for `attestation_days` (default 90).
site: {site}
attestations:
"""


def attestation_file(site_path: str, site: str) -> str:
    """Where the attestations of a site are kept."""
    return os.path.join(fleet_root(os.path.dirname(site_path) or "."), FOLDER, f"{site}.yml")


def attestations_of(sites: Sequence[HasFile]) -> Callable[[str], tuple[Attestation, ...]]:
    """Reads the file of a site by its name, anew at each call; a site without one has none."""
    paths = {site.name: attestation_file(site.path, site.name) for site in sites}
    return lambda name: recorded(paths[name], name) if name in paths else ()


def recorded(path: str, site: str) -> tuple[Attestation, ...]:
    """What a file holds; () if there is none. Raises SpecError if it has errors."""
    return _read(path, site).entries if os.path.lexists(path) else ()


def _read(path: str, site: str) -> Entries:
    found = read_entries(path)
    if found.site != site:
        raise SpecError(
            (), summary=f"{path} is of the site {found.site}, not of {site}", next_step="Rename one of them."
        )
    return found


def record(path: str, site: str, entries: Sequence[Attestation]) -> None:
    """Append entries, atomically: after a crash the file is the old one or the new one.

    Raises IvnError if it cannot be written, or is written in a style to which nothing can be appended.
    """
    if not entries:
        return
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with _alone(os.path.dirname(path)):
            _append(path, site, entries)
    except OSError as error:
        raise IvnError(
            f"the attestations of {site} cannot be written: {error.strerror or type(error).__name__}",
            where=path,
            next_step="nothing was recorded; make the folder writable and attest again",
        ) from error


def _append(path: str, site: str, entries: Sequence[Attestation]) -> None:
    before = read_bytes(path) if os.path.lexists(path) else b""
    if isinstance(before, Diagnostic):
        raise SpecError((before,), summary=f"{path} cannot be read")
    there = _read(path, site) if before.strip() else Entries(site, ())
    new = tuple(_as_written(each) for each in entries)
    after = before + _addition(before, there, site, new)
    wanted = tuple(replace(each, place=None) for each in (*there.entries, *new))
    if _understood(after, path) != wanted:
        raise IvnError(
            f"nothing can be appended to the attestations of {site}: the list is not the end of the file, "
            "or not one item a line",
            where=path,
            next_step="write its list as `- address: ...` items at the end of the file; nothing was recorded",
        )
    _replace(path, after)


def _as_written(entry: Attestation) -> Attestation:
    """Whole seconds, and no blanks around texts."""
    return replace(
        entry,
        by=entry.by.strip(),
        how=entry.how.strip(),
        moment=entry.moment.replace(microsecond=0),
        place=None,
    )


def _addition(before: bytes, there: Entries, site: str, entries: Sequence[Attestation]) -> bytes:
    newline = "\r\n" if b"\r\n" in before else "\n"
    lines = [] if before.strip() else _HEAD.format(site=site).splitlines()
    for each in entries:
        lines += entry_lines(each, there.indent)
    text = newline.join(lines) + newline
    return (newline if before and not before.endswith(b"\n") else "").encode() + text.encode()


def _understood(content: bytes, path: str) -> tuple[Attestation, ...] | None:
    try:
        found = parse_entries(content, path)
    except SpecError:
        return None
    return tuple(replace(each, place=None) for each in found.entries)


def _replace(path: str, content: bytes) -> None:
    """A new file in the same folder, flushed, with the old one's mode, put in its place."""
    mode = os.stat(path).st_mode & 0o777 if os.path.lexists(path) else 0o644
    handle, temporary = tempfile.mkstemp(prefix=".", suffix=".new", dir=os.path.dirname(path))
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


@contextmanager
def _alone(folder: str) -> Iterator[None]:
    """No other run records in this folder meanwhile."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise IvnError(
                "another run records attestations at this moment",
                where=folder,
                next_step="attest again in a moment; nothing was recorded",
            ) from None
        yield
    finally:
        os.close(handle)
