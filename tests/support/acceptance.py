"""An acceptance of the lab's site, with a technician who trips inputs at once."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ivn_provision.run.accepting import Acceptance, Time
from ivn_provision.run.verifying import Verifying
from ivn_provision.verify.acceptance.shots import Shot
from tests.support.world import Events, World

SITE = "lab-0001"


@dataclass
class Technician:
    """Trips what he is asked to, unless he is told to sleep; counts."""

    world: World
    asleep: bool = False
    tripped: list[str] = field(default_factory=list)

    def __call__(self, shot: Shot) -> None:
        self.tripped.append(shot.name)
        if not self.asleep:
            self.world.lab.fire_input(SITE, shot.device, shot.input)


def accepted(world: World, *, ask: Technician | None = None, hardware_seconds: float = 3.0) -> Acceptance:
    """The acceptance of the site as its file says now."""
    clock = Time(lambda: datetime.now(UTC), time.sleep)
    verifying = Verifying(world.opener(), Events(), clock, ask=ask, hardware_seconds=hardware_seconds)
    return verifying.site(world.site(SITE))


def said(acceptance: Acceptance, subject: str = "", check: str = "pin") -> str:
    """Everything that is said of a pin or a check, a line each: `state evidence`."""
    return "\n".join(
        f"{each.state.value} {each.found.evidence}"
        for each in acceptance.results
        if each.check == check and subject in {"", each.found.subject}
    )
