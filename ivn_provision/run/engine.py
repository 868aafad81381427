"""Runs a piece of work on many sites side by side; one dead site never holds up another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from ivn_provision.drivers.base import Outcome, Reader
from ivn_provision.errors import IvnError, PartlyApplied, ProofFailed, TargetError
from ivn_provision.plan.plan import SitePlan
from ivn_provision.run.applying import execute, judge, outcomes_of
from ivn_provision.run.events import Event, Observer, Step
from ivn_provision.run.planning import Vouched, plan_site
from ivn_provision.run.targets import Opener
from ivn_provision.spec.site import Site

WORKERS = 32


@dataclass(frozen=True, slots=True)
class SiteOutcome:
    """What became of one site. `proof` is the plan of the re-read after an apply."""

    site: str
    plan: SitePlan | None = None
    outcomes: tuple[Outcome, ...] = ()
    proof: SitePlan | None = None
    error: IvnError | None = None
    declined: bool = False


Confirm = Callable[[SitePlan], bool]
Attest = Callable[[Site, SitePlan], SitePlan]
"""Records what people attest of a site, and gives the plan after it. Raises before anything is written."""


def plan_sites(sites: Sequence[Site], opener: Opener, observer: Observer) -> tuple[SiteOutcome, ...]:
    """Plans of all sites with drivers that cannot write, in the order given."""
    return _side_by_side(sites, lambda site: _plan(site, opener, observer), observer)


def apply_sites(
    sites: Sequence[Site],
    opener: Opener,
    observer: Observer,
    confirm: Confirm | None,
    attest: Attest | None = None,
) -> tuple[SiteOutcome, ...]:
    """Plan, confirm, write and prove every site. With `confirm` the sites go one after the other."""
    work = _Apply(opener, observer, confirm or (lambda _: True), attest or (lambda _, plan: plan))
    if confirm is not None:
        return tuple(_edge(site, work, observer) for site in sites)
    return _side_by_side(sites, work, observer)


def _side_by_side(
    sites: Sequence[Site], work: Callable[[Site], SiteOutcome], observer: Observer
) -> tuple[SiteOutcome, ...]:
    if len(sites) <= 1:
        return tuple(_edge(site, work, observer) for site in sites)
    with ThreadPoolExecutor(max_workers=min(WORKERS, len(sites))) as pool:
        return tuple(pool.map(lambda site: _edge(site, work, observer), sites))


def _edge(site: Site, work: Callable[[Site], SiteOutcome], observer: Observer) -> SiteOutcome:
    """The run's outer edge: whatever goes wrong on a site becomes its outcome."""
    try:
        outcome = work(site)
    except IvnError as error:
        outcome = SiteOutcome(site.name, error=error)
    except Exception as error:  # noqa: BLE001 - the outer edge: other sites go on, the defect is reported
        outcome = SiteOutcome(site.name, error=_defect(error))
    if outcome.error is not None:
        _name(outcome.error, site.name)
    step = Step.FAILED if outcome.error else Step.FINISHED
    observer.notify(Event(site.name, step, text=outcome.error.summary if outcome.error else ""))
    return outcome


def _defect(error: Exception) -> IvnError:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace else "?"
    return IvnError(
        f"a defect of ivn-provision: {type(error).__name__} at {place}",
        next_step="please report it with the version and what you did; nothing more was done on this site",
    )


def _plan(site: Site, opener: Opener, observer: Observer) -> SiteOutcome:
    readers = opener.readers(site)
    try:
        return SiteOutcome(site.name, plan=_planned(site, readers.values(), opener, observer))
    finally:
        _close(readers.values())


def _planned(site: Site, readers: Iterable[Reader], opener: Opener, observer: Observer) -> SitePlan:
    by_target = {each.target: each for each in readers}
    vouched = Vouched(opener.attestations(site.name), opener.clock())
    return plan_site(site, by_target, opener.secret, observer, vouched)


def _name(error: IvnError, site: str) -> None:
    """Put the site and, for a target, its endpoint in front of the error's place."""
    endpoint = error.endpoint if isinstance(error, TargetError) else ""
    parts = [site, endpoint, error.where]
    error.where = " ".join(
        part for part in parts if part and (part == error.where or part not in error.where)
    )


@dataclass(frozen=True, slots=True)
class _Apply:
    """Plan, attest, confirm, write and prove one site."""

    opener: Opener
    observer: Observer
    confirm: Confirm
    attest: Attest

    def __call__(self, site: Site) -> SiteOutcome:
        opener, observer = self.opener, self.observer
        writers = opener.writers(site)
        try:
            plan = self.attest(site, _planned(site, writers.values(), opener, observer))
            if not plan.workable:
                return SiteOutcome(site.name, plan, proof=plan, error=judge(site.name, plan))
            if not self.confirm(plan):
                return SiteOutcome(site.name, plan, declined=True)
            try:
                outcomes = execute(plan, writers, observer)
            except PartlyApplied as error:
                broken = SiteOutcome(site.name, plan, outcomes_of(plan, error), error=error)
                return _look_again(site, opener, observer, broken)
            except IvnError as error:
                return SiteOutcome(site.name, plan, error=error)
        finally:
            _close(writers.values())
        observer.notify(Event(site.name, Step.PROVING))
        return _prove(site, opener, observer, SiteOutcome(site.name, plan, outcomes))


def _look_again(site: Site, opener: Opener, observer: Observer, broken: SiteOutcome) -> SiteOutcome:
    """After a write that broke off: what is there now? If all is as declared, that is the proof."""
    try:
        proof = _plan(site, opener, observer).plan
    except IvnError:
        return broken  # its own error says more
    if proof is None or proof.changes:
        return replace(broken, proof=proof)
    done = tuple(Outcome(each.address, "done") for each in broken.outcomes)
    return replace(broken, outcomes=done, proof=proof, error=judge(site.name, proof))


def _prove(site: Site, opener: Opener, observer: Observer, applied: SiteOutcome) -> SiteOutcome:
    """Read everything again, with drivers that cannot write, and judge what still differs."""
    try:
        proof = _plan(site, opener, observer).plan
    except IvnError as error:
        unproven = ProofFailed(
            f"{site.name} was written, but the proof could not be read: {error.summary}",
            where=error.where,
            next_step=f"run drift on it as soon as it answers. {error.next_step}".strip(),
        )
        return replace(applied, error=unproven)
    assert proof is not None
    left = judge(site.name, proof)
    if left is None:
        observer.notify(Event(site.name, Step.PROVEN))
    return replace(applied, proof=proof, error=left)


def _close(readers: Iterable[Reader]) -> None:
    for reader in readers:
        reader.close()
