"""Earlier audits, kept as files: `.ivn/audits/TIME.json`, or a folder that is handed on between machines.

Readable by their owner only, bounded in number and size, and without anything secret: ids, times and numbers. A file
that cannot be used is named and passed over.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ivn_provision.errors import StateError
from ivn_provision.run.audit.history_file import MOST_BYTES, Remembered, parsed, without_sites, written
from ivn_provision.run.audit.memory import Memory, SiteMemory, merged
from ivn_provision.run.audit.record import Moment
from ivn_provision.run.state import StateFolder, read_file, state_errors
from ivn_provision.strict_json import WrongShape

KEPT = 400
"""Audits whose numbers are kept, for the trend."""
KEPT_WHOLE = 5
"""Audits of a fleet of which every site is kept: the newest is used, the others stand in if it is damaged."""
_FILE = re.compile(r"\d{8}T\d{6}Z(-\d{1,3})?\.json", re.ASCII)
_NOTED = 5


@dataclass(frozen=True, slots=True)
class _Read:
    """What the folder holds, newest first."""

    audits: tuple[tuple[Path, Remembered], ...] = ()
    notes: tuple[str, ...] = ()

    def newest(self) -> tuple[Path, Remembered] | None:
        """The newest of which every site is kept."""
        return next((each for each in self.audits if each[1].sites is not None), None)

    def sites(self) -> Mapping[str, SiteMemory]:
        newest = self.newest()
        return (newest[1].sites or {}) if newest else {}


class History:
    """The audits of one fleet in a folder. `fleet` tells fleets apart that share one.

    Two may have the same: with `names`, of all sites of the fleet, an audit that saw none of them is of another fleet.
    """

    def __init__(self, folder: Path, fleet: str, names: Collection[str] = ()) -> None:
        self._folder = folder
        self._names = frozenset(names)
        self._fleet = os.path.normpath(fleet)

    def memory(self, selection: str, now: datetime) -> Memory:
        """What is known so far. Never fails: what cannot be read is in the notes."""
        read = self._read(now)
        moments = [each.moment for _, each in read.audits if each.selection == selection]
        return Memory(read.sites(), tuple(reversed(moments)), read.notes)

    def add(
        self,
        moment: Moment,
        selection: str,
        sites: Mapping[str, SiteMemory],
        *,
        only_these: bool,
        before: Mapping[str, SiteMemory] | None = None,
        now: datetime | None = None,
    ) -> None:
        """Keep one more audit. With `only_these` other sites are forgotten: they are not in the fleet any more.

        Sites that another audit has seen meanwhile keep what it saw: `before` is what this one knew when it began, `now`
        when it ends. Raises StateError.
        """
        at = datetime.fromisoformat(moment.at)
        with state_errors(self._folder), _alone(self._folder):
            read = self._read(max(at, now or at))
            newest = read.newest()
            later = newest if newest is not None and newest[1].moment.at >= moment.at else None
            there = {} if only_these and later is None else read.sites()
            known = {**there, **_joined(sites, read.sites(), before, is_later=later is not None)}
            files = {self._free(at): Remembered(moment, self._fleet, selection, known)}
            if later is not None:  # the next audit looks there
                files[later[0]] = replace(later[1], sites=known)
            StateFolder(self._folder).write_all({path: written(audit) for path, audit in files.items()})
            self._tidy({**dict(read.audits), **files})

    def _free(self, at: datetime) -> Path:
        """Two audits may begin in one second."""
        stem = at.strftime("%Y%m%dT%H%M%SZ")
        names = (f"{stem}.json", *(f"{stem}-{number}.json" for number in range(2, 1000)))
        paths = [self._folder / name for name in names]
        return next((path for path in paths if not path.exists()), paths[0])

    def _read(self, now: datetime) -> _Read:
        stamp = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        found: list[tuple[Path, Remembered]] = []
        wrong: list[str] = []
        strange = ""
        for path in self._files():
            try:
                audit = parsed(read_file(path, MOST_BYTES), now=stamp)
            except WrongShape as problem:
                wrong.append(f"the earlier audit {path} is passed over: {problem}")
            except (StateError, FileNotFoundError) as problem:
                wrong.append(f"the earlier audit {path} is passed over: {problem}")
            else:
                if audit.fleet == self._fleet and self._is_of_this_fleet(audit):
                    found.append((path, audit))
                elif audit.fleet == self._fleet:
                    strange = self._of_another(audit)
        found.sort(key=lambda each: each[1].moment.at, reverse=True)
        more = [f"{len(wrong) - _NOTED} more earlier audits are passed over"] if len(wrong) > _NOTED else []
        others = [strange] if strange else []
        return _Read(tuple(found), (*wrong[:_NOTED], *more, *others))

    def _is_of_this_fleet(self, audit: Remembered) -> bool:
        names = audit.names if audit.sites is None else audit.sites
        return not self._names or not names or not self._names.isdisjoint(names)

    def _of_another(self, audit: Remembered) -> str:
        name = next(iter(audit.names if audit.sites is None else audit.sites))
        return (
            f"{self._folder} also holds audits of another fleet in a folder {self._fleet}, with sites such as {name}: "
            "they are passed over; give each fleet a folder of its own with --history"
        )

    def _files(self) -> list[Path]:
        try:
            names = os.listdir(self._folder)
        except OSError:
            return []
        return [self._folder / name for name in sorted(filter(_FILE.fullmatch, names), reverse=True)[:KEPT]]

    def _tidy(self, audits: Mapping[Path, Remembered]) -> None:
        """Old audits without their sites, the oldest not at all."""
        newest_first = sorted(audits.items(), key=lambda each: each[1].moment.at, reverse=True)
        whole = [each for each in newest_first if each[1].sites is not None]
        for path, audit in whole[KEPT_WHOLE:]:
            StateFolder(self._folder).write(path, written(without_sites(audit)))
        names = sorted(filter(_FILE.fullmatch, os.listdir(self._folder)), reverse=True)
        for name in names[KEPT:]:
            with suppress(OSError):
                (self._folder / name).unlink()


def _joined(
    mine: Mapping[str, SiteMemory],
    there: Mapping[str, SiteMemory],
    before: Mapping[str, SiteMemory] | None,
    *,
    is_later: bool,
) -> dict[str, SiteMemory]:
    """What an audit saw, with what others wrote down of the same sites since it began. `is_later`: they began later."""

    def one(name: str, site: SiteMemory) -> SiteMemory:
        theirs = there.get(name)
        if before is None or theirs is None or theirs == before.get(name):
            return site
        return merged(theirs, site) if is_later else merged(site, theirs)

    return {name: one(name, site) for name, site in mine.items()}


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
