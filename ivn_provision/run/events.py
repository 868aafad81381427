"""What a run tells its observers. The engine itself prints nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from ivn_provision.model.resource import Address

if TYPE_CHECKING:
    from ivn_provision.errors import IvnError
    from ivn_provision.plan.plan import SitePlan
    from ivn_provision.run.audit.record import SiteAudit
    from ivn_provision.run.checking import Checked
    from ivn_provision.run.outcomes import SiteOutcome
    from ivn_provision.run.verifying import Verified


class Step(StrEnum):
    STARTED = "started"
    READING = "reading"
    READ = "read"
    PLANNED = "planned"
    WRITING = "writing"
    WRITTEN = "written"
    PROVING = "proving"
    PROVEN = "proven"
    REVERTING = "reverting"
    REVERTED = "reverted"
    FIRING = "firing"
    ARRIVED = "arrived"
    SKIPPED = "skipped"
    FAILED = "failed"
    FINISHED = "finished"
    WAVE_STARTED = "wave started"
    WAVE_ENDED = "wave ended"


ENDS = frozenset({Step.FINISHED, Step.FAILED, Step.SKIPPED})
"""With one of these, once, every site of a run ends."""


@dataclass(frozen=True, slots=True)
class Wave:
    """One of the groups of sites of a playbook, worked on before the next begins. `number` counts from 1."""

    number: int
    of: int
    sites: int
    name: str = ""


About: TypeAlias = "SitePlan | SiteOutcome | Checked | Verified | SiteAudit | IvnError | Wave | None"


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened on a site, or ("" for the site) in the run. `text` is for people.

    `target` and `addresses` where they apply. `about` is what an observer can show more of: the plan of PLANNED,
    the result or the error of an end, the wave of a wave's begin and end.
    """

    site: str
    step: Step
    target: str = ""
    text: str = ""
    addresses: tuple[Address, ...] = ()
    about: About = None


Result = TypeVar("Result", "SiteOutcome", "Checked", "Verified")


class Observer(Protocol):
    """Gets every event, from any thread."""

    def notify(self, event: Event) -> None:
        """May raise Interrupted at STARTED, where nobody is left to be told: the site is not begun then."""


def begun(site: str, observer: Observer) -> None:
    """A site's turn has come. Raises Interrupted (see Observer)."""
    observer.notify(Event(site, Step.STARTED))


def ended(result: Result, observer: Observer) -> Result:
    """Tell how a site has ended; gives the result."""
    step = Step.FAILED if result.error is not None else Step.FINISHED
    observer.notify(Event(result.site, step, text=result.error.summary if result.error else "", about=result))
    return result
