"""What came of a play, so far or in the end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ivn_provision.errors import IvnError
from ivn_provision.run.play.standing import SiteStanding


class Standing(StrEnum):
    """Of a play. The last three can be resumed."""

    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    RUNNING = "running"
    PAUSED = "paused"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Note:
    """Something to say that is of no one site."""

    at: str
    text: str


@dataclass(frozen=True, slots=True)
class PlayOutcome:
    """`waves` are names of sites, `wave` is the number of the one that was worked on last, from 1. `error` is why it
    is not done, where that is no failed site."""

    play: str
    playbook: str
    standing: Standing
    waves: tuple[tuple[str, ...], ...]
    wave: int
    sites: tuple[SiteStanding, ...]
    notes: tuple[Note, ...] = ()
    error: IvnError | None = None

    @property
    def failed(self) -> tuple[SiteStanding, ...]:
        return tuple(each for each in self.sites if each.failed)

    @property
    def exit_code(self) -> int:
        """130 interrupted, 1 stopped by an error, 3 sites failed, 4 it waits for a person, 2 differences, 4 something
        is left to a person, 0 done."""
        if self.error is not None and self.standing is not Standing.PAUSED:
            return self.error.exit_code
        if self.failed:
            return 3
        if self.standing is Standing.PAUSED:
            return 4
        if any(each.differs and not each.applied for each in self.sites):
            return 2
        return 4 if any(each.needs_person for each in self.sites) else 0
