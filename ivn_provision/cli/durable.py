"""`apply --runner durable`: plan here, judge the limits, hand the sites to workers, wait for what they say."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ivn_provision.cli.choosing import Choice, fleet_files, refs_of
from ivn_provision.cli.guarding import guards_of, seconds_of, state_folder, utc_now
from ivn_provision.cli.shared import echo, exit_code, opener, paint, show_errors
from ivn_provision.errors import UsageProblem

if TYPE_CHECKING:
    from ivn_provision.plan.plan import SitePlan
    from ivn_provision.run.fleet.database import Database
    from ivn_provision.run.fleet.durable import DurableRunner
    from ivn_provision.run.fleet.refs import SiteRef
    from ivn_provision.run.fleet.remote import RemoteWork
    from ivn_provision.run.fleet.site_job import ApplyOptions, SiteResult
    from ivn_provision.run.outcomes import SiteOutcome
    from ivn_provision.spec.site import Site

Command = TypeVar("Command", bound=Callable[..., Any])
DATABASE = "IVN_PROVISION_DATABASE"
_WAIT = "1h"


database_option = click.option(
    "--database",
    "database_url",
    metavar="URL",
    help=f"Of the durable runner: sqlite:///FILE or postgresql://USER@HOST/NAME; else {DATABASE}, else "
    "sqlite in .ivn.",
)


def runner_options(command: Command) -> Command:
    """`--runner`, and what belongs to the durable one, gathered under `guarding`."""
    for option in (
        click.option(
            "--runner",
            type=click.Choice(["threads", "inline", "durable"]),
            default="threads",
            show_default=True,
            help="Who writes: this process, many sites at a time or one by one; or workers (`ivn-provision worker`).",
        ),
        database_option,
        click.option(
            "--run",
            "run",
            metavar="RUN",
            help="With --runner durable: wait again for a run that was handed over.",
        ),
        click.option(
            "--wait", metavar="DURATION", help=f"With --runner durable: how long at most.  [default: {_WAIT}]"
        ),
    )[::-1]:
        command = option(command)
    return command


def database(given: str | None) -> Database:
    """The database that the command line or the environment names. Raises UsageProblem.

    Nothing else in the environment tells DBOS what to do, or whom to call.
    """
    from ivn_provision.run.fleet.database import database_of

    for name in [each for each in os.environ if each.startswith("DBOS_")]:
        del os.environ[name]
    url = given or os.environ.get(DATABASE, "")
    return database_of(url, state_folder(), on_command_line=given is not None)


@dataclass(frozen=True, slots=True)
class _Planned:
    """Sites that are to be written, with what a worker has to find; and what came of the others."""

    plans: tuple[SitePlan, ...]
    refs: tuple[SiteRef, ...]
    digests: Mapping[str, str]
    others: tuple[SiteOutcome, ...]


def apply_durable(
    choice: Choice, form: str, deadline: float, guarding: Mapping[str, Any], *, asks: bool, file_edits: bool
) -> int:
    """The exit code. Raises UsageProblem for options that no worker can follow."""
    from ivn_provision.cli.interrupts import interrupts
    from ivn_provision.run.fleet.durable import DurableRunner, Waiting

    options = dict(guarding)
    _check_run(options["run"])
    run, seconds = options.pop("run"), seconds_of(options.pop("wait") or _WAIT, "--wait")
    place = database(options.pop("database_url"))
    _refuse_testing(options)
    with interrupts() as stop:
        runner = DurableRunner(place, Waiting(seconds, utc_now, time.sleep, stop.stopping))
        if run is not None:
            return _show(run, tuple(_told(runner, run)), (), form)
        planned, work = _planned(choice, deadline, options, file_edits=file_edits)
        if asks and planned.refs:
            with stop.asking():
                agreed = _ask(planned.plans)
            if not agreed:
                echo("Nothing was handed over.")
                return exit_code(planned.others)
        return _handed_over(runner, work, planned, form)


def _check_run(run: str | None) -> None:
    from ivn_provision.run.fleet.site_job import RUN_ID

    if run is not None and not RUN_ID.fullmatch(run):
        raise UsageProblem(
            f"--run {run[:80]!r} is no name of a run that was handed over",
            next_step="Its name was printed when it was handed over, such as 20261129T120000Z-0123abcd.",
        )


def _refuse_testing(options: dict[str, Any]) -> None:
    verify, hardware = options.pop("verify"), options.pop("hardware")
    options.pop("hardware_wait")
    if verify or hardware != "skip":
        raise UsageProblem(
            "--verify and --hardware do not go with --runner durable",
            next_step="Run `ivn-provision verify` afterwards, from where the sites can be reached.",
        )


def _planned(
    choice: Choice, deadline: float, options: Mapping[str, Any], *, file_edits: bool
) -> tuple[_Planned, RemoteWork]:
    """Everything is read here before anything is handed over: a run's limits are judged over all its sites."""
    from ivn_provision.cli.shared import compare
    from ivn_provision.plan.limits import check_limits
    from ivn_provision.plan.select import select
    from ivn_provision.run.applying import judge
    from ivn_provision.run.fleet.remote import APPLY, RemoteWork
    from ivn_provision.run.fleet.site_job import plan_digest
    from ivn_provision.run.outcomes import SiteOutcome

    files = fleet_files(choice)
    heads = {ref.name: files.head(ref) or ref for ref in refs_of(choice, files)}
    compared = compare(choice, deadline, targets=options["targets"], excludes=options["excludes"], whole=True)
    sites: dict[str, Site] = {site.name: site for site in compared.sites}
    plans = [select(plan, options["targets"], options["excludes"]) for plan in compared.plans]
    guards = guards_of(compared.sites, command="apply", stopping=lambda: False, **options)
    check_limits(
        [(plan, sites[plan.site].limits) for plan in plans],
        fleet_size=guards.fleet_size,
        allowances=guards.allowances,
    )
    written = tuple(plan for plan in plans if plan.workable)
    quiet = [
        SiteOutcome(each.site, each, error=judge(each.site, each)) for each in plans if not each.workable
    ]
    others = (*(each for each in compared.outcomes if each.plan is None), *quiet)
    digests = {plan.site: plan_digest(sites[plan.site], plan) for plan in written}
    refs = tuple(heads[plan.site] for plan in written)
    run = opener(deadline, ()).run_id
    told = _worker_options(options, deadline, guards.confirm_within, file_edits=file_edits)
    work = RemoteWork(APPLY, run, digests, _nobody, told)
    return _Planned(written, refs, digests, others), work


