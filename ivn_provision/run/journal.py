"""The journal of a run: one JSON line for each thing, written and synced before the thing is done.

A torn last line is what a crash leaves, and counts as not written; every other line that is not as the tool
wrote it is found (`journal_lines`, docs/reference/journal.md).
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from ivn_provision import __version__
from ivn_provision.errors import StateError
from ivn_provision.run.journal_lines import Record, canonical, render, stamp, verified
from ivn_provision.run.state import StateFolder, read_file, state_errors, sync_folder
from ivn_provision.strict_json import Node, WrongShape

__all__ = [
    "Journal", "Record", "RunSummary", "canonical", "digest", "find_run", "read_run", "runs_of", "standing_of",
]  # fmt: skip

RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{2,79}")
FILE = "journal.jsonl"
FORMAT = 1
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What `history` lists. `sites` says how the run ended on each; `error` why a journal cannot be read; `partial`:
    it was for a part of each site (`--target`).

    A run without `at` has no record: it broke off before it began, or its journal was removed.
    """

    run: str
    at: str = ""
    who: str = ""
    command: str = ""
    revision: str = ""
    sites: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    dirty: bool = False
    partial: bool = False


class Journal:
    """A journal that is open for writing, by one process at a time. Thread-safe."""

    def __init__(self, state: StateFolder, run: str, clock: Clock, handle: int) -> None:
        self.run = run
        self._path = _folder(state, run) / FILE
        self._key, self._clock, self._handle = state.key(), clock, handle
        self._lock = threading.Lock()
        self._records: list[Record] = []
        self._mac = run
        self._end = 0
        self._torn = False

    @classmethod
    def create(cls, state: StateFolder, run: str, clock: Clock, **data: Any) -> Self:
        """Begins a run. Raises StateError, also where there is one of that name already; then nothing is left."""
        folder = _folder(state, run)
        state.key()
        state.folder(state.journals)
        with state_errors(folder):
            folder.mkdir(mode=0o700)
        try:
            journal = cls(state, run, clock, _made(folder))
            try:
                journal.append("begin", tool=__version__, format=FORMAT, **data)
            except BaseException:
                journal.close()
                raise
        except StateError as error:
            _removed(folder)
            error.next_step = "make room, or correct the rights; nothing was read or changed"
            raise
        return journal

    @classmethod
    def reopen(cls, state: StateFolder, run: str, clock: Clock) -> Self:
        """Goes on with a run that broke off: all is verified, and a torn last line cut off.

        `run` may be the beginning of a run's name. Raises StateError if it is still going on.
        """
        name = find_run(state, run)
        path = _folder(state, name) / FILE
        with state_errors(path):
            handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            journal = cls(state, name, clock, handle)
            journal._take_over()
        except BaseException:
            os.close(handle)
            raise
        return journal

    @staticmethod
    def is_here(state: StateFolder, run: str) -> bool:
        """Is there a journal of a run with exactly this name?"""
        return RUN.fullmatch(run) is not None and (state.path / state.journals / run / FILE).is_file()

    @staticmethod
    def is_open(state: StateFolder, run: str) -> bool:
        """Does some process still write it?"""
        path = _folder(state, run) / FILE
        with state_errors(path):
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            finally:
                os.close(handle)
        return False

    @property
    def records(self) -> tuple[Record, ...]:
        """All so far."""
        with self._lock:
            return tuple(self._records)

    def append(self, event: str, site: str = "", **data: Any) -> None:
        """One line, on disk when this returns. Raises StateError; then it is as if it had not been asked for."""
        with self._lock:
            record = Record(len(self._records) + 1, stamp(self._clock()), event, site, data)
            own = render(self._key, record, self._mac)
            self._write(own.line)
            self._records.append(own.record)
            self._mac = own.mac

    def close(self) -> None:
        """Lets others have it."""
        with self._lock:
            if self._handle >= 0:
                os.close(self._handle)
                self._handle = -1

    def _take_over(self) -> None:
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StateError(
                f"run {self.run} is still going on",
                where=str(self._path),
                next_step="wait for it, or stop its process",
            ) from error
        with state_errors(self._path):
            content = read_file(self._path)
            self._records, self._mac, self._end = verified(self._key, self.run, self._path, content)
            os.ftruncate(self._handle, self._end)
            os.fsync(self._handle)

    def _write(self, line: bytes) -> None:
        """All of the line, or nothing: what was written of one that did not fit is cut off again."""
        try:
            if self._torn:
                os.ftruncate(self._handle, self._end)
            self._torn = True
            if os.pwrite(self._handle, line, self._end) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._handle)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._handle, self._end)
            raise StateError(
                f"the journal of run {self.run} cannot be written: {error.strerror}",
                where=str(self._path),
                next_step=f"make room, then run `ivn-provision resume {self.run}`",
            ) from error
        self._torn = False
        self._end += len(line)


