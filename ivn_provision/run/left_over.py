"""What an earlier run left on a site: found by the next command that would write, and ended first."""

from __future__ import annotations

from dataclasses import replace

from ivn_provision.errors import LeaseHeld, PersonNeeded, StateError
from ivn_provision.model.live import Lease
from ivn_provision.plan.plan import SitePlan
from ivn_provision.run.events import Observer
from ivn_provision.run.guards import Guards
from ivn_provision.run.journal import Journal, read_run, standing_of
from ivn_provision.run.resuming import Way, resume_site
from ivn_provision.run.targets import Opener
from ivn_provision.spec.site import Site

TAKE_OVER = "lease"


def settle(
    site: Site, plan: SitePlan, opener: Opener, observer: Observer, *, guards: Guards, journal: Journal
) -> bool:
    """Revert what an expired run left behind; true if there was something, so that live is another now.

    Raises LeaseHeld if another run holds the site now, and PersonNeeded if a run expired whose journal is
    on another machine.
    """
    for lease in _leases(plan, f"{opener.run_id}-{site.name}"):
        run = lease.run.removesuffix(f"-{site.name}")
        if not lease.expired and not _died_here(run, site, guards):
            raise _held(site, lease)
        if _ended(run, site, opener, observer, guards):
            journal.append("override", site.name, kind="expired run", reason=f"{run} was ended first")
            return True
        if TAKE_OVER not in guards.overrides:
            raise _elsewhere(site, lease, run)
        journal.append("override", site.name, kind=TAKE_OVER, reason=f"{run} of {lease.owner} had expired")
    return False


def _leases(plan: SitePlan, own: str) -> list[Lease]:
    held = [facts.holding.lease for facts in plan.facts]
    return [each for each in held if each is not None and each.run != own]


def _died_here(run: str, site: Site, guards: Guards) -> bool:
    """Was it made here, and is its process gone without an end? Then nobody has to wait for its lease."""
    try:
        standing = (
            standing_of(read_run(guards.state, run), site.name) if Journal.is_here(guards.state, run) else ""
        )
        return standing in {"unfinished", "failed", "stopped"} and not Journal.is_open(guards.state, run)
    except StateError:
        return False


def _ended(run: str, site: Site, opener: Opener, observer: Observer, guards: Guards) -> bool:
    """Was the run's journal here, and is it reverted on this site now?"""
    if not Journal.is_here(guards.state, run):
        return False
    try:
        journal = Journal.reopen(guards.state, run, opener.clock)
    except StateError:
        return False
    try:
        own = replace(opener, run_id=run)
        resume_site(
            site,
            own,
            observer,
            replace(guards, confirm_within=0, saved=None),
            journal,
            way=Way.REVERT,
        )
    finally:
        journal.close()
    return True


def _held(site: Site, lease: Lease) -> LeaseHeld:
    return LeaseHeld(
        f"{lease.owner} writes to {site.name}: run {lease.run}, until {lease.expires_at}",
        owner=lease.owner,
        run=lease.run,
        expires_at=lease.expires_at,
        next_step="wait for that run; if it broke off, its lease ends by itself at that time",
    )


def _elsewhere(site: Site, lease: Lease, run: str) -> PersonNeeded:
    return PersonNeeded(
        f"run {run} of {lease.owner} did not end on {site.name}, and its journal is not here",
        where=site.name,
        next_step=f"run `ivn-provision resume {run}` where it was made; or, if you know that what it left may "
        f"stay, give --override {TAKE_OVER}",
    )
