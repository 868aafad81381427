"""What an earlier run left on a site: found by the next command that would write, and ended first."""

from __future__ import annotations

from dataclasses import replace
from threading import Lock

from ivn_provision.errors import LeaseHeld, PersonNeeded, StateError
from ivn_provision.model.live import Lease, Revert
from ivn_provision.plan.plan import SitePlan
from ivn_provision.run.events import Observer
from ivn_provision.run.guards import Guards
from ivn_provision.run.holding import WAITS
from ivn_provision.run.journal import Journal, read_run, standing_of
from ivn_provision.run.resuming import FIRED, Way, resume_site
from ivn_provision.run.targets import Opener
from ivn_provision.spec.site import Site

TAKE_OVER = "lease"
_ENDING: dict[str, Lock] = {}
"""By run: a process that applies many sites ends one broken run site by site."""


def settle(
    site: Site, plan: SitePlan, opener: Opener, observer: Observer, *, guards: Guards, journal: Journal
) -> bool:
    """Revert what an expired run left behind; true if there was something, so that live is another now.

    Raises LeaseHeld if another run holds the site now, and PersonNeeded if a run expired whose journal is
    on another machine.
    """
    own = f"{opener.run_id}-{site.name}"
    for lease in _leases(plan, own):
        run = lease.run.removesuffix(f"-{site.name}")
        with _ENDING.setdefault(run, Lock()):  # the sites of one broken run share its journal
            if not lease.expired and not _died_here(run, site, guards, fired=_has_fired(plan, lease.run)):
                raise _held(site, lease)
            if _ended(run, site, opener, observer, guards):
                journal.append("override", site.name, kind="broken run", reason=f"{run} was ended first")
                return True
        if TAKE_OVER not in guards.overrides:
            raise _elsewhere(site, lease, run)
        journal.append("override", site.name, kind=TAKE_OVER, reason=f"{run} of {lease.owner} had expired")
    return _without_lease(site, plan, own, opener, observer, guards=guards, journal=journal)


def _without_lease(
    site: Site,
    plan: SitePlan,
    own: str,
    opener: Opener,
    observer: Observer,
    *,
    guards: Guards,
    journal: Journal,
) -> bool:
    """A recorder that goes back, or has gone back, of a run whose leases are gone: the portal goes back too."""
    held = {each.run for each in _leases(plan, own)}
    for revert in (each for facts in plan.facts for each in facts.holding.reverts):
        run = revert.run.removesuffix(f"-{site.name}")
        if revert.run in held | {own} or (revert.state != "armed" and revert.state not in FIRED):
            continue
        with _ENDING.setdefault(run, Lock()):
            if _is_unfinished(run, site, guards) and _ended(run, site, opener, observer, guards):
                journal.append("override", site.name, kind="broken run", reason=f"{run} was ended first")
                return True
        if revert.state == "armed":
            raise _armed(site, revert)
    return False


def _leases(plan: SitePlan, own: str) -> list[Lease]:
    held = [facts.holding.lease for facts in plan.facts]
    return [each for each in held if each is not None and each.run != own]


def _has_fired(plan: SitePlan, name: str) -> bool:
    reverts = [revert for facts in plan.facts for revert in facts.holding.reverts]
    return any(each.run == name and each.state in FIRED for each in reverts)


def _died_here(run: str, site: Site, guards: Guards, *, fired: bool) -> bool:
    """Was it made here, and is its process gone without an end? Then nobody has to wait for its lease.

    A run that waits for a person is waited for, unless the recorder has gone back meanwhile.
    """
    return _is_unfinished(run, site, guards) or (fired and _standing(run, site, guards) == "pending")


def _is_unfinished(run: str, site: Site, guards: Guards) -> bool:
    return _standing(run, site, guards) in {"unfinished", "failed", "stopped"}


def _standing(run: str, site: Site, guards: Guards) -> str:
    """How a run of this machine that is not going on any more ended here; "" where that is not known."""
    try:
        if not Journal.is_here(guards.state, run) or Journal.is_open(guards.state, run):
            return ""
        return standing_of(read_run(guards.state, run), site.name)
    except StateError:
        return ""


def _ended(run: str, site: Site, opener: Opener, observer: Observer, guards: Guards) -> bool:
    """Was the run's journal here, and is it reverted on this site now?"""
    if not Journal.is_here(guards.state, run):
        return False
    try:
        journal = Journal.reopen(guards.state, run, opener.clock)
    except StateError:
        return False
    try:
        own = replace(opener, run_id=run, asks=lambda _, __: True)  # it chose for itself
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
    run = lease.run.removesuffix(f"-{site.name}")
    waits = lease.owner.endswith(WAITS)
    what = "holds" if waits else "writes to"
    return LeaseHeld(
        f"{lease.owner} {what} {site.name}: run {lease.run}, until {lease.expires_at}",
        owner=lease.owner,
        run=lease.run,
        expires_at=lease.expires_at,
        where=site.name,
        next_step=f"`ivn-provision confirm {site.name}` keeps what it did, `resume {run} --revert` undoes it now"
        if waits
        else "wait for that run; if it broke off, its lease ends by itself at that time",
    )


def _armed(site: Site, revert: Revert) -> PersonNeeded:
    run = revert.run.removesuffix(f"-{site.name}")
    return PersonNeeded(
        f"the recorder of {site.name} goes back to before run {run} at {revert.due_at}",
        where=site.name,
        next_step=f"wait for that; or run `ivn-provision resume {run}` where it was made",
    )


def _elsewhere(site: Site, lease: Lease, run: str) -> PersonNeeded:
    return PersonNeeded(
        f"run {run} of {lease.owner} did not end on {site.name}, and its journal is not here",
        where=site.name,
        next_step=f"run `ivn-provision resume {run}` where it was made; or, if you know that what it left may "
        f"stay, give --override {TAKE_OVER}",
    )
