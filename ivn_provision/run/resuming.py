"""A run that broke off is finished or reverted: from its journal, and from what is live now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum

from ivn_provision.drivers.base import Writer
from ivn_provision.errors import PersonNeeded, StalePlan, StateError
from ivn_provision.plan.plan import SitePlan
from ivn_provision.plan.reach import reach_of
from ivn_provision.run.events import Event, Observer, Step, ended
from ivn_provision.run.guards import Guards
from ivn_provision.run.holding import SiteHold
from ivn_provision.run.journal import Journal
from ivn_provision.run.outcomes import SiteOutcome
from ivn_provision.run.residue import is_residue
from ivn_provision.run.reverting import WayBack, left_to_somebody
from ivn_provision.run.saved_plan import spec_digest
from ivn_provision.run.side_by_side import guarded, side_by_side
from ivn_provision.run.site_journal import SiteJournal
from ivn_provision.run.site_plans import close, plan_with
from ivn_provision.run.story import Story, sites_in, story_of
from ivn_provision.run.targets import Opener
from ivn_provision.spec.site import Site
from ivn_provision.strict_json import Node, WrongShape

FIRED = frozenset({"reverted", "left", "failed"})
"""States of a revert that has gone off: what the run wrote is not, or not surely, there any more."""


class Way(StrEnum):
    """How a broken run ends on a site."""

    FINISH = "finish"
    REVERT = "revert"


def resume_site(
    site: Site,
    opener: Opener,
    observer: Observer,
    guards: Guards,
    journal: Journal,
    *,
    way: Way | None = None,
) -> SiteOutcome:
    """End a run on a site. `opener.run_id` is that of the run. Raises IvnError; then it can be called again.

    A run that waits for a person is only reverted, not finished: `confirm` does that. Without `way` it is finished where the site file is still the one of the run and no way back was begun,
    by us or by the recorder itself; else reverted.
    """
    story = story_of(journal.records, site.name)
    if story.is_over:
        return SiteOutcome(site.name, run=journal.run)
    writers = replace(opener, writes_before={site.name: story.writes}).writers(site)
    try:
        return _Resume(site, opener, observer, guards, journal=journal, story=story, writers=writers).go(way)
    finally:
        close(writers.values())


class _Resume:
    def __init__(
        self,
        site: Site,
        opener: Opener,
        observer: Observer,
        guards: Guards,
        *,
        journal: Journal,
        story: Story,
        writers: Mapping[str, Writer],
    ) -> None:
        self.site, self.opener, self.observer, self.guards = site, opener, observer, guards
        self.records, self.story, self.writers = journal, story, writers
        self.journal = SiteJournal(journal, guards.state, site.name)
        self.run = f"{journal.run}-{site.name}"

    def go(self, asked: Way | None) -> SiteOutcome:
        plan = plan_with(self.site, self.writers.values(), self.opener, self.observer)
        if self.story.standing == "pending" and asked is not Way.REVERT:
            return self._waits(plan)
        way = asked or self._way(plan)
        left = self._only_planned(plan) if way is Way.FINISH else plan
        self.journal.write("resumed", who=self.guards.owner, way=way.value)
        return self._finish(left) if way is Way.FINISH else self._revert()

    def _waits(self, plan: SitePlan) -> SiteOutcome:
        """A run that waits for a person: has the recorder gone back, or has somebody confirmed it elsewhere?"""
        if self._fired(plan):
            return self._reverted_by_itself()
        if self._is_held(plan):
            raise PersonNeeded(
                f"run {self.records.run} is written and proven on {self.site.name}, and waits for a person",
                where=self.site.name,
                next_step=f"`ivn-provision confirm {self.site.name}` keeps it, "
                f"`resume {self.records.run} --revert` undoes it now",
            )
        self.journal.write("confirmed", who="somebody, from another machine")
        self.journal.write("site_end", standing="applied", error="")
        return SiteOutcome(self.site.name, run=self.records.run)

    def _reverted_by_itself(self) -> SiteOutcome:
        self.journal.write("resumed", who=self.guards.owner, way=Way.REVERT.value)
        return self._revert()

    def _taken(self, guards: Guards) -> SiteHold:
        hold = SiteHold(self.run, guards, self.opener, self.journal)
        hold.take(self.writers)
        return hold

    def _is_held(self, plan: SitePlan) -> bool:
        """Does any target still hold something of the run?"""
        return any(
            (facts.holding.lease is not None and facts.holding.lease.run == self.run)
            or any(each.run == self.run for each in facts.holding.reverts)
            for facts in plan.facts
        )

    def _fired(self, plan: SitePlan) -> bool:
        return any(
            each.run == self.run and each.state in FIRED
            for facts in plan.facts
            for each in facts.holding.reverts
        )

    def _way(self, plan: SitePlan) -> Way:
        same_file = self.story.spec == spec_digest(self.site)
        back = self._fired(plan) or self.story.reverting or not self.story.began or not same_file
        return Way.REVERT if back else Way.FINISH

    def _finish(self, left: SitePlan) -> SiteOutcome:
        from ivn_provision.run.site_apply import SiteApply, finish

        hold = self._taken(self.guards)
        shared = SiteApply(
            self.opener, self.observer, self.guards, self.records, lambda _: True, lambda _, each: each
        )
        return finish(shared, self.site, left, self.writers, hold)

    def _only_planned(self, plan: SitePlan) -> SitePlan:
        """What is left of the run's own changes. Raises StalePlan if it would be more than the run meant."""
        if not self.story.spec:
            raise StalePlan(
                f"run {self.records.run} was a rollback of {self.site.name}: no site file says what is left of it",
                where=self.site.name,
                next_step="`resume RUN --revert` puts the site back; then roll back anew",
            )
        if self.story.spec != spec_digest(self.site):
            raise StalePlan(
                f"the site file of {self.site.name} is not the one of the run any more",
                where=self.site.path,
                next_step="`resume RUN --revert` puts the site back; then plan and apply anew",
            )
        left_over = tuple(each for each in plan.changes if is_residue(each, self.story))
        ours = tuple(
            each
            for each in plan.changes
            if each not in left_over and self.story.change_of(each.address) is not None
        )
        for change in ours:
            recorded = self.story.change_of(change.address)
            assert recorded is not None
            for each in change.fields:
                pair = recorded.fields.get(each.name)
                if change.workable and (pair is None or not self.journal.is_same(change, each, pair[0])):
                    raise StalePlan(
                        f"somebody changed {each.name} of {change.address} since the run was planned",
                        where=str(change.address),
                        next_step="look with `plan`; then `resume RUN --revert`, or apply anew",
                    )
        return replace(plan, changes=tuple(each for each in plan.changes if each in ours + left_over))

    def _revert(self) -> SiteOutcome:
        hold = self._taken(replace(self.guards, confirm_within=0))  # a way back is not undone by itself
        edited: tuple[str, ...] = ()
        if self.story.began:
            way = WayBack(
                self.site,
                self.run,
                self.story,
                self.opener,
                self.observer,
                self.guards.state,
                self.journal,
            )
            edited = way.go(self.writers, "resumed")
        hold.release(self.writers, stays=False)
        standing = "reverted" if self.story.began else "refused"
        theirs = left_to_somebody(self.site.name, edited) if edited else None
        self.journal.write("site_end", standing=standing, error=theirs.summary if theirs else "")
        self.observer.notify(Event(self.site.name, Step.REVERTED))
        return SiteOutcome(self.site.name, run=self.records.run, reverted=True, error=theirs)


