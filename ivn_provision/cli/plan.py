"""`ivn-provision plan`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ivn_provision.cli.shared import compare, exit_code, report, site_options, write_text


@click.command("plan")
@site_options
@click.option("--out", "-o", type=click.Path(path_type=Path), help="Also write the plan as JSON to a file.")
@click.option(
    "--detailed-exitcode", is_flag=True, help="Exit 2 if there are differences, or fields to confirm."
)
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
    compared = compare(names, folder, deadline)
    if out is not None:
        write_text(out, json.dumps(compared.document, indent=2) + "\n")
    report(compared, form, drift=False)
    found = detailed_exitcode and (compared.differs or compared.is_open)
    raise SystemExit(exit_code(compared.outcomes) or (2 if found else 0))
