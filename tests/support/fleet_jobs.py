"""Jobs for workers, and a worker's hands in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ivn_provision.run.events import Observer
from ivn_provision.run.fleet.attempts import Hands
from ivn_provision.run.fleet.database import Database
from ivn_provision.run.fleet.durable import DurableRunner, Waiting
from ivn_provision.run.fleet.loading import FleetFiles
from ivn_provision.run.fleet.refs import SiteRef
from ivn_provision.run.fleet.remote import APPLY, RemoteWork
from ivn_provision.run.fleet.site_job import ApplyOptions, SiteJob, SiteResult, plan_digest
from ivn_provision.run.guards import Guards
from ivn_provision.run.site_plans import read_plan
from ivn_provision.run.state import StateFolder
from ivn_provision.run.targets import Opener
from ivn_provision.spec.site import Site
from tests.support.world import Events, World, utc_now

RUN = "20261129T120000Z-0123abcd"


def digest_of(world: World, site: str) -> str:
    """Of the plan for a site, as it is now."""
    found = world.site(site)
    return plan_digest(found, read_plan(found, world.opener(), Events()))


def job_of(world: World, site: str, run: str = RUN) -> SiteJob:
    return SiteJob(run, site, digest_of(world, site))


@dataclass
class Host:
    """A worker's hands: its state folder, and how long it has slept."""

    world: World
    state: StateFolder
    observer: Observer = field(default_factory=Events)
    slept: list[float] = field(default_factory=list)
    clock: Callable[[], datetime] = utc_now
    while_asleep: Callable[[], None] = lambda: None

    def hands(self) -> Hands:
        return Hands(
            fleet=self.world.folder,
            state=self.state,
            opener=self._opener,
            guards=self._guards,
            observer=self.observer,
            clock=self.clock,
            sleep=self._sleep,
        )

    def _opener(self, site: Site, run: str, job: SiteJob) -> Opener:
        del site, job
        found = self.world.opener()
        found.run_id, found.clock = run, self.clock
        return found

    def _guards(self, site: Site, job: SiteJob) -> Guards:
        del site, job
        return Guards(state=self.state, owner="worker@test")

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.while_asleep()


def host(world: World, folder: Path | None = None) -> Host:
    """Of this world's state folder, or of another host's."""
    return Host(world, StateFolder(folder / ".ivn") if folder is not None else world.state)


def durable(
    folder: Path, seconds: float, url: str = "", stopping: Callable[[], bool] = lambda: False
) -> DurableRunner:
    """A submitter of this process, which waits so long."""
    place = Database(url or f"sqlite:///{folder / '.ivn' / 'fleet.sqlite'}")
    StateFolder(folder / ".ivn").folder()
    return DurableRunner(place, Waiting(seconds, utc_now, time.sleep, stopping))


def refs(world: World, *names: str) -> tuple[SiteRef, ...]:
    """With their networks."""
    files = FleetFiles(world.folder)
    return tuple(files.head(ref) or ref for ref in files.chosen(names))


def nobody(job: SiteJob) -> SiteResult:
    raise AssertionError(f"{job} is for a worker")


def work_for(world: World, *names: str, run: str = RUN) -> RemoteWork:
    """An apply of those sites, planned now."""
    digests = {name: digest_of(world, name) for name in names}
    return RemoteWork(APPLY, run, digests, nobody, ApplyOptions(deadline=20.0))
