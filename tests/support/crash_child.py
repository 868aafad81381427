"""One apply, or one resume, that ends itself by SIGKILL at a chosen place of its journal.

It runs in a process of its own (`crash_forks`). The product is not changed for this: the method that writes a record
is wrapped here.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ivn_provision.errors import StateError
from ivn_provision.run.engine import apply_sites
from ivn_provision.run.events import Event
from ivn_provision.run.guards import Guards
from ivn_provision.run.journal import Journal
from ivn_provision.run.outcomes import SiteOutcome
from ivn_provision.run.resuming import as_the_run, chosen_sites, resume_sites
from ivn_provision.run.state import StateFolder
from ivn_provision.run.targets import Opener
from ivn_provision.spec.fleet import find_site
from ivn_provision.spec.secrets import resolve
from tests.support.attested import everything
from tests.support.world import utc_now


@dataclass(frozen=True, slots=True)
class Point:
    """The `number`-th record that a process writes, of an event (`done nvr`, `proof`) or of any (``).

    `before`: just before it is written. Number 0 is nowhere.
    """

    number: int = 0
    event: str = ""
    before: bool = False

    def __str__(self) -> str:
        what = f"{self.event} ({self.number})" if self.event else f"record {self.number}"
        return f"{'before' if self.before else 'after'} {what}"


NOWHERE = Point()


@dataclass(frozen=True, slots=True)
class Job:
    """What a process does, and where it dies.

    At `pause` it stops until it is told to go on. `kill_after`: seconds after its journal is there, or after a
    pause. `most_bytes`: no file of it may be larger, as if its disk was full then.
    """

    folder: str
    state: str
    site: str
    run: str
    resume: bool = False
    kill: Point = NOWHERE
    pause: Point = NOWHERE
    kill_after: float | None = None
    confirm_within: int = 0
    most_bytes: int = 0
    deadline_seconds: float = 10.0


class Silent:
    """An observer that says nothing."""

    def notify(self, event: Event) -> None:
        """Nobody listens."""


def label(event: str, data: Mapping[str, Any]) -> str:
    """How a record is called here: `done nvr`, `proof`."""
    return f"{event} {data['target']}" if "target" in data else event


def perform(job: Job) -> int:
    """Do it, if the process lives so long. The exit code; errors go to standard error."""
    if job.most_bytes:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        _no_more_than(job.most_bytes)
    _watch(job)
    outcomes = _resumed(job) if job.resume else _applied(job)
    for each in outcomes:
        if each.error is not None:
            print(f"{type(each.error).__name__}: {each.error} ({each.error.where})", file=sys.stderr)
    return 1 if any(each.error is not None for each in outcomes) else 0


def _applied(job: Job) -> Sequence[SiteOutcome]:
    site = find_site(Path(job.folder), job.site)
    return apply_sites([site], _opener(job), Silent(), guards=_guards(job))


def _resumed(job: Job) -> Sequence[SiteOutcome]:
    """As the command does it."""
    journal = Journal.reopen(_guards(job).state, job.run, utc_now)
    try:
        sites = [find_site(Path(job.folder), name) for name in chosen_sites(journal, ())]
        if not sites:
            return ()
        return resume_sites(sites, _opener(job), Silent(), as_the_run(_guards(job), journal), journal)
    finally:
        journal.close()


def _opener(job: Job) -> Opener:
    vouched = {job.site: everything(find_site(Path(job.folder), job.site))}
    return Opener(
        secret=lambda reference: resolve(reference, {}),
        run_id=job.run,
        deadline_seconds=job.deadline_seconds,
        attestations=lambda name: vouched[name],
    )


def _guards(job: Job) -> Guards:
    state = StateFolder(Path(job.state))
    return Guards(state=state, owner="crash@test", confirm_within=job.confirm_within)


def _watch(job: Job) -> None:
    """From now on, records are counted, and the process stops or dies at the chosen ones."""
    write = Journal.append
    counts: Counter[str] = Counter()

    def append(self: Journal, event: str, site: str = "", **data: Any) -> None:
        name = label(event, data)
        counts.update(("", name))

        def is_at(point: Point, *, before: bool) -> bool:
            here = point.event in {"", name} and counts[point.event] == point.number
            return here and point.before is before

        _signalled(signal.SIGKILL, is_at(job.kill, before=True))
        try:
            write(self, event, site, **data)
        except StateError:
            _no_more_than(0 if job.most_bytes else resource.RLIM_INFINITY)  # a full disk stays full
            raise
        _signalled(signal.SIGSTOP, is_at(job.pause, before=False))
        _signalled(signal.SIGKILL, is_at(job.kill, before=False))

    Journal.append = append  # type: ignore[method-assign]


def _signalled(number: signal.Signals, now: bool) -> None:
    if now:
        os.kill(os.getpid(), number)


def _no_more_than(size: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
