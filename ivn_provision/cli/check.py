"""`ivn-provision check`: look at everything that can be seen of a site without firing an alarm."""

from __future__ import annotations

import json

import click

from ivn_provision.cli.choosing import Choice, choose_sites, fleet_files, refs_of
from ivn_provision.cli.shared import (
    deadline_option,
    echo,
    exit_code,
    now,
    opener,
    paint,
    show_errors,
)


@click.command("check")
@choose_sites
@click.option("--format", "form", type=click.Choice(["text", "json", "junit"]), default="text")
@deadline_option
def command(*, choice: Choice, form: str, deadline: float) -> None:
    """Check SITEs (default: all): clocks, ports, mail way, logins, pictures, settings. Cannot write.

    What cannot be seen from here is inconclusive, which is never counted as passed.

    Exit 0: nothing failed. 2: a check failed. 1: a recorder or portal did not answer.
    """
    from ivn_provision.cli.progress import progress
    from ivn_provision.report.checks_json import checks_json
    from ivn_provision.report.checks_text import render_checks
    from ivn_provision.report.junit import junit
    from ivn_provision.run.fleet.checking import check_fleet
    from ivn_provision.run.fleet.runners import Threads
    from ivn_provision.verify.result import State

    files = fleet_files(choice)
    refs = refs_of(choice, files)
    with progress(len(refs)) as observer:
        checked = check_fleet(
            files, refs, opener(deadline, refs), observer, runner=Threads(network=files.network)
        )
    good = [each for each in checked if each.results]
    if form == "json":
        echo(json.dumps({"checks": [one for each in good for one in checks_json(each.results)]}, indent=2))
    elif form == "junit":
        echo(junit([(each.site, each.results) for each in good], timestamp=now()))
    else:
        echo("\n\n".join(render_checks(each.site, each.results, paint()) for each in good))
    show_errors(checked)
    failed = any(one.state is State.FAIL for each in good for one in each.results)
    raise SystemExit(exit_code(checked) or (2 if failed else 0))
