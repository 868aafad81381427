"""A person confirms what a run left pending: the reverts are disarmed, and the leases given back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from ivn_provision.drivers.base import Writer
from ivn_provision.errors import PlanError, RevertFired
from ivn_provision.plan.plan import SitePlan
from ivn_provision.run.events import Observer
from ivn_provision.run.guards import Guards
from ivn_provision.run.holding import WAITS
from ivn_provision.run.journal import Journal
from ivn_provision.run.outcomes import SiteOutcome
from ivn_provision.run.resuming import FIRED
from ivn_provision.run.side_by_side import guarded, side_by_side
from ivn_provision.run.site_plans import close, plan_with
from ivn_provision.run.story import story_of
from ivn_provision.run.targets import Opener
from ivn_provision.spec.site import Site

_WORDS = {
    "reverted": "has put the earlier state back",
    "left": "left what somebody changed since",
    "failed": "tried to put the earlier state back, and failed",
}


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
        plan = plan_with(site, writers.values(), opener, observer)
        name = _pending(site, plan)
        run = name.removesuffix(f"-{site.name}")
        with _journal(run, guards, opener) as journal:
            _check_proven(site, plan, name, journal)
            if journal is not None:
                journal.append("confirmed", site.name, who=guards.owner)
            _release(site, name, writers)
            if journal is not None:
                journal.append("site_end", site.name, standing="applied", error="")
        return run
    finally:
        close(writers.values())


def _release(site: Site, name: str, writers: Mapping[str, Writer]) -> None:
    """The recorder first: what it has put back by itself must not be called confirmed."""
    for _, writer in sorted(writers.items()):
        try:
            writer.release(name)
        except RevertFired as error:
            raise _too_late(site, name, error.summary) from error


def _check_proven(site: Site, plan: SitePlan, name: str, journal: Journal | None) -> None:
    """Only what was proven may stay: by the journal if it is here, else by what the run's leases say."""
    run = name.removesuffix(f"-{site.name}")
    if journal is not None:
        story = story_of(journal.records, site.name)
        if story.standing == "pending" or (story.proven and not story.reverting):
            return
        raise PlanError(
            f"run {run} is not proven on {site.name}: there is nothing to confirm",
            where=site.name,
            next_step=f"`ivn-provision resume {run}` finishes or reverts it",
        )
    leases = [facts.holding.lease for facts in plan.facts]
    if any(each is not None and each.run == name and each.owner.endswith(WAITS) for each in leases):
        return
    raise PlanError(
        f"run {run} does not wait for a confirmation on {site.name}: it is still going on, or broke off",
        where=site.name,
        next_step=f"`ivn-provision resume {run}` ends it where it was made, if it broke off",
    )


def _too_late(site: Site, name: str, why: str) -> PlanError:
    run = name.removesuffix(f"-{site.name}")
    return PlanError(
        f"too late: {why}",
        where=site.name,
        next_step=f"`ivn-provision resume {run}` puts the portal back too",
    )


def _pending(site: Site, plan: SitePlan) -> str:
    """The run that waits, by its name on the targets. Raises PlanError where none does, or it is too late."""
    holdings = [facts.holding for facts in plan.facts]
    leases = [each.lease for each in holdings if each.lease is not None]
    reverts = [revert for each in holdings for revert in each.reverts]
    names = {each.run for each in leases} | {
        each.run for each in reverts if each.state in {"armed", "prepared"}
    }
    fired = {each.run for each in reverts if each.state in FIRED}
    names = names or fired
    if not names:
        raise PlanError(
            f"nothing is pending on {site.name}",
            where=site.name,
            next_step=f"see `ivn-provision status {site.name}`; a run that was confirmed elsewhere is ended by `resume RUN`",
        )
    if len(names) > 1:
        raise PlanError(
            f"more than one run is pending on {site.name}: {', '.join(sorted(names))}",
            where=site.name,
            next_step="end them with `ivn-provision resume RUN`, the oldest first",
        )
    (name,) = names
    if late := next((each for each in reverts if each.run == name and each.state in FIRED), None):
        raise _too_late(site, name, f"the recorder of {site.name} {_WORDS[late.state]} ({late.id})")
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
