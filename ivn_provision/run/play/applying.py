"""The apply of a wave: one run over all of its sites, so that limits are judged over the wave."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ivn_provision.errors import (
    AcceptanceFailed,
    Interrupted,
    NotBegun,
    PartlyApplied,
    PersonNeeded,
    ProofFailed,
    SpecError,
    StateError,
)
from ivn_provision.plan.plan import SitePlan
from ivn_provision.run.engine import apply_sites
from ivn_provision.run.events import Observer
from ivn_provision.run.fleet.loading import FleetFiles
from ivn_provision.run.fleet.refs import SiteRef
from ivn_provision.run.guards import Guards, OnFailure
from ivn_provision.run.late_end import note_late_end
from ivn_provision.run.outcomes import SiteOutcome
from ivn_provision.run.past import PastSite, past_of
from ivn_provision.run.play.standing import Result
from ivn_provision.run.play.task import Task
from ivn_provision.run.targets import Opener
from ivn_provision.run.verifying import Verifying
from ivn_provision.run.watching import Time
from ivn_provision.spec.playbook import Step
from ivn_provision.spec.site import Site

_PERHAPS_WRITTEN = (PartlyApplied, ProofFailed, AcceptanceFailed)


@dataclass(frozen=True, slots=True)
class Applying:
    """An apply that breaks off is put back on its site, whatever the playbook says of failures."""

    files: FleetFiles
    opener: Opener
    observer: Observer
    guards: Guards
    time: Time

    def go(self, task: Task, step: Step) -> None:
        """Each site gets its result as soon as its apply has ended."""
        known = self._known(task)
        for result in known.values():
            task.keep(result)
        sites = self._loaded(task, [ref for ref in task.sites if ref.name not in known])
        if not sites:
            return
        task.begun(self.opener.run_id)
        self._run(task, step, sites)

    def _run(self, task: Task, step: Step, sites: list[Site]) -> None:
        kept: set[str] = set()
        earlier = self._written_before(task)

        def ended(outcome: SiteOutcome) -> None:
            result = result_of(outcome)
            if result is not None:
                if result.applied and not (result.changed or result.failed) and outcome.site in earlier:
                    result = self._made_before(result, earlier[outcome.site])
                kept.add(outcome.site)
                task.keep(result)

        outcomes = apply_sites(
            sites,
            self.opener,
            self.observer,
            attest=as_a_whole if step.whole else None,
            guards=self._guards(task, step),
            on_end=ended,
        )
        for outcome in outcomes:
            if outcome.site not in kept:
                ended(outcome)

    def _made_before(self, result: Result, run: str) -> Result:
        """Nothing was left to be done: it was the run that was killed that changed the site."""
        state, owner = self.guards.state, self.guards.owner
        note_late_end(state, run, result.site, self.opener.clock, who=owner)
        return replace(result, changed=True, run=run)

    def _guards(self, task: Task, step: Step) -> Guards:
        verifying = Verifying(self.opener, self.observer, self.time, stopping=self.guards.stopping)
        return replace(
            self.guards,
            on_failure=OnFailure.ROLLBACK,
            confirm_within=step.confirm_within,
            targets=step.targets,
            excludes=step.excludes,
            accept=verifying.site if step.verify else None,
            may_begin=task.may_begin,
        )

    def _loaded(self, task: Task, refs: list[SiteRef]) -> list[Site]:
        """The sites whose files are sound; the others have failed."""
        found = []
        for ref in refs:
            try:
                found.append(self.files.load(ref))
            except SpecError as error:
                task.keep(Result(ref.name, failed=True, text=error.summary))
        return found

    def _written_before(self, task: Task) -> dict[str, str]:
        """Sites on which an earlier run of this apply had begun to write when it was killed, and that run: where
        nothing is left to be done, it was that one that changed them."""
        found: dict[str, str] = {}
        for run in task.before:
            try:
                past = past_of(self.guards.state, run)
            except StateError:
                continue
            found |= {each.site: run for each in past.sites if _has_written(each)}
        return found

    def _known(self, task: Task) -> dict[str, Result]:
        """What earlier runs of this very apply ended before they were killed. The rest is applied anew, which ends
        first what was left over (`left_over.settle`)."""
        names = {ref.name for ref in task.sites}
        found: dict[str, Result] = {}
        for run in task.before:
            try:
                past = past_of(self.guards.state, run)
            except StateError:
                continue  # it broke off before its first record
            ended = {each.site: _past_result(each, run) for each in past.sites if each.site in names}
            found |= {name: result for name, result in ended.items() if result is not None}
        return found


def _has_written(past: PastSite) -> bool:
    return past.standing == "unfinished" and any(each.event == "intent" for each in past.events)


def _past_result(past: PastSite, run: str) -> Result | None:
    end = next((each for each in reversed(past.events) if each.event == "site_end"), None)
    if end is not None and end.data.get("stopped") is True:
        return None  # a person stopped it, and it went back: it is applied anew
    if past.standing == "applied":
        return Result(
            past.site, changed=True, applied=True, needs_person=bool(past.error), run=run, text=past.error
        )
    if past.standing == "reverted" and past.error:
        return Result(past.site, failed=True, applied=True, run=run, text=past.error)
    return None


def result_of(outcome: SiteOutcome) -> Result | None:
    """What an apply came to; None if it was only interrupted. What is left to a person alone is no failure."""
    error, site = outcome.error, outcome.site
    if isinstance(error, Interrupted):
        return None
    if isinstance(error, NotBegun):
        return Result(site, held=True, text="not begun: too many sites had failed")
    changed = bool(outcome.outcomes) and not outcome.reverted
    if error is not None and not (type(error) is PersonNeeded and outcome.proof is not None):
        stays = not outcome.reverted and (changed or isinstance(error, _PERHAPS_WRITTEN))
        return Result(
            site,
            failed=True,
            applied=True,
            changed=stays,
            run=outcome.run if stays else "",
            text=error.summary,
        )
    proof = outcome.proof
    return Result(
        site,
        applied=True,
        changed=changed,
        needs_person=error is not None,
        differs=proof is not None and not proof.is_empty,
        run=outcome.run if changed else "",
        text=error.summary if error is not None else _made(len(outcome.outcomes)),
    )


def _made(count: int) -> str:
    return f"{count} change{'' if count == 1 else 's'} made and proven" if count else ""


def as_a_whole(site: Site, plan: SitePlan) -> SitePlan:
    """Refuses a site of which a part is left to a person: the tool's part alone would break it."""
    if plan.waiting and plan.workable:
        first = plan.waiting[0]
        raise PersonNeeded(
            f"{site.name} is changed as a whole or not at all, and a person has to do {first.address} first",
            where=str(first.address),
            next_step=f"do what `ivn-provision runbook {site.name}` lists, then play it again",
        )
    return plan
