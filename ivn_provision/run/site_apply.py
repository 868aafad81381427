"""The apply of one site: plan, guard, confirm, hold, write, prove, release; and the way back where that fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from ivn_provision.drivers.base import Outcome, Writer
from ivn_provision.errors import (
    AcceptanceFailed,
    Interrupted,
    IvnError,
    NotBegun,
    PartlyApplied,
    ProofFailed,
    RevertFired,
    StateError,
)
from ivn_provision.model.desired import desired_of
from ivn_provision.plan.moment import check_moment
from ivn_provision.plan.order import Batch
from ivn_provision.plan.plan import SitePlan
from ivn_provision.plan.select import select
from ivn_provision.run.accepting import Acceptance
from ivn_provision.run.applying import check, execute, judge, outcomes_of
from ivn_provision.run.events import Event, Observer, Step, begun
from ivn_provision.run.guards import Guards, OnFailure
from ivn_provision.run.holding import SiteHold
from ivn_provision.run.journal import Journal
from ivn_provision.run.journal_lines import stamp
from ivn_provision.run.left_over import settle
from ivn_provision.run.outcomes import SiteOutcome
from ivn_provision.run.reverting import WayBack, back_or_both, left_to_somebody
from ivn_provision.run.saved_plan import check_fresh, spec_digest
from ivn_provision.run.site_journal import SiteJournal
from ivn_provision.run.site_plans import close, plan_with, read_plan
from ivn_provision.run.snapshots import keep
from ivn_provision.run.story import story_of
from ivn_provision.run.targets import Opener
from ivn_provision.spec.site import Site

_AFTER_WRITES = (PartlyApplied, ProofFailed, AcceptanceFailed, Interrupted, StateError)
"""Errors before which something was written. Any other error of a write says that nothing was."""
Confirm = Callable[[SitePlan], bool]
Attest = Callable[[Site, SitePlan], SitePlan]
"""Records what people attest of a site, and gives the plan after it. Raises before anything is written."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A site that was read for an apply. `outcome` is set where that was the end of it."""

    site: Site
    writers: Mapping[str, Writer]
    plan: SitePlan | None = None
    outcome: SiteOutcome | None = None


@dataclass(frozen=True, slots=True)
class SiteApply:
    """What the applies of one run share."""

    opener: Opener
    observer: Observer
    guards: Guards
    journal: Journal
    confirm: Confirm
    attest: Attest

    def prepare(self, site: Site) -> Prepared:
        """Read and compare; nothing is written but what is left over of a run that broke off."""
        begun(site.name, self.observer)
        writers = self.opener.writers(site)
        try:
            plan = self._planned(site, writers)
        except BaseException:
            close(writers.values())
            raise
        self.observer.notify(Event(site.name, Step.PLANNED, about=plan))
        if not plan.workable:
            close(writers.values())
            error = judge(site.name, plan)
            return Prepared(site, {}, plan, SiteOutcome(site.name, plan, proof=plan, error=error))
        return Prepared(site, writers, plan)

    def _planned(self, site: Site, writers: Mapping[str, Writer]) -> SitePlan:
        plan = plan_with(site, writers.values(), self.opener, self.observer)
        if settle(site, plan, self.opener, self.observer, guards=self.guards, journal=self.journal):
            close(writers.values())
            plan = plan_with(site, writers.values(), self.opener, self.observer)
        if self.guards.saved is not None:
            check_fresh(self.guards.saved, site, plan)
        return self.attest(site, select(plan, self.guards.targets, self.guards.excludes))

    def write(self, prepared: Prepared) -> SiteOutcome:
        """Make the changes of a prepared site."""
        assert prepared.plan is not None
        try:
            return _SiteRun(self, prepared.site, prepared.plan, prepared.writers).go()
        finally:
            close(prepared.writers.values())


def finish(
    shared: SiteApply, site: Site, plan: SitePlan, writers: Mapping[str, Writer], hold: SiteHold
) -> SiteOutcome:
    """Make what a broken run left undone; its leases are held."""
    run = _SiteRun(shared, site, plan, writers)
    run.began, run.hold = True, hold
    return run.finish()