def _worker_options(
    options: Mapping[str, Any], deadline: float, confirm_within: int, *, file_edits: bool
) -> ApplyOptions:
    from ivn_provision.run.fleet.site_job import ApplyOptions

    return ApplyOptions(
        deadline=deadline,
        confirm_within=confirm_within,
        hold=options["hold"],
        on_failure=options["on_failure"],
        override=tuple(options["override"]),
        targets=tuple(options["targets"]),
        excludes=tuple(options["excludes"]),
        file_edits=file_edits,
    )


def _nobody(job: object) -> SiteResult:
    raise AssertionError(f"{job} is for a worker")


def _ask(plans: Sequence[SitePlan]) -> bool:
    from ivn_provision.report.plan_text import render

    echo(render(tuple(plans), paint()))
    count = len(plans)
    question = f"\nHand {count} site{'' if count == 1 else 's'} to workers? Only 'yes' is accepted"
    try:
        answer = str(click.prompt(question, default="no")).strip()
    except click.Abort:
        raise KeyboardInterrupt from None
    return answer == "yes"


def _handed_over(runner: DurableRunner, work: RemoteWork, planned: _Planned, form: str) -> int:
    results: tuple[SiteResult, ...] = ()
    if planned.refs:
        runner.submit(work, planned.refs)
        click.echo(f"Run {work.run}: {len(planned.refs)} site(s) handed over.", err=True)
        results = tuple(_told(runner, work.run))
    return _show(work.run, results, planned.others, form)


def _told(runner: DurableRunner, run: str) -> Sequence[SiteResult]:
    """Each as it comes, to standard error."""
    from ivn_provision.report.paint import safe

    found = []
    for result in runner.results(run):
        by = f" ({result.worker})" if result.worker else ""
        echo(safe(f"{result.site}: {result.standing}{by}"), err=True)
        found.append(result)
    return sorted(found, key=lambda each: each.site)


def _show(run: str, results: Sequence[SiteResult], others: Sequence[SiteOutcome], form: str) -> int:
    if form == "json":
        from ivn_provision.report.errors_text import error_json

        document = {
            "run": run,
            "sites": [result.to_json() for result in results],
            "unchanged": [each.site for each in others if each.error is None],
            "errors": [error_json(each.error, each.site) for each in others if each.error is not None],
        }
        echo(json.dumps(document, indent=2))
    else:
        _lines(results, others)
    show_errors([*results, *others])
    return exit_code([*results, *others])


def _lines(results: Sequence[SiteResult], others: Sequence[SiteOutcome]) -> None:
    from ivn_provision.report.paint import safe

    for result in results:
        proven = ": read again and as declared" if result.standing == "applied" and not result.code else ""
        where = f"  (run {result.run} on {result.worker})" if result.worker else ""
        echo(safe(f"{result.site}: {result.standing}{proven}{where}"))
    for each in others:
        if each.error is None:
            echo(f"{each.site}: no changes")