def resume_sites(
    sites: Sequence[Site],
    opener: Opener,
    observer: Observer,
    guards: Guards,
    journal: Journal,
    *,
    way: Way | None = None,
) -> tuple[SiteOutcome, ...]:
    """`resume_site` of every site, side by side. What fails on one is its outcome."""
    opener.asks = reach_of(guards.targets, guards.excludes)

    def resume(site: Site) -> SiteOutcome:
        outcome = guarded(
            site.name,
            lambda: resume_site(site, opener, observer, guards, journal, way=way),
            lambda error: SiteOutcome(site.name, error=error, run=journal.run),
        )
        return ended(outcome, observer)

    return side_by_side(resume, sites)


def as_the_run(guards: Guards, journal: Journal) -> Guards:
    """The guards of a resumed run are those that it was given. Raises StateError where its journal is odd."""
    try:
        return guards.as_of(Node(journal.records[0].data))
    except (IndexError, WrongShape, ValueError) as error:
        raise StateError(
            f"the journal of run {journal.run} does not say how it was called: {error}",
            where=journal.run,
            next_step="use the version of the tool that made the run",
        ) from error


def was_to_verify(journal: Journal) -> bool:
    """Was the run to test the alarms of its sites (--verify)? An older journal does not say."""
    options = Node(journal.records[0].data).find("options") if journal.records else None
    asked = options.find("verify") if options is not None else None
    return asked is not None and asked.value is True


def chosen_sites(journal: Journal, names: Sequence[str]) -> tuple[str, ...]:
    """The run's sites that have not ended, or those named. Raises StateError for others."""
    known = sites_in(journal.records)
    for name in names:
        if name not in known:
            raise StateError(
                f"run {journal.run} planned nothing for {name}",
                where=name,
                next_step=f"see `ivn-provision history show {journal.run}`",
            )
    return tuple(names) or tuple(each for each in known if not story_of(journal.records, each).is_over)
