"""The leases of one site: all of its targets are held before the first write, and released after the last."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

from ivn_provision.drivers.base import Hold, Writer
from ivn_provision.errors import IvnError, LeaseHeld, RevertFired
from ivn_provision.model.targets import CAMERA, family
from ivn_provision.run.guards import Guards
from ivn_provision.run.site_journal import SiteJournal
from ivn_provision.run.targets import Opener

LONGEST_STEPS = 4
"""Operations on a target that an apply may need between two renewals: write, proof, the way back, its proof."""
SPARE_SECONDS = 60
WAITS = " (waits for confirm)"
"""Behind the owner of a lease whose run is proven and waits for a person."""


def lease_seconds(guards: Guards, opener: Opener) -> int:
    """How long a lease lasts without a renewal: longer than a run, and than a revert that waits."""
    return int(guards.confirm_within + LONGEST_STEPS * opener.deadline_seconds + SPARE_SECONDS)


@dataclass(slots=True)
class SiteHold:
    """Takes, renews and releases. `run` is the run's name on the targets: RUN-SITE."""

    run: str
    guards: Guards
    opener: Opener
    journal: SiteJournal
    held: list[str] = field(default_factory=list)

    def take(self, writers: Mapping[str, Writer]) -> None:
        """All targets or none. Raises LeaseHeld, or what a target says."""
        until = self.opener.clock() + timedelta(seconds=self._hold().seconds)
        for target, writer in sorted(writers.items()):
            if family(target) == CAMERA:
                continue  # has no lease: who holds the site's recorder or portal holds its cameras
            self.journal.write("hold", target=target, until=until.strftime("%Y-%m-%dT%H:%M:%SZ"))
            try:
                writer.hold(self._hold())
                self.held.append(target)
                self.journal.write("held", target=target)
            except IvnError as error:
                if not isinstance(error, LeaseHeld):
                    self.held.append(target)  # the answer may be what was lost
                self._drop(writers)
                raise

    def renew(self, writer: Writer) -> None:
        """Before a later write: the lease counts from now. A recorder's write renews it on the way."""
        if writer.target in self.held and writer.target != "nvr":
            writer.hold(self._hold())

    def wait(self, writers: Mapping[str, Writer]) -> None:
        """The leases say from now on that the run waits for a person: so it can be confirmed from anywhere."""
        hold = self._hold()
        for target in self.held:
            writers[target].hold(replace(hold, owner=f"{hold.owner}{WAITS}"))

    def release(self, writers: Mapping[str, Writer], *, stays: bool = True) -> None:
        """Every target gives its lease back and disarms. Raises the first error after all were asked.

        Where a recorder may still go back by itself, nothing else is given back: the other targets' leases are
        what the next command finds. `stays`: see Writer.release.
        """
        first: IvnError | None = None
        for target in sorted(self.held):
            self.journal.note("release", target=target)
            try:
                _twice(writers[target], self.run, stays=stays)
            except IvnError as error:
                if isinstance(error, RevertFired) or (target == "nvr" and self.guards.confirm_within):
                    raise
                first = first or error
            else:
                self.held.remove(target)
                self.journal.note("released", target=target)
        if first is not None:
            raise first

    def _hold(self) -> Hold:
        seconds = lease_seconds(self.guards, self.opener)
        return Hold(self.guards.owner, self.run, seconds, self.guards.confirm_within)

    def _drop(self, writers: Mapping[str, Writer]) -> None:
        with suppress(IvnError):  # the error that led here says more; a lease ends by itself
            self.release(writers, stays=False)


def _twice(writer: Writer, run: str, *, stays: bool) -> None:
    """To release again does no harm, and a lease that stays keeps others waiting."""
    try:
        writer.release(run, stays=stays)
    except (LeaseHeld, RevertFired):
        raise
    except IvnError:
        writer.release(run, stays=stays)
