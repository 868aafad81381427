"""An acceptance of the lab's site, with a technician who trips inputs at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ivn_provision.lab.portal.sessions import Session
from ivn_provision.run.accepting import Acceptance
from ivn_provision.run.events import Event
from ivn_provision.run.verifying import Verifying
from ivn_provision.run.watching import Time
from ivn_provision.verify.acceptance.record import Record
from ivn_provision.verify.acceptance.shots import Shot
from tests.support.world import Events, World

SITE = "lab-0001"
_EVENT = "  - {pin: 2, email: true}\n"
_PIN = "    - {pin: 2, source: soft, camera: 10, event_type: perimeter}\n"
TWO_SOFT = (
    (_EVENT, _EVENT + _EVENT.replace("2", "5")),
    (_PIN, _PIN + _PIN.replace("2", "5").replace("10", "11")),
)
"""What makes `2 S` and `5 S` of the lab's `2 S`."""


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


@dataclass
class At(Events):
    """An observer that does something once, when a pin is fired or has arrived."""

    moment: tuple[str, str] = ("", "")
    act: Callable[[], None] = lambda: None

    def notify(self, event: Event) -> None:
        super().notify(event)
        if (event.step.value, event.text) == self.moment:
            self.moment = ("", "")
            self.act()


@dataclass
class Clock:
    """This machine's clock, with a mistake that a test may change."""

    off: float = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.off)


def accepted(
    world: World,
    *,
    ask: Callable[[Shot], None] | None = None,
    hardware_seconds: float = 3.0,
    observer: Events | None = None,
    clock: Clock | None = None,
    stopping: Callable[[], bool] = lambda: False,
    deadline: float = 20.0,
    cameras: bool = False,
) -> Acceptance:
    """The acceptance of the site as its file says now."""
    return Verifying(
        world.opener(deadline),
        observer or Events(),
        Time((clock or Clock()).now, time.sleep),
        ask=ask,
        hardware_seconds=hardware_seconds,
        cameras=cameras,
        stopping=stopping,
    ).site(world.site(SITE))


def said(acceptance: Acceptance, subject: str = "", check: str = "pin") -> str:
    """Everything that is said of a pin or a check, a line each: `state evidence`."""
    return "\n".join(
        f"{each.state.value} {each.found.evidence}"
        for each in acceptance.results
        if each.check == check and subject in {"", each.found.subject}
    )


def of_pin(acceptance: Acceptance, name: str) -> Record:
    return next(each for each in acceptance.records if each.shot.name == name)


def window(world: World) -> Session | None:
    """The one that is open now."""
    return world.lab.portal.core.sessions.running(SITE)


def no_alarm_but_in_a_window(world: World) -> None:
    """The invariant: nothing of all that was ever fired reached the station."""
    assert world.lab.portal.alarms() == []
    assert all(each["test"] is True for each in world.lab.portal.events(SITE))