class _SiteRun:
    """One site from its confirmed plan to its end. `began`: something may have been written."""

    def __init__(self, shared: SiteApply, site: Site, plan: SitePlan, writers: Mapping[str, Writer]) -> None:
        self.site, self.plan, self.writers = site, plan, writers
        self.opener, self.observer, self.guards = shared.opener, shared.observer, shared.guards
        self._confirm = shared.confirm
        self._records = shared.journal
        self.journal = SiteJournal(shared.journal, shared.guards.state, site.name)
        self.run = f"{self.opener.run_id}-{site.name}"
        self.hold = SiteHold(self.run, self.guards, self.opener, self.journal)
        self.began = False
        self.tested: Acceptance | None = None

    def go(self) -> SiteOutcome:
        """Raises IvnError where nothing was written."""
        if not self._confirm(self.plan):
            self.journal.write("site_end", standing="refused", error="declined")
            return SiteOutcome(self.site.name, self.plan, declined=True, run=self._records.run)
        try:
            self._guard()
            outcomes = execute(self.plan, self.writers, self.observer, self)
            outcome = self._accept(self._prove(outcomes))
        except IvnError as error:
            if self.began and isinstance(error, _AFTER_WRITES):
                return self._failed(error)
            return self._refused(error)  # any other error of a write says that nothing was written
        return self._ended(outcome)

    def finish(self) -> SiteOutcome:
        """The same for a resumed run: planned, guarded and held already."""
        try:
            check(self.plan, self.writers)
            outcome = self._accept(self._prove(execute(self.plan, self.writers, self.observer, self)))
        except IvnError as error:
            return self._failed(error)
        return self._ended(outcome)

    def _guard(self) -> None:
        """Everything that must hold before the first write."""
        if not self.guards.may_begin(self.site.name):
            raise NotBegun(
                f"{self.site.name} was not begun: too many sites of the play had failed",
                where=self.site.name,
                next_step="correct what failed, then play it again",
            )
        check(self.plan, self.writers)
        site, now = self.site, self.opener.clock()
        used = check_moment(self.plan, site.maintenance_window, site.time_zone, now, self.guards.overrides)
        state = self.guards.state
        before = keep(state, self.plan, self._records.run, now.strftime("%Y-%m-%dT%H:%M:%SZ"))
        spec = spec_digest(site) if self.opener.desired is desired_of else ""  # "": no site file says it
        self.journal.planned(before, spec, self.plan.workable)
        for kind in used:
            self.journal.write("override", kind=kind, reason="given on the command line")
        self._may_go_on()
        self.hold.take(self.writers)

    def _may_go_on(self) -> None:
        if self.guards.stopping():
            raise Interrupted(
                f"the run was stopped; {self.site.name} is in the journal",
                where=self.site.name,
                next_step=f"`ivn-provision resume {self._records.run}` finishes or reverts it",
            )

    def intent(self, number: int, batch: Batch) -> None:
        """See applying.Log."""
        self._may_go_on()
        if number > 1:
            self.hold.renew(self.writers[batch.target])
        self.journal.intent(number, batch)
        self.began = True

    def done(self, number: int, batch: Batch) -> None:
        self.journal.done(number, batch)

    def failed(self, number: int, batch: Batch, error: IvnError) -> None:
        self.journal.failed(number, batch, error)

    def _prove(self, outcomes: tuple[Outcome, ...]) -> SiteOutcome:
        """Read everything again, with drivers that cannot write, and judge what still differs."""
        self._may_go_on()
        self.observer.notify(Event(self.site.name, Step.PROVING))
        try:
            proof = self._read_again()
        except IvnError as error:
            raise ProofFailed(
                f"{self.site.name} was written, but the proof could not be read: {error.summary}",
                where=error.where,
                next_step=f"run drift on it as soon as it answers. {error.next_step}".strip(),
            ) from error
        left = judge(self.site.name, proof)
        self._note_proof(proof)
        if isinstance(left, ProofFailed):
            raise left
        if left is None:
            self.observer.notify(Event(self.site.name, Step.PROVEN))
        return SiteOutcome(self.site.name, self.plan, outcomes, proof, left, run=self._records.run)

    def _accept(self, outcome: SiteOutcome) -> SiteOutcome:
        """Fire the pins, where that is asked for. Raises AcceptanceFailed: the site does not stay so."""
        if self.guards.accept is None:
            return outcome
        name = self.site.name
        try:
            acceptance = self.guards.accept(self.site)
        except Interrupted:
            raise
        except IvnError as error:
            self.journal.write("acceptance", passed=False, results=[error.summary])
            raise AcceptanceFailed(
                f"the alarms of {name} could not be tested: {error.summary}",
                where=error.where or name,
                next_step=error.next_step,
            ) from error
        lines = [
            f"{each.state.value}: {each.found.subject} {each.found.evidence}" for each in acceptance.results
        ]
        self.journal.write("acceptance", passed=acceptance.is_good, results=lines)
        self._may_go_on()
        if not acceptance.is_good:
            self.tested = acceptance
            raise AcceptanceFailed(
                f"the alarms of {name} do not arrive as they should: {acceptance.why}",
                where=name,
                next_step=f"look with `ivn-provision check {name}` and `verify {name}`, correct the cause, apply again",
            )
        return replace(outcome, acceptance=acceptance)

    def _note_proof(self, proof: SitePlan) -> None:
        stamp = self.opener.clock().strftime("%Y-%m-%dT%H:%M:%SZ")
        after = keep(self.guards.state, proof, self._records.run, stamp)
        self.journal.write("proof", after=after, left=len(proof.workable))

    def _read_again(self) -> SitePlan:
        proof = read_plan(self.site, self.opener, self.observer)
        return select(proof, self.guards.targets, self.guards.excludes)

    def _ended(self, outcome: SiteOutcome) -> SiteOutcome:
        """Proven: give the leases back, or leave the revert armed for a person."""
        try:
            if self.guards.hold and self.guards.confirm_within:
                return self._pending(outcome)
            self.hold.release(self.writers)
        except RevertFired as error:
            return self._back(outcome, error)
        except IvnError as error:
            return replace(outcome, error=self._not_released(error))
        self.journal.note(
            "site_end", standing="applied", error=outcome.error.summary if outcome.error else ""
        )
        return outcome

    def _pending(self, outcome: SiteOutcome) -> SiteOutcome:
        """Left armed. The recorder says until when: its own clock decides."""
        self.hold.wait(self.writers)
        due = _due_at(outcome.proof, self.run) if outcome.proof else ""
        if not due:  # the recorder was not written: what waits are the leases
            due = stamp(self.opener.clock() + timedelta(seconds=self.guards.confirm_within))
        self.journal.note("pending", until=due)
        self.journal.note("site_end", standing="pending", error="")
        return replace(outcome, pending_until=due)

    def _not_released(self, error: IvnError) -> IvnError:
        soon = (
            " The recorder puts the earlier state back by itself soon." if self.guards.confirm_within else ""
        )
        return PartlyApplied(
            f"{self.site.name} is written and proven, but its lease could not be given back: {error.summary}.{soon}",
            done=tuple(str(change.address) for change in self.plan.workable),
            where=error.where,
            next_step=f"run `ivn-provision confirm {self.site.name}` as soon as it answers",
        )

    def _refused(self, error: IvnError) -> SiteOutcome:
        """Nothing was written: the leases go back, and the error stands for itself."""
        try:
            self.hold.release(self.writers, stays=False)
        except IvnError:
            self.journal.note("site_end", standing="failed", error=error.summary)
        else:
            self.journal.note("site_end", standing="refused", error=error.summary)
        return SiteOutcome(self.site.name, self.plan, error=error, run=self._records.run)

    def _failed(self, error: IvnError) -> SiteOutcome:
        """Something may have been written: is it all there? Else back, or stop, as asked."""
        outcomes = outcomes_of(self.plan, error) if isinstance(error, PartlyApplied) else ()
        broken = SiteOutcome(
            self.site.name, self.plan, outcomes, error=error, run=self._records.run, acceptance=self.tested
        )
        if isinstance(error, PartlyApplied) and isinstance(error.__cause__, (Interrupted, StateError)):
            error = error.__cause__
        if isinstance(error, PartlyApplied) and (whole := self._all_there(broken)):
            try:
                return self._ended(self._accept(whole))
            except (AcceptanceFailed, Interrupted) as second:
                return self._failed(second)
        if self.guards.on_failure is OnFailure.STOP:
            return self._stopped(broken, error)
        return self._back(broken, error)

    def _all_there(self, broken: SiteOutcome) -> SiteOutcome | None:
        """After a write that broke off: what is there now? If all is as declared, that is the proof."""
        try:
            proof = self._read_again()
            if proof.changes:
                return None
            self._note_proof(proof)
        except IvnError:
            return None  # the error that led here says more
        done = tuple(Outcome(each.address, "done") for each in broken.outcomes)
        return replace(broken, outcomes=done, proof=proof, error=judge(self.site.name, proof))

    def _stopped(self, broken: SiteOutcome, error: IvnError) -> SiteOutcome:
        """Left as it is. An armed recorder still reverts by itself, so its leases stay until then."""
        try:
            if not self.guards.confirm_within:
                self.hold.release(self.writers, stays=False)
            proof = self._read_again()
        except IvnError:
            proof = None
        self.journal.note("site_end", standing="stopped", error=error.summary)
        return replace(broken, proof=proof)

    def _back(self, broken: SiteOutcome, error: IvnError) -> SiteOutcome:
        name = self.site.name
        try:
            story = story_of(self._records.records, name)
            way = WayBack(
                self.site, self.run, story, self.opener, self.observer, self.guards.state, self.journal
            )
            edited = way.go(self.writers, error.summary)
            self.hold.release(self.writers, stays=False)
        except IvnError as second:
            self.journal.note("site_end", standing="failed", error=second.summary)
            both = back_or_both(error, second, name)
            both.__cause__ = error
            return replace(broken, error=both)
        stopped = isinstance(error, Interrupted)
        self.journal.note("site_end", standing="reverted", error=error.summary, stopped=stopped)
        self.observer.notify(Event(name, Step.REVERTED))
        back = back_or_both(error, left_to_somebody(name, edited), name) if edited else _reverted(error, name)
        back.__cause__ = error.__cause__
        return replace(broken, outcomes=(), error=back, reverted=True)


def _due_at(proof: SitePlan, run: str) -> str:
    """When the recorder goes back, as it said itself when it was read for the proof."""
    reverts = [revert for facts in proof.facts for revert in facts.holding.reverts]
    return min((each.due_at for each in reverts if each.run == run and each.due_at), default="")


def _reverted(error: IvnError, site: str) -> IvnError:
    """The apply failed; what it had written is put back. The exit code is that of a broken apply."""
    if isinstance(error, Interrupted):
        return Interrupted(
            f"the run was stopped, and {site} was put back as it was before",
            where=error.where,
            next_step="run apply again when you want it",
        )
    return PartlyApplied(
        f"{error.summary}; {site} was put back as it was before",
        where=error.where,
        next_step=error.next_step,
    )
