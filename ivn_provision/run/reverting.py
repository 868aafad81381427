"""The way back: a site becomes what it was before a run, as far as nobody else changed it since.

A recorder puts its own files back, byte by byte; what has no such before-images is planned back from the
snapshot, and only what the run itself changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ivn_provision.drivers.base import Writer
from ivn_provision.errors import IvnError, PartlyApplied
from ivn_provision.model.desired import Desired
from ivn_provision.model.resource import Address
from ivn_provision.plan.plan import Action, Change, SitePlan
from ivn_provision.plan.values_json import is_sensitive
from ivn_provision.run.applying import execute
from ivn_provision.run.events import Event, Observer, Step
from ivn_provision.run.restoring import desired_of_snapshot
from ivn_provision.run.site_journal import SiteJournal
from ivn_provision.run.site_plans import plan_with, read_plan
from ivn_provision.run.snapshots import keep, load
from ivn_provision.run.state import StateFolder
from ivn_provision.run.story import Recorded, Story
from ivn_provision.run.targets import Opener
from ivn_provision.spec.site import Site


@dataclass(frozen=True, slots=True)
class WayBack:
    """Everything that the way back of one site needs. `run` is the run's name on the targets."""

    site: Site
    run: str
    story: Story
    opener: Opener
    observer: Observer
    state: StateFolder
    journal: SiteJournal

    def go(self, writers: Mapping[str, Writer], why: str) -> SitePlan:
        """Put back what was written, and read it again: the plan to the earlier state, which is empty then.

        Raises PartlyApplied where somebody changed the same things since (they stay), or a target fails.
        """
        self.journal.note("reverting", why=why)
        self.observer.notify(Event(self.site.name, Step.REVERTING))
        whole = self._put_back(writers)
        if self.story.began:
            self._plan_back(writers, whole)
        proof = self._proof()
        if proof.workable:
            raise self._left(proof)
        self.journal.note("reverted", after=keep(self.state, proof, self.run, _stamp(self.opener)))
        return proof

    def _put_back(self, writers: Mapping[str, Writer]) -> frozenset[str]:
        """Targets that undid all of the run by themselves."""
        whole = set()
        for target in sorted(self.story.began & writers.keys()):
            if writers[target].put_back(self.run):
                whole.add(target)
            self.journal.note("put_back", target=target, whole=target in whole)
        return frozenset(whole)

    def _plan_back(self, writers: Mapping[str, Writer], whole: frozenset[str]) -> None:
        plan = self._only_ours(
            plan_with(self.site, writers.values(), self.opener, self.observer, self._before)
        )
        rest = tuple(each for each in plan.changes if each.address.target not in whole)
        execute(replace(plan, changes=rest), writers, self.observer, self.journal)

    def _proof(self) -> SitePlan:
        return self._only_ours(read_plan(self.site, self.opener, self.observer, self._before), judged=False)

    def _before(self, site: Site) -> Desired:
        return desired_of_snapshot(site, load(self.state, self.story.before))

    def _only_ours(self, plan: SitePlan, *, judged: bool = True) -> SitePlan:
        """The plan back, of what the run changed. Raises PartlyApplied if somebody changed it since."""
        ours = []
        for change in plan.workable:
            recorded = self.story.change_of(change.address)
            if recorded is None or change.address.target not in self.story.began:
                continue
            if judged and (name := self._edited(change, recorded)):
                raise _somebody(change.address, name)
            ours.append(change)
        return replace(plan, changes=tuple(ours))

    def _edited(self, change: Change, recorded: Recorded) -> str:
        """A field that is neither what the run wrote nor what was there before: somebody else's."""
        if change.action is Action.CREATE:
            return ""
        for each in change.fields:
            pair = recorded.fields.get(each.name)
            if pair is None or is_sensitive(each.before) or is_sensitive(each.after):
                continue
            if not any(self.journal.is_same(change, each, one) for one in pair):
                return each.name
        return ""

    def _left(self, proof: SitePlan) -> PartlyApplied:
        return PartlyApplied(
            f"{self.site.name} could not be put back as it was: {len(proof.workable)} difference(s) remain",
            where=str(proof.workable[0].address),
            next_step=f"look with `history show {self.journal.run}`, then `rollback` or `apply`",
        )


def _somebody(address: Address, field: str) -> PartlyApplied:
    return PartlyApplied(
        f"somebody changed {field} of {address} after the run did; it was left as it is",
        where=str(address),
        next_step="decide which is right: `plan` shows the way to the site file, `rollback` the way to an earlier state",
    )


def _stamp(opener: Opener) -> str:
    return opener.clock().strftime("%Y-%m-%dT%H:%M:%SZ")


def back_or_both(first: IvnError, second: IvnError, site: str) -> PartlyApplied:
    """The apply failed, and so did the way back: both are said."""
    return PartlyApplied(
        f"{first.summary}; and it could not be put back: {second.summary}",
        where=second.where or first.where,
        next_step=f"{first.next_step}; {second.next_step}; when {site} answers again, `resume` goes on",
    )
