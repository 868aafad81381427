"""A person confirms what a run left pending: the reverts are disarmed, and the leases given back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ivn_provision.errors import PlanError
from ivn_provision.plan.plan import SitePlan
from ivn_provision.run.events import Observer
from ivn_provision.run.guards import Guards
from ivn_provision.run.journal import Journal
from ivn_provision.run.outcomes import SiteOutcome
from ivn_provision.run.side_by_side import guarded, side_by_side
from ivn_provision.run.site_plans import close, plan_with
from ivn_provision.run.targets import Opener
from ivn_provision.spec.site import Site


def confirm_sites(
    sites: Sequence[Site], opener: Opener, observer: Observer, guards: Guards
) -> tuple[SiteOutcome, ...]:
    """Confirm every site; the outcome names the run whose changes stay."""

    def confirm(site: Site) -> SiteOutcome:
        return guarded(
            site.name,
            lambda: SiteOutcome(site.name, run=_confirm(site, opener, observer, guards)),
            lambda error: SiteOutcome(site.name, error=error),
        )

    return side_by_side(confirm, sites)


def _confirm(site: Site, opener: Opener, observer: Observer, guards: Guards) -> str:
    writers = opener.writers(site)
    try:
        name = _pending(site, plan_with(site, writers.values(), opener, observer))
        run = name.removesuffix(f"-{site.name}")
        with _journal(run, guards, opener) as journal:
            if journal is not None:
                journal.append("confirmed", site.name, who=guards.owner)
            for writer in writers.values():
                writer.release(name)
            if journal is not None:
                journal.append("site_end", site.name, standing="applied", error="")
        return run
    finally:
        close(writers.values())


def _pending(site: Site, plan: SitePlan) -> str:
    """The run that waits, by its name on the targets. Raises PlanError where none does, or it is too late."""
    holdings = [facts.holding for facts in plan.facts]
    leases = [each.lease for each in holdings if each.lease is not None]
    reverts = [revert for each in holdings for revert in each.reverts]
    names = {each.run for each in leases} | {
        each.run for each in reverts if each.state in {"armed", "prepared"}
    }
    if not names:
        raise PlanError(
            f"nothing is pending on {site.name}",
            where=site.name,
            next_step=f"see `ivn-provision status {site.name}`",
        )
    if len(names) > 1:
        raise PlanError(
            f"more than one run is pending on {site.name}: {', '.join(sorted(names))}",
            where=site.name,
            next_step="end them with `ivn-provision resume RUN`, the oldest first",
        )
    (name,) = names
    if late := next((each for each in reverts if each.run == name and each.state == "reverted"), None):
        raise PlanError(
            f"too late: the recorder of {site.name} has put the earlier state back ({late.id})",
            where=site.name,
            next_step=f"`ivn-provision resume {name.removesuffix(f'-{site.name}')}` puts the portal back too",
        )
    return name


@contextmanager
def _journal(run: str, guards: Guards, opener: Opener) -> Iterator[Journal | None]:
    """The run's journal if it is here: a person may confirm from another machine.

    Raises StateError if the run is still going on.
    """
    if not Journal.is_here(guards.state, run):
        yield None
        return
    journal = Journal.reopen(guards.state, run, opener.clock)
    try:
        yield journal
    finally:
        journal.close()
