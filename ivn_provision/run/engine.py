"""Plans and applies many sites side by side, with one journal for the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from ivn_provision.errors import IvnError, StateError, UsageProblem
from ivn_provision.plan.limits import check_limits
from ivn_provision.plan.plan import SitePlan
from ivn_provision.plan.reach import reach_of
from ivn_provision.plan.select import unmatched
from ivn_provision.run.events import Observer, begun, ended
from ivn_provision.run.guards import Guards
from ivn_provision.run.journal import Journal
from ivn_provision.run.outcomes import SiteOutcome
from ivn_provision.run.saved_plan import use
from ivn_provision.run.side_by_side import guarded, name_place, side_by_side
from ivn_provision.run.site_apply import Attest, Confirm, Prepared, SiteApply
from ivn_provision.run.site_plans import close, read_plan
from ivn_provision.run.targets import Opener
from ivn_provision.spec.site import Site

__all__ = ["Attest", "Confirm", "SiteOutcome", "apply_sites", "plan_sites"]


def plan_sites(sites: Sequence[Site], opener: Opener, observer: Observer) -> tuple[SiteOutcome, ...]:
    """Plans of all sites with drivers that cannot write, in the order given."""

    def plan(site: Site) -> SiteOutcome:
        outcome = guarded(
            site.name,
            lambda: SiteOutcome(site.name, plan=_read(site, opener, observer)),
            lambda error: SiteOutcome(site.name, error=error),
        )
        return ended(outcome, observer)

    return side_by_side(plan, sites, limits=opener.limits, network=lambda site: site.network)


def _read(site: Site, opener: Opener, observer: Observer) -> SitePlan:
    begun(site.name, observer)
    return read_plan(site, opener, observer)


def apply_sites(
    sites: Sequence[Site],
    opener: Opener,
    observer: Observer,
    confirm: Confirm | None = None,
    attest: Attest | None = None,
    *,
    guards: Guards,
    on_end: Callable[[SiteOutcome], None] = lambda _: None,
) -> tuple[SiteOutcome, ...]:
    """Plan, guard, confirm, write and prove every site. With `confirm` the sites go one after the other.

    `on_end` gets the outcome of each site as soon as it is there, from any thread.

    All sites are read before the first is written: a run's limits are judged over all of them. Raises
    StateError if the run cannot be written down, before anything is read.
    """
    opener.asks = reach_of(guards.targets, guards.excludes)
    journal = Journal.create(
        guards.state,
        opener.run_id,
        opener.clock,
        who=guards.owner,
        command=guards.command,
        revision=guards.revision,
        dirty=guards.dirty,
        plan=guards.saved.id if guards.saved else "",
        sites=[site.name for site in sites],
        options=guards.options(),
    )
    try:
        apply = SiteApply(
            opener, observer, guards, journal, confirm or (lambda _: True), attest or (lambda _, plan: plan)
        )
        outcomes = _applied(sites, apply, on_end, one_by_one=confirm is not None)
        _note_end(journal, outcomes)
        return outcomes
    finally:
        journal.close()


def _applied(
    sites: Sequence[Site], apply: SiteApply, on_end: Callable[[SiteOutcome], None], *, one_by_one: bool
) -> tuple[SiteOutcome, ...]:
    limits = apply.opener.limits
    prepared = side_by_side(
        lambda site: _prepared(site, apply), sites, limits=limits, network=lambda site: site.network
    )
    try:
        _within_limits(prepared, apply.guards)
    except IvnError as error:
        prepared = tuple(_refused(each, error) for each in prepared)

    def write(each: Prepared) -> SiteOutcome:
        outcome = each.outcome or guarded(
            each.site.name,
            lambda: apply.write(each),
            lambda error: SiteOutcome(each.site.name, each.plan, error=error, run=apply.journal.run),
        )
        if outcome.error is not None:
            name_place(outcome.error, each.site.name)
        if each.outcome is not None:
            _note_unwritten(apply.journal, outcome)
        on_end(outcome)
        return ended(outcome, apply.observer)

    if one_by_one:
        return tuple(write(each) for each in prepared)
    return side_by_side(write, prepared, limits=limits, network=lambda each: each.site.network)


def _prepared(site: Site, apply: SiteApply) -> Prepared:
    return guarded(
        site.name,
        lambda: apply.prepare(site),
        lambda error: Prepared(site, {}, outcome=SiteOutcome(site.name, error=error, run=apply.journal.run)),
    )


def _within_limits(prepared: Sequence[Prepared], guards: Guards) -> None:
    """The run as a whole, and the saved plan used up: from here on it counts as applied."""
    plans = [(each.plan, each.site.limits) for each in prepared if each.plan is not None]
    all_read = len(plans) == len(prepared)  # a glob may be meant for a site that could not be read
    missing = unmatched([plan for plan, _ in plans], (*guards.targets, *guards.excludes))
    if all_read and missing is not None:
        raise missing
    check_limits(plans, fleet_size=guards.fleet_size, allowances=guards.allowances, raised=guards.raised)
    if guards.saved is not None and any(each.outcome is None for each in prepared):
        use(guards.state, guards.saved)


def _refused(prepared: Prepared, error: IvnError) -> Prepared:
    """A site of a run that may not go on: nothing of it is written. A run that was called wrongly has none."""
    if prepared.outcome is not None and not isinstance(error, UsageProblem):
        return prepared
    close(prepared.writers.values())
    own = _copy(error)
    return replace(prepared, outcome=SiteOutcome(prepared.site.name, prepared.plan, error=own))


def _copy(error: IvnError) -> IvnError:
    """Each site names its own place in the error."""
    return type(error)(error.summary, where=error.where, next_step=error.next_step)


def _note_unwritten(journal: Journal, outcome: SiteOutcome) -> None:
    """A site on which the run came no further than its plan."""
    standing = "refused" if outcome.error is not None and outcome.proof is None else "unchanged"
    error = outcome.error.summary if outcome.error else ""
    with suppress(StateError):
        journal.append("site_end", outcome.site, standing=standing, error=error)


def _note_end(journal: Journal, outcomes: Sequence[SiteOutcome]) -> None:
    standing = "failed" if any(each.error is not None for each in outcomes) else "done"
    with suppress(StateError):  # the sites' own ends are written; this line only closes the file
        journal.append("end", standing=standing)
