"""`ivn-provision drift`: a plan whose drivers cannot write."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ivn_provision.cli.shared import (
    echo,
    errors_by_site,
    exit_code,
    load_sites,
    now,
    opener,
    paint,
    show_errors,
    site_options,
)


@click.command("drift")
@site_options
def command(*, names: tuple[str, ...], folder: Path, form: str, deadline: float) -> None:
    """Find where SITEs (default: all) differ from what is declared. Cannot write.

    Exit 0: as declared. 2: drift. 1: a site could not be read.
    """
    from ivn_provision.cli.progress import progress
    from ivn_provision.plan.plan_json import to_json
    from ivn_provision.report.plan_text import render
    from ivn_provision.run.engine import plan_sites

    sites = load_sites(folder, names)
    with progress(len(sites)) as observer:
        outcomes = plan_sites(sites, opener(deadline), observer)
    plans = tuple(each.plan for each in outcomes if each.plan is not None)
    if form == "json":
        echo(json.dumps(to_json(plans, timestamp=now(), errors=errors_by_site(outcomes)), indent=2))
    elif plans:
        echo(render(plans, paint(), drift=True))
    show_errors(outcomes)
    drifted = any(not plan.is_empty for plan in plans)
    raise SystemExit(exit_code(outcomes) or (2 if drifted else 0))
