"""`ivn-provision confirm`: what a run left pending stays."""

from __future__ import annotations

import click

from ivn_provision.cli.choosing import Choice, choose_sites, load_named
from ivn_provision.cli.shared import (
    deadline_option,
    echo,
    exit_code,
    opener,
    show_errors,
)


@click.command("confirm")
@choose_sites
@deadline_option
def command(*, choice: Choice, deadline: float) -> None:
    """Keep what a run with --hold left pending on SITEs: disarm the recorder's revert, give the leases back.

    Refused where the recorder has put the earlier state back already.
    """
    from ivn_provision.cli.guarding import guards_of
    from ivn_provision.cli.progress import progress
    from ivn_provision.run.confirming import confirm_sites

    sites = load_named(choice)
    with progress(len(sites)) as observer:
        guards = guards_of(sites, command="confirm", stopping=lambda: False)
        outcomes = confirm_sites(sites, opener(deadline, sites), observer, guards)
    for each in outcomes:
        if each.error is None:
            echo(f"{each.site}: confirmed. Run {each.run} stays as it is.")
    show_errors(outcomes)
    raise SystemExit(exit_code(outcomes))
