"""`ivn-provision plan`."""

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
    write_text,
)


@click.command("plan")
@site_options
@click.option("--out", "-o", type=click.Path(path_type=Path), help="Also write the plan as JSON to a file.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 if there are differences.")
def command(
    *,
    names: tuple[str, ...],
    folder: Path,
    form: str,
    deadline: float,
    out: Path | None,
    detailed_exitcode: bool,
) -> None:
    """Show what apply would change on the live systems of SITEs (default: all)."""
    from ivn_provision.cli.progress import progress
    from ivn_provision.plan.plan_json import to_json
    from ivn_provision.report.plan_text import render
    from ivn_provision.run.engine import plan_sites

    sites = load_sites(folder, names)
    with progress(len(sites)) as observer:
        outcomes = plan_sites(sites, opener(deadline), observer)
    plans = tuple(each.plan for each in outcomes if each.plan is not None)
    document = to_json(plans, timestamp=now(), errors=errors_by_site(outcomes))
    if out is not None:
        write_text(out, json.dumps(document, indent=2) + "\n")
    if form == "json":
        echo(json.dumps(document, indent=2))
    elif plans:
        echo(render(plans, paint()))
    show_errors(outcomes)
    code = exit_code(outcomes)
    differs = any(not plan.is_empty for plan in plans)
    raise SystemExit(code or (2 if detailed_exitcode and differs else 0))
