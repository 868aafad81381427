"""Where a rollback leads: a run, a snapshot or a git revision -> what the site shall be, and what stays lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ivn_provision.errors import StateError
from ivn_provision.model.desired import Desired, desired_of
from ivn_provision.model.resource import Address
from ivn_provision.model.site_targets import targets_of
from ivn_provision.plan.plan import SitePlan
from ivn_provision.run.adopted import adopted_since
from ivn_provision.run.events import Observer
from ivn_provision.run.git_revision import site_at
from ivn_provision.run.journal import runs_of
from ivn_provision.run.past import PastSite, past_of
from ivn_provision.run.restoring import Lost, desired_of_snapshot, lost_fields, lost_of_plan, not_to_be_made
from ivn_provision.run.site_plans import read_plan
from ivn_provision.run.snapshots import Snapshot, load
from ivn_provision.run.state import StateFolder
from ivn_provision.run.targets import Opener
from ivn_provision.spec.site import Site

LAST = "last"
_WROTE_NOTHING = frozenset({"refused", "unchanged"})
_WRITES = frozenset({"intent", "reverting"})


@dataclass(frozen=True, slots=True)
class Goal:
    """An earlier state. `words` say which, for people, and `asked` on the command line; `run` and `revision` are "" where they say nothing.

    `older` is the site as its file said at a git revision. `adopted`: what is in the snapshot only as
    far as later runs changed it. `notes` are warnings.
    """

    words: str
    asked: str
    run: str = ""
    snapshot: Snapshot | None = None
    revision: str = ""
    older: Site | None = None
    adopted: frozenset[Address] = frozenset()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WayTo:
    """The plan of a fresh reading to a goal, what it cannot reach, and what it is made from.

    `site` is how the site is reached on the way: as its file says now, but users log in with the passwords of then.
    """

    plan: SitePlan
    lost: tuple[Lost, ...]
    desired: Callable[[Site], Desired]
    site: Site


def goal_of_run(state: StateFolder, site: str, text: str) -> Goal:
    """The state that RUN left, or with `RUN^` the one before it; `last` is the newest run that wrote here.

    Raises StateError where the run is not known, did nothing there, or nobody knows what it left.
    """
    before, name = text.endswith("^"), text.removesuffix("^")
    past = past_of(state, _last_run(state, site) if name == LAST else name)
    here = next((each for each in past.sites if each.site == site), None)
    if here is None or not here.before:
        raise StateError(
            f"run {past.run} changed nothing on {site}",
            where=past.run,
            next_step=f"choose another run: see `ivn-provision history {site}`",
        )
    if before:
        words = f"the state before run {past.run}", f"--to {past.run}^"
        return _goal(state, words, past.run, here.before)
    if not _is_known(here):
        raise StateError(
            f"nobody knows what run {past.run} left on {site}: it ended {here.standing}, without a proof after "
            "its last write",
            where=past.run,
            next_step=f"go to the state before it with --to {past.run}^, or end it with `resume {past.run}`",
        )
    words = f"the state that run {past.run} left", f"--to {past.run}"
    return _goal(state, words, past.run, here.after)


def _goal(state: StateFolder, words: tuple[str, str], run: str, snapshot: str) -> Goal:
    """A snapshot that was taken by or after `run`, with what later runs took over."""
    held = load(state, snapshot)
    adopted = adopted_since(state, held, run)
    whole = replace(held, resources={**held.resources, **adopted.found})
    notes = tuple(
        f"what run {each} took over is not known: its journal cannot be read" for each in adopted.unread
    )
    return Goal(*words, run=run, snapshot=whole, adopted=frozenset(adopted.found), notes=notes)


def _is_known(here: PastSite) -> bool:
    """Was the site read after the run's last write?"""
    shots = [each.number for each in here.events if each.event in {"proof", "reverted"}]
    writes = [each.number for each in here.events if each.event in _WRITES]
    return bool(here.after and shots) and shots[-1] > max(writes, default=0)


def _last_run(state: StateFolder, site: str) -> str:
    for each in runs_of(state):
        if each.error:
            raise StateError(
                f"it is not known which run was the last on {site}: {each.error}",
                where=each.run,
                next_step="name the run",
            )
        if each.sites.get(site, "refused") not in _WROTE_NOTHING:
            return each.run
    raise StateError(
        f"no run that wrote to {site} is known in {state.path}",
        where=str(state.path / "runs"),
        next_step="runs are kept where they were made; --to-rev GITREV needs none",
    )


def goal_of_snapshot(state: StateFolder, name: str) -> Goal:
    """Raises StateError."""
    snapshot = load(state, name)
    words = f"snapshot {name} of {snapshot.at}", f"--to-snapshot {name}"
    goal = _goal(state, words, snapshot.run, name)
    return replace(goal, run="")


def goal_of_revision(folder: Path, site: str, revision: str) -> Goal:
    """What the site's file said at a git revision. Raises PlanError, SpecError."""
    older, commit = site_at(folder, site, revision)
    words = f"the site file at {revision} ({commit[:12]})"
    return Goal(words, f"--to-rev {commit}", revision=commit, older=older)


def way_to(goal: Goal, site: Site, opener: Opener, observer: Observer, state: StateFolder) -> WayTo:
    """Read the site with drivers that cannot write, and compare. Raises IvnError."""
    if goal.older is not None:
        return _way_to_older(goal.older, site, opener, observer)
    assert goal.snapshot is not None
    snapshot, left_out = goal.snapshot, frozenset[Address]()

    def desired(site: Site) -> Desired:
        return desired_of_snapshot(site, snapshot, leave_out=left_out)

    plan = read_plan(site, opener, observer, desired)
    lost = lost_fields(state, site, snapshot, plan)
    left_out = not_to_be_made(plan, lost, goal.adopted)
    kept = tuple(each for each in plan.changes if each.address not in left_out)
    return WayTo(replace(plan, changes=kept), lost, desired, site)


def _way_to_older(older: Site, site: Site, opener: Opener, observer: Observer) -> WayTo:
    """Targets are reached as the present site file says; what it does not name cannot be put back."""
    wanted = desired_of(older)

    def desired(_: Site) -> Desired:
        return wanted

    reached = _with_users(site, older)
    plan = read_plan(reached, opener, observer, desired)
    known = targets_of(site)
    gone = [
        Lost(each, "", f"the site file says nothing of its {each.target} any more")
        for each in wanted.resources
        if each.target not in known
    ]
    return WayTo(plan, (*gone, *lost_of_plan(plan)), desired, reached)


def _with_users(site: Site, older: Site) -> Site:
    """A login is to show whether a recorder's user has the earlier password, not the present one."""
    if site.nvr is None or older.nvr is None:
        return site
    return replace(site, nvr=replace(site.nvr, users=older.nvr.users))
