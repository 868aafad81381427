"""`ivn-provision status`: who holds a site, what is pending there, and which runs did not end."""

from __future__ import annotations

import json

import click

from ivn_provision.cli.choosing import Choice, choose_sites, fleet_files, refs_of
from ivn_provision.cli.shared import (
    deadline_option,
    echo,
    exit_code,
    opener,
    paint,
    show_errors,
)


@click.command("status")
@choose_sites
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
@deadline_option
def command(*, choice: Choice, form: str, deadline: float) -> None:
    """Show leases, armed reverts, the alarm state and unfinished runs of SITEs (default: all). Cannot write.

    Exit 0: nothing is pending. 2: something is. 1: a site could not be read.
    """
    from ivn_provision.cli.guarding import state_folder
    from ivn_provision.cli.progress import progress
    from ivn_provision.report.status_text import render_status, status_json
    from ivn_provision.run.fleet.planning import plan_fleet
    from ivn_provision.run.fleet.runners import Threads
    from ivn_provision.run.standing import standings_of

    files = fleet_files(choice)
    refs = refs_of(choice, files)
    opened = opener(deadline, refs, listed=True)
    opened.limits = choice.limits
    opened.asks = lambda _, __: False  # cameras know of no lease
    runner = Threads(limits=opened.limits, network=files.network)
    with progress(len(refs)) as observer:
        outcomes = plan_fleet(files, refs, opened, observer, runner=runner)
    plans = [each.plan for each in outcomes if each.plan is not None]
    found = standings_of(plans, state_folder())
    if form == "json":
        echo(json.dumps([status_json(each) for each in found], indent=2))
    else:
        for each in found:
            echo(render_status(each, paint()))
    show_errors(outcomes)
    raise SystemExit(exit_code(outcomes) or (2 if any(each.is_pending for each in found) else 0))
