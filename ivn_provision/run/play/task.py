"""A piece of work on the sites of a wave, and who does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from ivn_provision.run.fleet.refs import SiteRef
from ivn_provision.run.play.outcome import PlayOutcome
from ivn_provision.run.play.standing import Result
from ivn_provision.spec.playbook import Do, Gate, Step


class Back(StrEnum):
    """The way back of sites that the play has changed."""

    BACK = "rollback"


@dataclass(frozen=True, slots=True)
class Task:
    """`what` is done on `sites`. `step` is that of the playbook, None for a gate or the way back.

    `keep` gets the result of each site as soon as it is there, from any thread. `may_begin` is asked before a site
    is begun. `begun` is told the run that is about to begin, and `before` are those of the same work that broke off.
    `runs` of a site are those by which the play has changed it, the oldest first.
    """

    what: Do | Gate | Back
    sites: tuple[SiteRef, ...]
    keep: Callable[[Result], None]
    may_begin: Callable[[str], bool]
    begun: Callable[[str], None]
    before: tuple[str, ...] = ()
    step: Step | None = None
    runs: Mapping[str, tuple[str, ...]] | None = None


class Crew(Protocol):
    """Who works for a play. The engine decides what is done; a crew does it."""

    def work(self, task: Task) -> None:
        """Returns when each site has a result, or was interrupted. Raises IvnError if nothing was done at all."""
        ...

    def notify(self, step: Step, at: str, outcome: PlayOutcome) -> None:
        """Tell a webhook. Raises IvnError."""
        ...

    def report(self, step: Step, outcome: PlayOutcome) -> None:
        """Write a report file. Raises IvnError."""
        ...

    def approve(self, step: Step, outcome: PlayOutcome) -> str:
        """Who approved what a pause asks for; "" if there is nobody, or somebody said no."""
        ...
