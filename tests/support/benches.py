"""A lab by a clock of its own, and tools that hold its site, write it and put it back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from ivn_provision.drivers.base import Hold, Writer
from ivn_provision.errors import IvnError
from ivn_provision.lab.lab import Lab
from ivn_provision.lab.sites import generated_sites
from ivn_provision.model.live import Holding, Lease
from ivn_provision.plan.order import Batch
from ivn_provision.run.applying import execute
from ivn_provision.run.site_plans import plan_with
from ivn_provision.run.targets import Opener
from tests.support.world import Events, Hands, World, own_addresses

SITE = "lab-0001"
TARGETS = ("nvr", "portal")
SECONDS = 600


class NoLog:
    """A journal that keeps nothing."""

    def intent(self, number: int, batch: Batch) -> None:
        """Nothing is kept."""

    def done(self, number: int, batch: Batch) -> None:
        """Nothing is kept."""

    def failed(self, number: int, batch: Batch, error: IvnError) -> None:
        """Nothing is kept."""


@dataclass
class Tool:
    """One run of the tool on the site, with the drivers that it opened."""

    world: World
    opener: Opener
    writers: Mapping[str, Writer]

    @property
    def run(self) -> str:
        return f"{self.opener.run_id}-{SITE}"

    @property
    def owner(self) -> str:
        return f"ada@{self.opener.run_id[-2:]}"

    def hold(self, target: str, seconds: int = SECONDS, revert: int = 0) -> None:
        self.writers[target].hold(Hold(self.owner, self.run, seconds, revert))

    def release(self, target: str) -> None:
        self.writers[target].release(self.run)

    def apply(self, only: str = "") -> None:
        """Make what differs, on one target or on all, without any guard of the engine."""
        plan = plan_with(self.world.site(SITE), self.writers.values(), self.opener, Events())
        wanted = tuple(each for each in plan.changes if only in {"", each.address.target})
        execute(replace(plan, changes=wanted), self.writers, Events(), NoLog())


@dataclass
class Bench:
    """A lab by a clock of its own, and as many tools as a test wants."""

    world: World
    clock: Hands
    opened: list[Writer] = field(default_factory=list)

    def tool(self) -> Tool:
        opener = self.world.opener()
        opener.clock = self.clock
        writers = opener.writers(self.world.site(SITE))
        self.opened += writers.values()
        return Tool(self.world, opener, writers)

    def holding(self, target: str) -> Holding:
        """As a fresh reading shows it."""
        reader = self.world.opener().readers(self.world.site(SITE))[target]
        try:
            return reader.probe().holding
        finally:
            reader.close()

    def lease(self, target: str) -> Lease | None:
        return self.holding(target).lease

    @property
    def configured(self) -> bytes:
        return self.world.lab.nvr(SITE).configuration_path.read_bytes()

    def later(self, seconds: float, is_so: Callable[[], bool]) -> None:
        """The clock goes on, and what is due then happens."""
        self.clock.move(seconds)
        end = time.monotonic() + 10
        while not is_so():
            assert time.monotonic() < end, "nothing happened"
            time.sleep(0.02)


@contextmanager
def running(folder: Path) -> Iterator[Bench]:
    clock = Hands()
    sites = generated_sites(1, own_addresses())
    with Lab(folder / "lab", sites, portal_port=0, mail_port=0, clock=clock) as lab:
        lab.write_sites(folder / "sites")
        bench = Bench(World(lab, folder / "sites"), clock)
        yield bench
        for each in bench.opened:
            each.close()


def moment(text: str) -> datetime:
    """A time as leases and reverts show it."""
    return datetime.fromisoformat(text)


def ready(bench: Bench) -> Tool:
    """The recorder as declared, then with a camera that somebody renamed; and a tool that has not begun."""
    bench.tool().apply()
    bench.world.lab.tamper(SITE, "camera", "10", {"label": "Other"})
    return bench.tool()
