"""`ivn-provision apply`."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ivn_provision.cli.choosing import Choice, load_sites
from ivn_provision.cli.durable import runner_options
from ivn_provision.cli.guarding import guard_options, select_options
from ivn_provision.cli.hardware import hardware_options
from ivn_provision.cli.shared import (
    columns,
    echo,
    errors_by_site,
    exit_code,
    now,
    opener,
    paint,
    show_errors,
    site_options,
)
from ivn_provision.cli.streaming import JSON_LINES, or_closed, streamed
from ivn_provision.errors import PlanError, UsageProblem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ivn_provision.plan.plan import SitePlan
    from ivn_provision.report.event_stream import EventStream
    from ivn_provision.run.engine import Attest, SiteOutcome
    from ivn_provision.run.saved_plan import SavedPlan
    from ivn_provision.run.targets import Opener
    from ivn_provision.spec.site import Site


@click.command("apply")
@site_options(JSON_LINES)
@click.option("--auto-approve", is_flag=True, help="Do not ask before writing.")
@click.option(
    "--attest",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Take what a person attests: a form of `runbook SITE --form FILE`, filled in.",
)
@click.option(
    "--unsupported-file-edit",
    "file_edits",
    is_flag=True,
    help="Edit files of a real recorder, which the vendor does not document.",
)
@click.option(
    "--verify",
    is_flag=True,
    help="Fire every pin after the proof, as `verify` does; if an alarm does not arrive, put the site back.",
)
@hardware_options
@guard_options
@select_options
@runner_options
def command(
    *,
    choice: Choice,
    form: str,
    deadline: float,
    auto_approve: bool,
    attest: Path | None,
    file_edits: bool,
    runner: str,
    **guarding: Any,
) -> None:
    """Make the live systems of SITEs (default: all) as declared, and prove it by reading them again.

    Instead of SITEs, name one file of `plan -o FILE`: exactly that plan is applied, once, if nothing has
    changed since.

    Exit 0: proven. 4: a person is needed. 3: it failed half-way and was put back, or stopped. 1: error.
    """
    if runner == "durable":
        raise SystemExit(
            _by_workers(
                choice, form, deadline, guarding, asks=not auto_approve, attest=attest, edits=file_edits
            )
        )
    from ivn_provision.cli.attest import ask_all, read_form

    _refuse(guarding, ("database_url", "run", "wait"))
    saved = saved_plan(choice.names)
    if saved is not None:
        names, guarding = _as_saved(saved, guarding)
        choice = Choice(choice.folder, names)
    sites = load_sites(choice)
    asks = not auto_approve
    _check_somebody(form, asks=asks)
    with streamed(form, "apply") as stream:
        opened = opener(deadline, sites)
        opened.limits = choice.limits
        opened.file_edits = file_edits
        recorder = read_form(attest, sites, opened) if attest is not None else None
        outcomes = run_apply(
            sites,
            opened,
            guarding,
            saved=saved,
            asks=asks,
            inline=runner == "inline",
            attest=recorder,
            stream=stream,
        )
        if stream is None:
            show_apply(outcomes, form, shown=asks)
        if asks:
            outcomes = ask_all(outcomes, sites, opened)
        if stream is None:
            show_errors(outcomes)
        raise SystemExit(exit_code(outcomes))


def run_apply(
    sites: Sequence[Site],
    opened: Opener,
    guarding: Mapping[str, Any],
    *,
    asks: bool,
    inline: bool = False,
    command: str = "apply",
    saved: SavedPlan | None = None,
    attest: Attest | None = None,
    stream: EventStream | None = None,
) -> tuple[SiteOutcome, ...]:
    """Apply under the guards of the command line; Ctrl-C ends it well. `inline`: one site is written after the other.
    `stream` gets the events."""
    from ivn_provision.cli.guarding import guards_of
    from ivn_provision.cli.interrupts import interrupts
    from ivn_provision.cli.progress import progress
    from ivn_provision.cli.verify import accept_of
    from ivn_provision.run.engine import apply_sites

    options = dict(guarding)
    no_test = {"verify": False, "hardware": "skip", "hardware_wait": "2m"}
    testing: dict[str, Any] = {name: options.pop(name, value) for name, value in no_test.items()}
    with interrupts() as stop:

        def ask(plan: SitePlan) -> bool:
            with stop.asking():
                return _ask(plan)

        live = not asks and testing["hardware"] == "skip"
        stopping = or_closed(stop.stopping, stream)
        if stream is not None:
            stream.begin(len(sites), opened.run_id)
        with progress(len(sites), live=live, stream=stream) as observer:
            accept = accept_of(opened, observer, stopping, **testing)
            guards = guards_of(
                sites, command=command, stopping=stopping, saved=saved, accept=accept, **options
            )
            confirm = ask if asks else (lambda _: True) if inline else None
            return apply_sites(sites, opened, observer, confirm, attest, guards=guards)


def _check_somebody(form: str, *, asks: bool) -> None:
    if asks and (form != "text" or not sys.stdin.isatty()):
        raise UsageProblem(
            "apply asks before it writes, and there is nobody to ask here",
            next_step="Look at `plan` first, then give --auto-approve.",
        )


def _refuse(guarding: dict[str, Any], names: Sequence[str]) -> None:
    """Options of the durable runner have no meaning for another."""
    if any(guarding.pop(name) is not None for name in names):
        raise UsageProblem("--database, --run and --wait go with --runner durable", next_step="Add that.")


def _by_workers(
    choice: Choice,
    form: str,
    deadline: float,
    guarding: Mapping[str, Any],
    *,
    asks: bool,
    attest: Path | None,
    edits: bool,
) -> int:
    from ivn_provision.cli.durable import apply_durable

    if form == JSON_LINES:
        raise UsageProblem("--format jsonl does not go with --runner durable", next_step="Use --format json.")
    if attest is not None or any(os.path.isfile(name) for name in choice.names):
        raise UsageProblem(
            "neither a plan file nor --attest goes with --runner durable", next_step="Name the sites."
        )
    _check_somebody(form, asks=asks and guarding["run"] is None)
    return apply_durable(choice, form, deadline, guarding, asks=asks, file_edits=edits)


def saved_plan(names: Sequence[str]) -> SavedPlan | None:
    """The plan file that is named in the place of sites, if one is. Raises StalePlan."""
    files = [name for name in names if os.path.isfile(name)]
    if not files:
        return None
    if len(names) != 1:
        raise UsageProblem("a plan file is applied alone", next_step=f"Run `ivn-provision apply {files[0]}`.")
    from ivn_provision.cli.guarding import state_folder
    from ivn_provision.cli.show import read_plan
    from ivn_provision.run.saved_plan import load_plan

    path = Path(files[0])
    try:
        return load_plan(state_folder(), read_plan(path), now=datetime.now(UTC))
    except PlanError as error:
        error.where = error.where or str(path)
        raise


def _as_saved(saved: SavedPlan, guarding: Mapping[str, Any]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """A saved plan says which sites and addresses; the command line may not say otherwise."""
    if guarding["targets"] or guarding["excludes"]:
        raise UsageProblem(
            "--target and --exclude belong to the plan, not to its apply",
            next_step="Make another plan with `plan -o FILE --target GLOB`.",
        )
    chosen = {"targets": saved.targets, "excludes": saved.excludes}
    return tuple(plan.site for plan in saved.plans), {**guarding, **chosen}


def show_apply(outcomes: Sequence[SiteOutcome], form: str, *, shown: bool) -> None:
    """The report of an apply; of a fleet with the table that counts its sites."""
    from ivn_provision.report.fleet_text import is_fleet, render_table

    if form == "json":
        echo(json.dumps(apply_document(outcomes), indent=2))
    else:
        _show(outcomes, shown=shown)
        if is_fleet(outcomes):
            echo(render_table(outcomes, paint(), columns()))


def _ask(plan: SitePlan) -> bool:
    from ivn_provision.report.plan_text import render

    echo(render((plan,), paint()))
    question = f"\nApply these changes to {plan.site}? Only 'yes' is accepted"
    try:
        answer: str = click.prompt(question, default="no")
    except click.Abort:
        raise KeyboardInterrupt from None  # ends the whole run, not just this site
    return answer.strip() == "yes"


def _show(outcomes: Sequence[SiteOutcome], *, shown: bool) -> None:
    from ivn_provision.report.apply_text import render_outcome
    from ivn_provision.report.plan_text import render

    for outcome in outcomes:
        if outcome.plan is not None and (not shown or outcome.plan.is_empty or not outcome.plan.workable):
            echo(render((outcome.plan,), paint()))
        if text := render_outcome(outcome, paint()):
            echo(text)


def apply_document(outcomes: Sequence[SiteOutcome]) -> dict[str, object]:
    """The report of an apply for programs."""
    from ivn_provision.plan.plan_json import to_json
    from ivn_provision.report.acceptance_json import acceptance_json
    from ivn_provision.report.errors_text import error_json

    stamp = now()
    plans = tuple(each.plan for each in outcomes if each.plan is not None)
    proofs = tuple(each.proof for each in outcomes if each.proof is not None)
    return {
        "plan": to_json(plans, timestamp=stamp, errors=errors_by_site(outcomes)),
        "outcomes": [
            {"address": str(one.address), "status": one.status, "detail": one.detail}
            for each in outcomes
            for one in each.outcomes
        ],
        "proof": to_json(proofs, timestamp=stamp),
        "acceptances": [acceptance_json(each.acceptance) for each in outcomes if each.acceptance is not None],
        "runs": {each.site: each.run for each in outcomes if each.run},
        "pending": {each.site: each.pending_until for each in outcomes if each.pending_until},
        "errors": [error_json(each.error, each.site) for each in outcomes if each.error is not None],
    }
