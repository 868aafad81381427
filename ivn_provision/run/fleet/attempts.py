"""One site's apply on a worker that may be killed at any time, and is asked again then.

Every attempt has a journal of its own in the worker's state folder. An attempt that broke off is ended as `resume` does
it: what was written stays and only the rest is made. So no write is made twice, however often a job is run again.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from ivn_provision.errors import LeaseHeld, PartlyApplied, PersonNeeded, StalePlan, StateError
from ivn_provision.plan.plan import SitePlan
from ivn_provision.run.engine import apply_sites
from ivn_provision.run.events import Observer
from ivn_provision.run.fleet.site_job import SiteJob, SiteResult, failed, plan_digest
from ivn_provision.run.guards import Guards
from ivn_provision.run.holding import WAITS, lease_seconds
from ivn_provision.run.journal import Journal, Record, read_run, standing_of
from ivn_provision.run.outcomes import SiteOutcome
from ivn_provision.run.resuming import as_the_run, resume_site
from ivn_provision.run.run_names import attempt_name
from ivn_provision.run.side_by_side import guarded
from ivn_provision.run.state import StateFolder
from ivn_provision.run.targets import Opener
from ivn_provision.spec.fleet import find_site
from ivn_provision.spec.site import Limits, Site

_LONGEST_PAUSE = 30.0
_NO_LIMITS = Limits(*[10**9] * 6)
"""Limits were judged over all sites of the run, where it was submitted."""
_DONE = frozenset({"applied", "pending", "unchanged"})
_NOT_BEGUN = "refused"


@dataclass(frozen=True, slots=True)
class Hands:
    """What a worker has of its own: the fleet's files, secrets (in `opener`), state, time.

    `opener` opens the targets of a site for the run of that name. `stopping`: no new wait is begun. `sleep` takes
    seconds.
    """

    fleet: Path
    state: StateFolder
    opener: Callable[[Site, str, SiteJob], Opener]
    guards: Callable[[Site, SiteJob], Guards]
    observer: Observer
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    stopping: Callable[[], bool] = lambda: False


def apply_job(job: SiteJob, hands: Hands) -> SiteResult:
    """Apply the site, or end what an earlier attempt left. Raises nothing: an error is a result."""
    return guarded(job.site, lambda: _apply(job, hands), lambda error: failed(job.site, error))


def attempts(state: StateFolder, job: SiteJob) -> tuple[str, ...]:
    """The runs of this state folder that were made for a job, in the order they were begun."""
    try:
        names = os.listdir(state.path / "runs")
    except FileNotFoundError:
        return ()
    return tuple(sorted(name for name in names if name.startswith(_prefix(job))))


def _prefix(job: SiteJob) -> str:
    return f"{job.run}-{hashlib.sha256(job.site.encode()).hexdigest()[:8]}-"


def _apply(job: SiteJob, hands: Hands) -> SiteResult:
    site = find_site(hands.fleet, job.site)
    for run in attempts(hands.state, job):
        if (ended := _end(run, site, job, hands)) is not None:
            return ended
    return _until_free(site, job, hands)


def _end(run: str, site: Site, job: SiteJob, hands: Hands) -> SiteResult | None:
    """What an earlier attempt came to, after ending it; None if it never wrote anything."""
    if not Journal.is_here(hands.state, run):
        return None
    _wait_for_its_process(run, site, job, hands)
    records = read_run(hands.state, run)
    standing = standing_of(records, site.name)
    if standing == _NOT_BEGUN:
        return None
    if standing in {*_DONE, "reverted"}:
        return _as_recorded(run, site, records)
    outcome = _resumed(run, site, job, hands)
    standing = standing_of(read_run(hands.state, run), site.name)
    if outcome.error is not None:
        return failed(site.name, outcome.error, run=run, standing=standing)
    if standing == _NOT_BEGUN:
        return None
    return _reverted(run, site) if outcome.reverted else SiteResult(site.name, standing, run=run)


def _resumed(run: str, site: Site, job: SiteJob, hands: Hands) -> SiteOutcome:
    journal = Journal.reopen(hands.state, run, hands.clock)
    try:
        guards = as_the_run(hands.guards(site, job), journal)
        opener = hands.opener(site, run, job)
        return guarded(
            site.name,
            lambda: resume_site(site, opener, hands.observer, guards, journal),
            lambda error: SiteOutcome(site.name, error=error, run=run),
        )
    finally:
        journal.close()


def _as_recorded(run: str, site: Site, records: tuple[Record, ...]) -> SiteResult:
    """The end of an attempt whose worker was killed before it could say so."""
    last = next(each for each in reversed(records) if each.site == site.name and each.event == "site_end")
    standing, error = str(last.data.get("standing")), str(last.data.get("error") or "")
    if standing == "reverted":
        return _reverted(run, site)
    if not error:
        return SiteResult(site.name, standing, run=run)
    step = f"look with `ivn-provision runbook {site.name}`"
    return failed(site.name, PersonNeeded(error, where=site.name, next_step=step), run=run, standing=standing)


def _reverted(run: str, site: Site) -> SiteResult:
    error = PartlyApplied(
        f"the attempt broke off; {site.name} was put back as it was before",
        where=site.name,
        next_step=f"see `ivn-provision history show {run}` on the worker; then apply again",
    )
    return failed(site.name, error, run=run, standing="reverted")


def _wait_for_its_process(run: str, site: Site, job: SiteJob, hands: Hands) -> None:
    """A job may be handed out again while a worker that lost its database still does it."""
    for pause in _pauses(_patience(site, job, hands, run), hands):
        if not Journal.is_open(hands.state, run):
            return
        hands.sleep(pause)
    if Journal.is_open(hands.state, run):
        raise StateError(
            f"run {run} is still going on",
            where=site.name,
            next_step="another process of this host applies the site: wait for it, or stop it",
        )


def _until_free(site: Site, job: SiteJob, hands: Hands) -> SiteResult:
    """A fresh attempt. While somebody else's lease holds the site it is tried again, until that lease must be over."""
    result = _attempt(site, job, hands)
    patience = _patience(site, job, hands, result.run) if result.standing == "held" else 0
    for pause in _pauses(patience, hands):
        if result.standing != "held":
            break
        hands.sleep(pause)
        result = _attempt(site, job, hands)
    return replace(result, standing=_NOT_BEGUN) if result.standing == "held" else result


