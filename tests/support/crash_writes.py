"""What the lab's write logs show of a run: every write that recorder and portal took, and which were one too many."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tests.support.world import World


@dataclass(frozen=True, slots=True)
class Wrote:
    """One write that a target took: SHA-256 or the like of what was there, and of what was written."""

    path: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.path}: {self.before[:8] or 'nothing'} -> {self.after[:8] or 'nothing'}"


@dataclass(frozen=True, slots=True)
class Mark:
    """How long the logs were at a time."""

    recorder: int
    portal: int


def mark(world: World, site: str) -> Mark:
    return Mark(len(world.lab.nvr(site).write_log), len(world.lab.portal.write_log))


def writes(world: World, site: str, since: Mark) -> tuple[Wrote, ...]:
    """On both targets. Those on the portal by their content: a new revision of the same is no other thing."""
    recorder = world.lab.nvr(site).write_log[since.recorder :]
    portal = world.lab.portal.write_log[since.portal :]
    return (
        *(Wrote(each.path, each.before, each.after) for each in recorder),
        *(Wrote(each.path, *each.content) for each in portal),
    )


def twice(made: tuple[Wrote, ...]) -> tuple[str, ...]:
    """Writes of what was there already, and those that were made more than once in a run and its end.

    A way back has other pairs than the way there, so that none has to come twice.
    """
    idle = [f"{each}, which changes nothing" for each in made if each.before == each.after]
    again = [f"{each}, {count} times" for each, count in Counter(made).items() if count > 1]
    return (*idle, *again)
