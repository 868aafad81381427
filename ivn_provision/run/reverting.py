"""The way back: a site becomes what it was before a run, as far as nobody else changed it since.

A recorder puts its own files back, byte by byte; what has no such before-images is planned back from the
snapshot, and only what the run itself changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ivn_provision.drivers.base import Writer
from ivn_provision.errors import IvnError, PartlyApplied
from ivn_provision.model.desired import Desired
from ivn_provision.model.resource import Address, Value
from ivn_provision.plan.plan import Action, Change, FieldChange, SitePlan
from ivn_provision.plan.values_json import is_sensitive
from ivn_provision.run.applying import execute
from ivn_provision.run.events import Event, Observer, Step
from ivn_provision.run.residue import is_residue
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

    def go(self, writers: Mapping[str, Writer], why: str) -> tuple[str, ...]:
        """Put back what was written, and prove it by reading again. What somebody else changed since stays.

        Returns what stayed, as `ADDRESS FIELD`. Raises PartlyApplied where more differs, or what a target says.
        """
        self.journal.note("reverting", why=why)
        self.observer.notify(Event(self.site.name, Step.REVERTING))
        whole = self._put_back(writers)
        if self.story.began:
            self._plan_back(writers, whole)
        back = self._back(read_plan(self.site, self.opener, self.observer, self._before))
        if back.plan.workable:
            raise self._left(back.plan)
        self.journal.note("reverted", after=keep(self.state, back.plan, self.run, _stamp(self.opener)))
        return back.edited

    def _put_back(self, writers: Mapping[str, Writer]) -> frozenset[str]:
        """Targets that undid all of the run by themselves."""
        whole = set()
        for target in sorted(self.story.began & writers.keys()):
            if writers[target].put_back(self.run):
                whole.add(target)
            self.journal.note("put_back", target=target, whole=target in whole)
        return frozenset(whole)

    def _plan_back(self, writers: Mapping[str, Writer], whole: frozenset[str]) -> None:
        plan = self._back(
            plan_with(self.site, writers.values(), self.opener, self.observer, self._before)
        ).plan
        rest = tuple(each for each in plan.changes if each.address.target not in whole)
        execute(replace(plan, changes=rest), writers, self.observer, self.journal)

    def _before(self, site: Site) -> Desired:
        return desired_of_snapshot(site, load(self.state, self.story.before))

    def _back(self, plan: SitePlan) -> _Back:
        """The part of the plan back that undoes the run: its own objects, and of those its own fields."""
        ours: list[Change] = []
        edited: list[str] = []
        desired = dict(plan.desired)
        for change in plan.workable:
            if is_residue(change, self.story):
                ours.append(change)
                continue
            recorded = self.story.change_of(change.address)
            if recorded is None or change.address.target not in self.story.began:
                continue
            theirs = {each.name for each in change.fields if self._is_edited(change, each, recorded)}
            edited += [f"{change.address} {name}" for name in sorted(theirs)]
            if change.action is not Action.UPDATE:
                ours += [] if theirs else [change]
                continue
            mine = tuple(
                each for each in change.fields if each.name in recorded.fields and each.name not in theirs
            )
            if mine:
                ours.append(replace(change, fields=mine))
                desired[change.address] = _only(mine, plan, change.address)
        return _Back(replace(plan, changes=tuple(ours), desired=desired), tuple(edited))

    def _is_edited(self, change: Change, field: FieldChange, recorded: Recorded) -> bool:
        """Is the field neither what the run wrote nor what was there before? Then it is somebody else's."""
        pair = recorded.fields.get(field.name)
        if change.action is Action.CREATE or pair is None:
            return False
        if is_sensitive(field.before) or is_sensitive(field.after):
            return False
        return not any(self.journal.is_same(change, field, one) for one in pair)

    def _left(self, proof: SitePlan) -> PartlyApplied:
        return PartlyApplied(
            f"{self.site.name} could not be put back as it was: {len(proof.workable)} difference(s) remain",
            where=str(proof.workable[0].address),
            next_step=f"look with `history show {self.journal.run}`, then `rollback` or `apply`",
        )


@dataclass(frozen=True, slots=True)
class _Back:
    """The plan back, and what somebody else changed of the same: `ADDRESS FIELD`."""

    plan: SitePlan
    edited: tuple[str, ...]


def _only(mine: Sequence[FieldChange], plan: SitePlan, address: Address) -> dict[str, Value]:
    """Full fields of an object of which only some go back: the others as they are live."""
    names, live = {each.name for each in mine}, plan.live.get(address, {})
    return {
        name: value if name in names else live.get(name, value)
        for name, value in plan.desired[address].items()
    }


def left_to_somebody(site: str, edited: Sequence[str]) -> PartlyApplied:
    """What the way back left as it is, because somebody changed it after the run did."""
    return PartlyApplied(
        f"{site} is as it was before the run, but for what somebody changed since: {', '.join(edited)}",
        where=edited[0].partition(" ")[0],
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
