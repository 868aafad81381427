"""Runs that end too early, and what a person then does: kill, wait for the recorder, confirm, resume, look."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ivn_provision.plan.plan import SitePlan
from ivn_provision.run.confirming import confirm_sites
from ivn_provision.run.engine import SiteOutcome, apply_sites
from ivn_provision.run.events import Event, Step
from ivn_provision.run.guards import Guards
from ivn_provision.run.journal import Journal, Record, read_run, standing_of
from ivn_provision.run.resuming import Way, as_the_run, resume_sites
from ivn_provision.run.state import StateFolder
from tests.support.world import Events, World, run_id, utc_now

SITE = "lab-0001"
WITHIN = 120
"""Seconds until a recorder goes back by itself, in these tests."""
EDITS = (
    ("label: Main Entrance", "label: Front Door"),
    ("entry_delay_seconds: 45", "entry_delay_seconds: 10"),
)
"""One field of the recorder, written first, and one of the portal."""


class Killed(BaseException):
    """Here the process ends: nothing in the product may live through it."""


def edit_both(world: World, site: str = SITE, *, back: bool = False) -> None:
    """Declare one change for each target; `back`: declare what was there before."""
    for old, new in EDITS:
        world.edit(site, *((new, old) if back else (old, new)))


@contextmanager
def at_record(wanted: str, do: Callable[[], None], target: str = "") -> Iterator[None]:
    """`do` happens each time that such a record has come to disk. The product is not changed for this."""
    write = Journal.append

    def append(self: Journal, event: str, site: str = "", **data: Any) -> None:
        write(self, event, site, **data)
        if event == wanted and target in {"", data.get("target")}:
            do()

    Journal.append = append  # type: ignore[method-assign]
    try:
        yield
    finally:
        Journal.append = write  # type: ignore[method-assign]


def killed_after(world: World, event: str, *sites: str, target: str = "", **options: Any) -> str:
    """An apply of what is declared, killed on every site after such a record; the id of the run."""

    def die() -> None:
        raise Killed

    with at_record(event, die, target):
        try:
            world.apply(*(sites or (SITE,)), **options)
        except Killed:
            return run_id(world.runs)
    raise AssertionError(f"there was no {event}")


@dataclass
class Elsewhere(World):
    """The same lab and site files, from another machine: with a state folder of its own."""

    @property
    def state(self) -> StateFolder:
        return StateFolder(self.folder.parent / "elsewhere" / ".ivn")

    def guards(self, **options: Any) -> Guards:
        return replace(super().guards(**options), owner="eve@elsewhere")


def elsewhere(world: World) -> Elsewhere:
    """Its runs have other names."""
    return Elsewhere(world.lab, world.folder, runs=10_000)


@dataclass
class Hook:
    """An observer that does something at the first event of a step (and of a target, if one is named)."""

    step: Step
    do: Callable[[], None]
    target: str = ""
    times: int = 1
    done: int = 0

    def notify(self, event: Event) -> None:
        if event.step is self.step and self.target in {"", event.target}:
            self.done += 1
            if self.done == self.times:
                self.do()


def apply_with(world: World, observer: Hook, **options: Any) -> SiteOutcome:
    opener = world.opener()
    (outcome,) = apply_sites([world.site(SITE)], opener, observer, guards=world.guards(**options))
    return outcome


def looked_at(world: World) -> SiteOutcome:
    """An apply whose plan a person sees and declines: only what earlier runs left is ended by it."""
    guards = world.guards()
    (outcome,) = apply_sites([world.site(SITE)], world.opener(), Events(), lambda _: False, guards=guards)
    return outcome


def confirm(world: World) -> SiteOutcome:
    (outcome,) = confirm_sites([world.site(SITE)], world.opener(), Events(), world.guards())
    return outcome


def resume(world: World, run: str, way: Way | None = None) -> SiteOutcome:
    """As the command line does it: under the options of the run."""
    opener = world.opener()
    opener.run_id = run
    journal = Journal.reopen(world.state, run, utc_now)
    try:
        guards = as_the_run(world.guards(), journal)
        (outcome,) = resume_sites([world.site(SITE)], opener, Events(), guards, journal, way=way)
    finally:
        journal.close()
    return outcome


def later(world: World, seconds: int = WITHIN + 30) -> None:
    """The recorder's clock goes on until everything that waits there has run; then it is set back."""
    machine = world.lab.nvr(SITE).windows
    waiting = {each.name for each in machine.tasks.all()}
    assert waiting, "nothing is armed"
    machine.system.clock_offset_seconds += seconds
    end = time.monotonic() + 10
    while not waiting <= set(machine.tasks.ran):
        assert time.monotonic() < end, "the recorder did not go back"
        time.sleep(0.02)
    machine.system.clock_offset_seconds -= seconds


def plan_of(world: World, site: str = SITE) -> SitePlan:
    (outcome,) = world.plan(site)
    assert outcome.plan is not None, outcome.error
    return outcome.plan


def differences(world: World, site: str = SITE) -> dict[str, tuple[object, object]]:
    """`KIND/KEY FIELD` -> (live, declared)."""
    return _differences(plan_of(world, site))


def held(world: World, site: str = SITE) -> dict[str, str]:
    """The run whose lease each target keeps, and of the recorder also how its reverts stand."""
    return _held(plan_of(world, site))


def when_over(world: World, site: str = SITE) -> dict[str, tuple[object, object]]:
    """`differences` of a site on which nothing of any run is held any more, by one reading."""
    plan = plan_of(world, site)
    assert _held(plan) == {}
    return _differences(plan)


def _differences(plan: SitePlan) -> dict[str, tuple[object, object]]:
    return {
        f"{change.address} {each.name}".partition("/")[2]: (each.before, each.after)
        for change in plan.changes
        for each in change.fields
    }


def _held(plan: SitePlan) -> dict[str, str]:
    found = {each.target: each.holding.lease.run for each in plan.facts if each.holding.lease is not None}
    reverts = [each.state for facts in plan.facts for each in facts.holding.reverts]
    return {**found, **({"reverts": " ".join(reverts)} if reverts else {})}


def records(world: World, run: str, event: str) -> list[Record]:
    return [each for each in read_run(world.state, run) if each.event == event]


def standing(world: World, run: str, site: str = SITE) -> str:
    return standing_of(read_run(world.state, run), site)


def writes(world: World) -> tuple[int, int]:
    """How many the targets counted; the portal's leases are writes too."""
    return len(world.lab.nvr(SITE).write_log), len(world.lab.portal.write_log)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(each): each.read_bytes() for each in sorted(folder.rglob("*")) if each.is_file()}
