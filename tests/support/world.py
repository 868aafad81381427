"""A lab with site files, and the product run against it in this process."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ivn_provision.errors import UsageProblem
from ivn_provision.lab.clock import Clock, system_clock
from ivn_provision.lab.lab import Lab
from ivn_provision.lab.sites import generated_sites, with_axis
from ivn_provision.plan.attestations import Attestation
from ivn_provision.run.attestation_files import attestation_file, attestations_of, record
from ivn_provision.run.engine import SiteOutcome, apply_sites, plan_sites
from ivn_provision.run.events import Event
from ivn_provision.run.guards import Guards
from ivn_provision.run.state import StateFolder
from ivn_provision.run.targets import Opener
from ivn_provision.secret import Secret, SecretRef
from ivn_provision.spec.fleet import find_site
from ivn_provision.spec.secrets import resolve
from ivn_provision.spec.site import Site
from tests.support.attested import everything

EVENT_PORT = 1234
"""Where a generated site's recorder listens for generic events."""


@dataclass
class Events:
    """An observer that keeps everything."""

    seen: list[Event] = field(default_factory=list)

    def notify(self, event: Event) -> None:
        self.seen.append(event)


@dataclass
class World:
    """A running lab with `sites/` beside it.

    With `attest` a person vouches for every declared field that reading cannot show; without it, what stands
    in `attestations/` beside the sites counts, as for the command line.
    """

    lab: Lab
    folder: Path
    runs: int = 0
    secrets: set[str] = field(default_factory=set)
    attest: bool = True

    def site(self, name: str) -> Site:
        return find_site(self.folder, name)

    def opener(self, deadline: float = 20.0, **options: Any) -> Opener:
        """Options are those of `Opener`."""
        self.runs += 1
        return Opener(
            secret=self._resolve,
            run_id=run_id(self.runs),
            deadline_seconds=deadline,
            attestations=self._attested,
            **options,
        )

    def _attested(self, name: str) -> tuple[Attestation, ...]:
        try:
            site = self.site(name)
        except UsageProblem:
            return ()  # a site that a test made up
        return everything(site) if self.attest else attestations_of([site])(name)

    def attest_all(self, name: str) -> Path:
        """Write the site's attestation file, for runs of the command line."""
        site = self.site(name)
        path = attestation_file(site.path, name)
        record(path, name, everything(site))
        return Path(path)

    def _resolve(self, reference: SecretRef) -> Secret:
        found = resolve(reference, {})
        self.secrets.add(found.reveal())
        return found

    def plan(self, *names: str, deadline: float = 20.0, **options: Any) -> tuple[SiteOutcome, ...]:
        """Options are those of `Opener`."""
        sites = [self.site(name) for name in names]
        return plan_sites(sites, self.opener(deadline, **options), Events())

    @property
    def state(self) -> StateFolder:
        """Journals, snapshots and plans of this world."""
        return StateFolder(self.folder.parent / ".ivn")

    def guards(self, **options: Any) -> Guards:
        """Those of the command line; an apply that fails half-way is put back, unless a test says otherwise."""
        return Guards(state=self.state, owner="test@here", **options)

    def apply(self, *names: str, deadline: float = 20.0, **options: Any) -> tuple[SiteOutcome, ...]:
        """Options are those of `Guards`."""
        sites = [self.site(name) for name in names]
        return apply_sites(sites, self.opener(deadline), Events(), guards=self.guards(**options))

    def edit(self, name: str, old: str, new: str) -> None:
        """Change the text of a site file; the old text must be there."""
        path = self.folder / f"{name}.yml"
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {path.name}"
        path.write_text(text.replace(old, new), encoding="utf-8")


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Hands:
    """A clock that a test moves. Certificates are real, so it begins now."""

    now: datetime = field(default_factory=utc_now)

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def run_id(number: int) -> str:
    """Like those of the command line, and in the order of the test."""
    return f"20261124T{number // 3600:02}{number // 60 % 60:02}{number % 60:02}Z-{number:08x}"


def own_addresses() -> str:
    """Two octets of loopback that no other lab of this machine uses now.

    Each worker of pytest-xdist has a range of its own.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    room = 249 // count
    found = [f"127.{2 + worker * room + each}" for each in random.sample(range(room), room)]
    return next((each for each in found if _is_free(each)), found[0])


def _is_free(prefix: str) -> bool:
    """Does no lab's first recorder listen for generic events there?"""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind((f"{prefix}.0.2", EVENT_PORT))
        except OSError:
            return False
    return True


@contextmanager
def started(
    folder: Path, *, count: int = 1, clock: Clock = system_clock, axis: str = "", alone: bool = False
) -> Iterator[World]:
    """A lab of `count` generated sites (`lab-0001`...) with their site files. The clock is that of all its parts.

    With `axis` (a profile) the first camera of each is an Axis camera that the lab plays too; `alone`: there are no
    recorders, and the site files say nothing but of that camera.
    """
    sites = generated_sites(count, own_addresses())
    sites = with_axis(sites, axis) if axis else sites
    with Lab(folder / "lab", sites, portal_port=0, mail_port=0, clock=clock, recorders=not alone) as lab:
        for file in lab.write_sites(folder / "sites"):
            if alone:
                file.write_text(_only_axis(file.read_text("utf-8")), "utf-8")
        yield World(lab, folder / "sites")


def _only_axis(text: str) -> str:
    """A site file, or that of the fleet, without all that is not of the first camera."""
    if "\n  - number: 11" not in text:
        return "labels: {state: lab}\n"
    name = text[text.index("site: ") :].partition("\n")[0]
    return f"{name}\n{text[text.index('cameras:') : text.index('  - number: 11')]}"
