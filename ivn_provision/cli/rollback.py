"""`ivn-provision rollback`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ivn_provision.cli.choosing import Choice, fleet_option, load_sites
from ivn_provision.cli.guarding import guard_options, select_options
from ivn_provision.cli.shared import (
    deadline_option,
    echo,
    exit_code,
    now,
    opener,
    paint,
    show_errors,
)
from ivn_provision.errors import UsageProblem

if TYPE_CHECKING:
    from ivn_provision.plan.plan import SitePlan
    from ivn_provision.run.outcomes import SiteOutcome
    from ivn_provision.run.restoring import Lost
    from ivn_provision.run.rollback import Goal, WayTo
    from ivn_provision.run.targets import Opener
    from ivn_provision.spec.site import Site

_PERSON = 4


@click.command("rollback")
@click.argument("name", metavar="SITE")
@click.option(
    "--to",
    "run",
    metavar="RUN",
    help="The state that RUN left; RUN^ for the one before it, `last` for the newest run that wrote to SITE.",
)
@click.option("--to-snapshot", "snapshot", metavar="ID", help="The state that a snapshot holds.")
@click.option("--to-rev", "revision", metavar="GITREV", help="What the site's file said at a git revision.")
@click.option("--dry-run", is_flag=True, help="Show the way back, and write nothing.")
@click.option("--auto-approve", is_flag=True, help="Do not ask before writing.")
@fleet_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
@deadline_option
@click.option("--unsupported-file-edit", "file_edits", is_flag=True, help="As for apply.")
@guard_options
@select_options
def command(
    *,
    name: str,
    run: str | None,
    snapshot: str | None,
    revision: str | None,
    dry_run: bool,
    auto_approve: bool,
    folder: Path,
    form: str,
    deadline: float,
    file_edits: bool,
    **guarding: Any,
) -> None:
    """Plan the way of SITE back to an earlier state, show it, and make it as `apply` does.

    First it says what the tool cannot put back. Runs and snapshots are known in the folder where they were
    made, see `history SITE`. Objects that are not ours stay as they are.

    Exit 0: the state is back, proven. 4: a person is needed for the rest. 3: it failed half-way and was put back,
    or stopped. 1: error.
    """
    from ivn_provision.cli.apply import run_apply, show_apply

    _check(run, snapshot, revision)
    asks = not auto_approve and not dry_run
    if asks and (form == "json" or not sys.stdin.isatty()):
        raise UsageProblem(
            "rollback asks before it writes, and there is nobody to ask here",
            next_step="Look at it with --dry-run first, then give --auto-approve.",
        )
    (site,) = load_sites(Choice(folder, (name,)))
    opened = opener(deadline, [site])
    goal = _goal(site, folder, run, snapshot, revision)
    way = _way(goal, site, opened, guarding)
    _say(goal, way, site, form, plan_too=not asks)
    if dry_run:
        if form == "json":
            echo(json.dumps(_document(goal, way, None), indent=2))
        raise SystemExit(_PERSON if _for_a_person(way.lost) else 0)
    opened.desired, opened.file_edits = way.desired, file_edits
    outcomes = run_apply([way.site], opened, guarding, asks=asks, command=f"rollback {goal.asked}")
    if form == "json":
        echo(json.dumps(_document(goal, way, outcomes), indent=2))
    else:
        show_apply(outcomes, form, shown=True)
        _say_end(goal, way, outcomes)
    show_errors(outcomes)
    written = all(each.error is None and not each.declined for each in outcomes)
    raise SystemExit(exit_code(outcomes) or (_PERSON if written and _for_a_person(way.lost) else 0))


def _check(run: str | None, snapshot: str | None, revision: str | None) -> None:
    if sum(each is not None for each in (run, snapshot, revision)) != 1:
        raise UsageProblem(
            "rollback needs one of --to, --to-snapshot and --to-rev",
            next_step="`--to last^` undoes the last run on the site; `history SITE` shows all of them.",
        )


def _goal(site: Site, folder: Path, run: str | None, snapshot: str | None, revision: str | None) -> Goal:
    from ivn_provision.cli.guarding import state_folder
    from ivn_provision.run.rollback import goal_of_revision, goal_of_run, goal_of_snapshot

    if revision is not None:
        return goal_of_revision(folder, site.name, revision)
    if snapshot is not None:
        return goal_of_snapshot(state_folder(), snapshot)
    assert run is not None
    return goal_of_run(state_folder(), site.name, run)


def _way(goal: Goal, site: Site, opened: Opener, guarding: dict[str, Any]) -> WayTo:
    """The way, of what the globs choose."""
    from dataclasses import replace

    from ivn_provision.cli.guarding import state_folder
    from ivn_provision.cli.progress import progress
    from ivn_provision.plan.select import select, unmatched
    from ivn_provision.run.rollback import way_to

    with progress(1) as observer:
        way = way_to(goal, site, opened, observer, state_folder())
    targets, excludes = guarding["targets"], guarding["excludes"]
    if missing := unmatched([way.plan], (*targets, *excludes)):
        raise missing
    return replace(way, plan=select(way.plan, targets, excludes))


def _say(goal: Goal, way: WayTo, site: Site, form: str, *, plan_too: bool) -> None:
    """What it is going to, what stays lost, and the plan if nobody is shown it later. JSON: losses on stderr."""
    from ivn_provision.report.plan_text import render
    from ivn_provision.report.rollback_text import render_lost

    for note in goal.notes:
        echo(f"warning: {note}", err=True)
    lost = render_lost(way.lost, paint(err=form == "json"))
    if form == "json":
        if lost:
            echo(lost, err=True)
        return
    echo(f"Rolling {site.name} back to {goal.words}.")
    if lost:
        echo(lost)
    if plan_too and way.plan.workable:
        echo(render((way.plan,), paint()))


def _say_end(goal: Goal, way: WayTo, outcomes: Sequence[SiteOutcome]) -> None:
    from ivn_provision.report.rollback_text import render_end

    for outcome in outcomes:
        if outcome.error is None and not outcome.declined and outcome.proof is not None:
            echo(render_end(outcome.site, goal.words, way.lost))


def _for_a_person(lost: Sequence[Lost]) -> bool:
    return any(each.is_for_a_person for each in lost)


def _document(goal: Goal, way: WayTo, outcomes: Sequence[SiteOutcome] | None) -> dict[str, object]:
    """What `apply` gives, or with None what `plan` gives, and where it leads."""
    from ivn_provision.cli.apply import apply_document

    to = {
        "words": goal.words,
        "run": goal.run,
        "snapshot": goal.snapshot.id if goal.snapshot else "",
        "revision": goal.revision,
    }
    lost = [{"address": str(each.address), "field": each.name, "reason": each.reason} for each in way.lost]
    head = {"rollback": {"to": to, "lost": lost}}
    return {**head, **(_plan_document(way.plan) if outcomes is None else apply_document(outcomes))}


def _plan_document(plan: SitePlan) -> dict[str, object]:
    from ivn_provision.plan.plan_json import to_json

    return {"plan": to_json((plan,), timestamp=now())}
