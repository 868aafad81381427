"""Earlier audits, kept as files: `.ivn/audits/TIME.json`, or a folder that is handed on between machines.

Readable by their owner only, bounded in number and size, and without anything secret: ids, times and numbers. A file
that cannot be used is named and passed over.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ivn_provision.errors import StateError
from ivn_provision.run.audit.history_file import MOST_BYTES, Remembered, parsed, written
from ivn_provision.run.audit.memory import Memory, SiteMemory
from ivn_provision.run.audit.record import Moment
from ivn_provision.run.state import StateFolder, read_file, state_errors
from ivn_provision.strict_json import WrongShape

KEPT = 400
"""Audits whose numbers are kept, for the trend."""
KEPT_WHOLE = 5
"""Audits of a fleet of which every site is kept: the newest is used, the others stand in if it is damaged."""
_FILE = re.compile(r"\d{8}T\d{6}Z\.json", re.ASCII)
_NOTED = 5


@dataclass(frozen=True, slots=True)
class _Read:
    """What the folder holds, newest first."""

    audits: tuple[tuple[Path, Remembered], ...] = ()
    notes: tuple[str, ...] = ()

    def sites(self) -> Mapping[str, SiteMemory]:
        return next((each.sites for _, each in self.audits if each.sites is not None), {})


class History:
    """The audits of one fleet in a folder. `fleet` tells fleets apart that share one."""

    def __init__(self, folder: Path, fleet: str) -> None:
        self._folder = folder
        self._fleet = os.path.normpath(fleet)

    def memory(self, selection: str, now: datetime) -> Memory:
        """What is known so far. Never fails: what cannot be read is in the notes."""
        read = self._read(now)
        moments = [each.moment for _, each in read.audits if each.selection == selection]
        return Memory(read.sites(), tuple(reversed(moments)), read.notes)

    def add(
        self, moment: Moment, selection: str, sites: Mapping[str, SiteMemory], *, only_these: bool
    ) -> None:
        """Keep one more audit. With `only_these` other sites are forgotten: they are not in the fleet any more.

        Sites that another audit has seen meanwhile keep what it saw. Raises StateError.
        """
        at = datetime.fromisoformat(moment.at)
        with state_errors(self._folder), _alone(self._folder):
            read = self._read(at)
            there = {} if only_these else read.sites()
            audit = Remembered(moment, self._fleet, selection, {**there, **sites})
            path = self._folder / f"{at.strftime('%Y%m%dT%H%M%SZ')}.json"
            StateFolder(self._folder).write(path, written(audit))
            self._tidy([(path, audit), *(each for each in read.audits if each[0] != path)])

    def _read(self, now: datetime) -> _Read:
        stamp = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        found: list[tuple[Path, Remembered]] = []
        wrong: list[str] = []
        for path in self._files():
            try:
                audit = parsed(read_file(path, MOST_BYTES), now=stamp)
            except WrongShape as problem:
                wrong.append(f"the earlier audit {path} is passed over: {problem}")
            except (StateError, FileNotFoundError) as problem:
                wrong.append(f"the earlier audit {path} is passed over: {problem}")
            else:
                if audit.fleet == self._fleet:
                    found.append((path, audit))
        found.sort(key=lambda each: each[1].moment.at, reverse=True)
        more = [f"{len(wrong) - _NOTED} more earlier audits are passed over"] if len(wrong) > _NOTED else []
        return _Read(tuple(found), (*wrong[:_NOTED], *more))

    def _files(self) -> list[Path]:
        try:
            names = os.listdir(self._folder)
        except OSError:
            return []
        return [self._folder / name for name in sorted(filter(_FILE.fullmatch, names), reverse=True)[:KEPT]]

    def _tidy(self, audits: list[tuple[Path, Remembered]]) -> None:
        """Old audits without their sites, the oldest not at all."""
        whole = [each for each in audits if each[1].sites is not None]
        for path, audit in whole[KEPT_WHOLE:]:
            StateFolder(self._folder).write(path, written(replace(audit, sites=None)))
        names = sorted(filter(_FILE.fullmatch, os.listdir(self._folder)), reverse=True)
        for name in names[KEPT:]:
            with suppress(OSError):
                (self._folder / name).unlink()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No other audit adds to the folder meanwhile; it takes a moment only."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