def _made(folder: Path) -> int:
    """A new, locked journal file; its name is on disk."""
    with state_errors(folder):
        folder.chmod(0o700)  # whatever the umask took away
        handle = os.open(folder / FILE, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.fchmod(handle, 0o600)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            sync_folder(folder)
            sync_folder(folder.parent)
        except BaseException:
            os.close(handle)
            raise
    return handle


def _removed(folder: Path) -> None:
    with suppress(OSError):
        (folder / FILE).unlink(missing_ok=True)
        folder.rmdir()


def read_run(state: StateFolder, run: str) -> tuple[Record, ...]:
    """The records of a run, every one verified; `run` may be the beginning of its name.

    Raises StateError with the line that is off. A run that broke off before its first record has none.
    """
    name = find_run(state, run)
    path = _folder(state, name) / FILE
    try:
        content = read_file(path)
    except FileNotFoundError:
        return ()
    return tuple(verified(state.key(), name, path, content).records)


def runs_of(state: StateFolder) -> tuple[RunSummary, ...]:
    """All runs, the newest first. A journal that cannot be read is listed with the reason."""
    return tuple(_summary(state, name) for name in sorted(_names(state), reverse=True))


def find_run(state: StateFolder, text: str) -> str:
    """The run whose name begins so. Raises StateError where there is none, or more than one."""
    if not RUN.fullmatch(text):
        raise _no_name(text)
    names = _names(state)
    found = [text] if text in names else sorted(name for name in names if name.startswith(text))
    if len(found) > 1:
        raise StateError(
            f"{len(found)} runs begin with {text}: {', '.join(found[:3])}{', ...' if len(found) > 3 else ''}",
            next_step="give more of the name",
        )
    if not found:
        raise StateError(
            f"there is no run {text} in {state.path}",
            where=str(state.path / state.journals),
            next_step="see `ivn-provision history`; runs are kept where they were made",
        )
    return found[0]


def standing_of(records: tuple[Record, ...], site: str) -> str:
    """How a run that is over ended on a site.

    `unfinished` where it did not end, `refused` where it broke off before it planned anything there.
    """
    mine = [each for each in records if each.site == site]
    last = next((each for each in reversed(mine) if each.event in {"site_end", "resumed"}), None)
    if last is None and not any(each.event == "planned" for each in mine):
        return "refused"
    standing = last.data.get("standing") if last is not None else None
    return standing if isinstance(standing, str) else "unfinished"


def standings_in(state: StateFolder, run: str, records: tuple[Record, ...]) -> dict[str, str]:
    """Of every site that the run was for. Raises WrongShape, and StateError if its journal is gone."""
    asked = Node(records[0].data).find("sites") if records else None
    named = [each.text() for each in asked.items()] if asked is not None else []
    found = {name: standing_of(records, name) for name in (*named, *(each.site for each in records)) if name}
    if any(each.event == "end" for each in records) or not Journal.is_open(state, run):
        return found
    ended = {each.site for each in records if each.event == "site_end"}
    return {name: word if name in ended else "unfinished" for name, word in found.items()}


def digest(text: str) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def _names(state: StateFolder) -> list[str]:
    folder = state.path / state.journals
    try:
        with state_errors(folder):
            return [name for name in os.listdir(folder) if RUN.fullmatch(name)]
    except StateError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return []
        raise


def _summary(state: StateFolder, run: str) -> RunSummary:
    try:
        records = read_run(state, run)
        if not records:
            return RunSummary(run)
        sites = standings_in(state, run, records)
        if records[0].event != "begin":
            return RunSummary(run, records[0].at, sites=sites)
        begin = Node(records[0].data)
        who, command, revision = (begin[name].text() for name in ("who", "command", "revision"))
        changed = begin.find("dirty")
        dirty = changed is not None and changed.flag()
        partial = _is_partial(begin)
        return RunSummary(run, records[0].at, who, command, revision, sites, dirty=dirty, partial=partial)
    except StateError as error:
        return RunSummary(run, error=f"{error.summary} ({error.where})")
    except WrongShape as error:
        return RunSummary(run, error=f"its first record is not understood: {error}")


def _is_partial(begin: Node) -> bool:
    options = begin.find("options")
    globs = [options.find(name) for name in ("target", "exclude")] if options is not None else []
    return any(each is not None and list(each.items()) for each in globs)


def _folder(state: StateFolder, run: str) -> Path:
    if not RUN.fullmatch(run):
        raise _no_name(run)
    return state.path / state.journals / run


def _no_name(text: str) -> StateError:
    return StateError(f"{text[:80]!r} is no name of a run", next_step="see `ivn-provision history`")
