"""The way back of a site that a play has changed: to what was read before the play wrote, or to a git revision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ivn_provision.errors import Interrupted, IvnError, PersonNeeded
from ivn_provision.plan.limits import KINDS
from ivn_provision.plan.select import chooser, unmatched
from ivn_provision.run.engine import apply_sites
from ivn_provision.run.events import Observer
from ivn_provision.run.guards import Guards
from ivn_provision.run.play.applying import as_a_whole
from ivn_provision.run.play.standing import Result
from ivn_provision.run.restoring import Lost
from ivn_provision.run.rollback import Goal, goal_of_revision, goal_of_run, way_to
from ivn_provision.run.targets import Opener
from ivn_provision.spec.site import Site

_NO_LIMIT = dict.fromkeys(KINDS, 10**9)
"""A way back is not held up by limits, as that of an apply is not: what it removes the play has made."""


@dataclass(frozen=True, slots=True)
class GoingBack:
    """`runs` of a site are those by which the play has changed it. `revision` is "" for the state before them.

    Of a play that applies only `targets` only these go back; a glob that names nothing on a site was meant for others.
    `failed`: it goes back because the play failed, not because a step says so. `whole`: what was changed as a whole goes
    back as a whole, after what a person has to put back.
    """

    opener: Callable[[], Opener]
    observer: Observer
    guards: Guards
    runs: Mapping[str, tuple[str, ...]]
    revision: str
    failed: bool
    whole: bool = False
    targets: tuple[str, ...] = ()

    def site(self, site: Site) -> Result:
        """Put it back, and prove it. A way back that fails is the site's result; raises Interrupted."""
        runs = self.runs.get(site.name, ())
        if not runs and not self.revision:
            return Result(site.name)
        try:
            return self._gone(site, runs)
        except Interrupted:
            raise
        except IvnError as error:
            return self._stuck(site, error.summary)

    def _gone(self, site: Site, runs: tuple[str, ...]) -> Result:
        goal = self._goal(site, runs)
        opener = self.opener()
        way = way_to(goal, site, opener, self.observer, self.guards.state)
        opener.desired = way.desired
        here = tuple(each for each in self.targets if unmatched([way.plan], [each]) is None)
        if self.targets and not here:  # none at all would mean everything
            return self._stuck(site, f"nothing of it is named by {', '.join(self.targets)}")
        guards = replace(self.guards, command=f"rollback {goal.asked}", raised=_NO_LIMIT, targets=here)
        attest = as_a_whole if self.whole else None
        (outcome,) = apply_sites([way.site], opener, self.observer, attest=attest, guards=guards)
        error = outcome.error
        if isinstance(error, Interrupted):
            raise error
        if error is not None and (type(error) is not PersonNeeded or outcome.proof is None):
            return self._stuck(site, error.summary)
        is_ours = chooser(self.targets, ())
        by_hand = [each for each in way.lost if each.is_for_a_person and is_ours(each.address)]
        text = _by_hand(by_hand) if by_hand else (error.summary if error else "")
        return Result(site.name, back=True, needs_person=bool(text), run=outcome.run, text=text)

    def _goal(self, site: Site, runs: tuple[str, ...]) -> Goal:
        if self.revision:
            return goal_of_revision(Path(site.path).parent, site.name, self.revision)
        return goal_of_run(self.guards.state, site.name, f"{runs[0]}^")

    def _stuck(self, site: Site, summary: str) -> Result:
        text = f"it could not be put back: {summary}"
        return Result(site.name, failed=True, stuck=self.failed, needs_person=True, text=text)


def _by_hand(lost: list[Lost]) -> str:
    first = f"{lost[0].address}{f' {lost[0].name}' if lost[0].name else ''}"
    more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
    return f"put back, but for what only a person can put back: {first}{more} ({lost[0].reason})"