def _attempt(site: Site, job: SiteJob, hands: Hands) -> SiteResult:
    run = attempt_name(_prefix(job), len(attempts(hands.state, job)), secrets.token_hex(2))

    def same(_: Site, plan: SitePlan) -> SitePlan:
        if plan_digest(site, plan) != job.plan:
            raise StalePlan(
                f"the plan for {site.name} is not the one of run {job.run} any more; nothing was written",
                where=site.path,
                next_step="the worker's files or the live systems differ from what was planned: apply anew",
            )
        return plan

    unlimited = replace(site, limits=_NO_LIMITS)
    opener = hands.opener(site, run, job)
    (outcome,) = apply_sites([unlimited], opener, hands.observer, attest=same, guards=hands.guards(site, job))
    if isinstance(outcome.error, LeaseHeld) and not outcome.error.owner.endswith(WAITS):
        return failed(site.name, outcome.error, run=run, standing="held")
    standing = standing_of(read_run(hands.state, run), site.name)
    if outcome.error is not None:
        return failed(site.name, outcome.error, run=run, standing=standing)
    return SiteResult(site.name, standing, run=run)


def _patience(site: Site, job: SiteJob, hands: Hands, run: str) -> float:
    """Seconds after which a lease of a run like this one is over, if nobody renews it."""
    return lease_seconds(hands.guards(site, job), hands.opener(site, run, job)) + _LONGEST_PAUSE


def _pauses(seconds: float, hands: Hands) -> Iterator[float]:
    """Longer and longer ones, until that time is over or the worker shall stop."""
    end, pause = hands.clock() + timedelta(seconds=seconds), 1.0
    while hands.clock() < end and not hands.stopping():
        yield pause
        pause = min(2 * pause, _LONGEST_PAUSE)
