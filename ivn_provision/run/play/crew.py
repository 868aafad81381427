"""Does the work of a play on sites, by the same functions as the commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ivn_provision.errors import Interrupted, IvnError, NotBegun, PersonNeeded, StateError
from ivn_provision.plan.select import select
from ivn_provision.run.audit.record import Audit
from ivn_provision.run.checking import check_site
from ivn_provision.run.events import Observer
from ivn_provision.run.fleet.loading import FleetFiles
from ivn_provision.run.fleet.refs import SiteRef
from ivn_provision.run.fleet.runners import Runner
from ivn_provision.run.guards import Guards
from ivn_provision.run.play.applying import Applying
from ivn_provision.run.play.auditing import as_one, result_of_audit
from ivn_provision.run.play.going_back import GoingBack
from ivn_provision.run.play.outcome import PlayOutcome, Standing
from ivn_provision.run.play.standing import Result
from ivn_provision.run.play.task import Back, Task
from ivn_provision.run.play.telling import payload
from ivn_provision.run.play.words import differences, failing
from ivn_provision.run.side_by_side import guarded
from ivn_provision.run.site_plans import read_plan
from ivn_provision.run.targets import Opener
from ivn_provision.run.verifying import Verifying
from ivn_provision.run.watching import Time
from ivn_provision.secret import Secret, SecretRef
from ivn_provision.spec.playbook import Do, Gate, Of, Playbook, Step
from ivn_provision.spec.site import Site
from ivn_provision.transports.webhook import Webhook

NOT_BEGUN = "not begun: too many sites had failed"
Work = Callable[[Site], Result]


@dataclass(slots=True)
class SiteCrew:
    """`opener` makes one for each piece of work, with a run's name of its own. `guards` are those of the command.

    `report_file` and `audit_file` write files, `ask` asks a person and gives who approved ("" for nobody), `audit`
    makes an audit: they belong to the command.
    """

    playbook: Playbook
    play: str
    files: FleetFiles
    runner: Runner
    opener: Callable[[], Opener]
    guards: Guards
    observer: Observer
    time: Time
    secret: Callable[[SecretRef], Secret]
    report_file: Callable[[str, PlayOutcome], None]
    ask: Callable[[str], str]
    audit: Callable[[Sequence[SiteRef], Opener, Observer], Audit]
    audit_file: Callable[[str, Audit], None]
    _audits: list[Audit] = field(default_factory=list, init=False)

    def work(self, task: Task) -> None:
        """See task.Crew."""
        if task.what is Do.APPLY:
            assert task.step is not None
            Applying(self.files, self.opener(), self.observer, self._guards(), self.time).go(task, task.step)
        elif task.what is Do.AUDIT:
            self._audit(task)
        else:
            self._each(task, self._work_of(task))

    def _audit(self, task: Task) -> None:
        audit = self.audit(task.sites, self.opener(), self.observer)
        self._audits.append(audit)
        for each in audit.sites:
            task.keep(result_of_audit(each))

    def notify(self, step: Step, at: str, outcome: PlayOutcome) -> None:
        """See task.Crew."""
        url = self.secret(step.url).reveal() if isinstance(step.url, SecretRef) else step.url
        words = str(step.url) if isinstance(step.url, SecretRef) else ""
        Webhook(url, words, self.time.sleep, step.ca).post(
            payload(outcome, at, step, self.time.now()), key=f"{self.play}/{at}", seconds=step.deadline
        )

    def report(self, step: Step, outcome: PlayOutcome) -> None:
        """See task.Crew."""
        if step.of is Of.PLAY:
            self.report_file(step.file, outcome)
        elif self._audits:
            over = outcome.standing is not Standing.RUNNING
            sites = [each.name for each in outcome.sites]
            self.audit_file(step.file, as_one(self._audits, sites) if over else self._audits[-1])
        else:
            raise StateError(
                f"{step.file}: there is no audit to report",
                next_step="an audit that was made before a play was resumed is not kept; see `ivn-provision audit`",
            )

    def approve(self, step: Step, outcome: PlayOutcome) -> str:
        """See task.Crew."""
        del outcome
        return self.ask(step.message)

    def _guards(self) -> Guards:
        return replace(
            self.guards, command=f"play {self.playbook.name} ({self.play})", raised=self.playbook.allow
        )

    def _work_of(self, task: Task) -> Work:
        opener, step = self.opener(), task.step
        if task.what in {Do.ROLLBACK, Back.BACK}:
            return self._way_back(task).site
        works: Mapping[Do | Gate | Back, Work] = {
            Do.VALIDATE: lambda site: Result(site.name),
            Do.CHECK: lambda site: self._check(site, opener),
            Gate.CHECKS: lambda site: self._check(site, opener),
            Do.PLAN: lambda site: self._plan(site, opener, step),
            Do.DRIFT: lambda site: self._plan(site, opener, step),
            Gate.PROOF: lambda site: self._proof(site, opener),
            Do.VERIFY: lambda site: self._verify(site, opener),
            Gate.ACCEPTANCE: lambda site: self._verify(site, opener),
        }
        return works[task.what]

    def _way_back(self, task: Task) -> GoingBack:
        return GoingBack(
            self.opener,
            self.observer,
            self._guards(),
            task.runs or {},
            task.step.revision if task.step is not None else self.playbook.back_to,
            failed=task.step is None,
            whole=any(step.whole for step in self.playbook.steps),
            targets=self._targets(),
        )

    def _targets(self) -> tuple[str, ...]:
        """What the playbook applies, () for everything."""
        applies = [step.targets for step in self.playbook.steps if step.do is Do.APPLY]
        return tuple(dict.fromkeys(each for one in applies for each in one)) if all(applies) else ()

    def _each(self, task: Task, work: Work) -> None:
        def whole(ref: SiteRef) -> Result | None:
            if not task.may_begin(ref.name):
                return Result(ref.name, held=True, text=NOT_BEGUN)
            return guarded(
                ref.name, lambda: work(self.files.load(ref)), lambda error: failed_by(ref.name, error)
            )

        for result in self.runner.run(whole, task.sites):
            if result is not None:
                task.keep(result)

    def _check(self, site: Site, opener: Opener) -> Result:
        checked = check_site(site, opener, self.observer)
        text = failing(checked.results)
        return Result(site.name, failed=bool(text), text=text)

    def _plan(self, site: Site, opener: Opener, step: Step | None) -> Result:
        plan = read_plan(site, opener, self.observer)
        if step is not None:
            plan = select(plan, step.targets, step.excludes)
        return Result(
            site.name,
            differs=not plan.is_empty,
            needs_person=bool(plan.open or plan.waiting),
            text=differences(plan),
        )

    def _proof(self, site: Site, opener: Opener) -> Result:
        """Of what the playbook applies."""
        plan = read_plan(site, opener, self.observer)
        applies = [step for step in self.playbook.steps if step.do is Do.APPLY]
        for chosen in (select(plan, step.targets, step.excludes) for step in applies):
            if not chosen.is_empty:
                text = f"read again, it is not as declared: {differences(chosen)}"
                return Result(site.name, failed=True, differs=True, text=text)
        if not applies and not plan.is_empty:
            return Result(site.name, failed=True, differs=True, text=differences(plan))
        return Result(site.name, needs_person=bool(plan.open))

    def _verify(self, site: Site, opener: Opener) -> Result:
        verifying = Verifying(opener, self.observer, self.time, stopping=self.guards.stopping)
        acceptance = verifying.site(site)
        if acceptance.stopped:
            raise Interrupted("the acceptance was stopped", where=site.name)
        if acceptance.is_good:
            return Result(site.name)
        return Result(site.name, failed=True, text=f"alarms do not arrive as they should: {acceptance.why}")


def failed_by(site: str, error: IvnError) -> Result | None:
    """What an error means for a site. None if it was only interrupted."""
    if isinstance(error, Interrupted):
        return None
    if isinstance(error, NotBegun):
        return Result(site, held=True, text=NOT_BEGUN)
    return Result(site, failed=True, needs_person=type(error) is PersonNeeded, text=error.summary)
