"""`ivn-provision check`: look at everything that can be seen of a site without firing an alarm."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ivn_provision.cli.choosing import Choice, choose_sites, fleet_files, refs_of
from ivn_provision.cli.shared import (
    columns,
    deadline_option,
    echo,
    exit_code,
    format_option,
    now,
    opener,
    paint,
    show_errors,
)
from ivn_provision.cli.streaming import JSON_LINES, streamed
from ivn_provision.verify.result import State, worst

if TYPE_CHECKING:
    from ivn_provision.report.event_stream import EventStream
    from ivn_provision.run.checking import Checked


@click.command("check")
@choose_sites
@format_option("text", "json", "junit", JSON_LINES)
@deadline_option
def command(*, choice: Choice, form: str, deadline: float) -> None:
    """Check SITEs (default: all): clocks, ports, mail way, logins, pictures, settings. Cannot write.

    What cannot be seen from here is inconclusive, which is never counted as passed.

    Exit 0: nothing failed. 2: a check failed. 1: a recorder or portal did not answer.
    """
    with streamed(form, "check") as stream:
        checked = _checked(choice, deadline, stream)
        if stream is None:
            _show(checked, form)
        failed = any(one.state is State.FAIL for each in checked for one in each.results)
        raise SystemExit(exit_code(checked) or (2 if failed else 0))


def _checked(choice: Choice, deadline: float, stream: EventStream | None) -> tuple[Checked, ...]:
    from ivn_provision.cli.progress import progress
    from ivn_provision.run.fleet.checking import check_fleet
    from ivn_provision.run.fleet.runners import Threads

    files = fleet_files(choice)
    refs = refs_of(choice, files)
    opened = opener(deadline, refs)
    opened.limits = choice.limits
    if stream is not None:
        stream.begin(len(refs), opened.run_id)
    with progress(len(refs), stream=stream) as observer:
        runner = Threads(limits=opened.limits, network=files.network)
        return check_fleet(files, refs, opened, observer, runner=runner)


def _show(checked: Sequence[Checked], form: str) -> None:
    from ivn_provision.report.checks_json import checks_json
    from ivn_provision.report.checks_text import render_checks
    from ivn_provision.report.fleet_text import is_fleet, render_table
    from ivn_provision.report.junit import junit

    good = [each for each in checked if each.results]
    if form == "json":
        echo(json.dumps({"checks": [one for each in good for one in checks_json(each.results)]}, indent=2))
    elif form == "junit":
        echo(junit([(each.site, each.results) for each in good], timestamp=now()))
    elif is_fleet(checked):
        shown = [each for each in good if worst(each.results) is not State.PASS]
        parts = [render_checks(each.site, each.results, paint()) for each in shown]
        echo("\n\n".join([*parts, render_table(checked, paint(), columns())]))
    else:
        echo("\n\n".join(render_checks(each.site, each.results, paint()) for each in good))
    show_errors(checked)
