"""`ivn-provision show`: a plan file, offline."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ivn_provision.cli.shared import echo, paint
from ivn_provision.errors import PlanError

MAX_BYTES = 256 * 1024 * 1024


@click.command("show")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def command(file: Path, form: str) -> None:
    """Show the plan in FILE, as `plan --out FILE` wrote it. Needs no network."""
    from ivn_provision.plan.plan_json import from_json
    from ivn_provision.report.plan_text import render

    data = read_plan(file)
    plans = from_json(data)
    echo(json.dumps(data, indent=2) if form == "json" else render(plans, paint()))


def read_plan(file: Path) -> object:
    """The JSON of a plan file. Raises PlanError with the place where it is not JSON."""
    try:
        if file.stat().st_size > MAX_BYTES:
            raise PlanError(f"{file} is larger than 256 MiB: not a plan", where=str(file))
        data: object = json.loads(file.read_bytes())
    except OSError as error:
        raise PlanError(
            f"cannot read {file}: {error.strerror}", where=str(file), next_step="Name a plan file."
        ) from error
    except json.JSONDecodeError as error:
        raise PlanError(
            f"{file} is not JSON: {error.msg}",
            where=f"{file}:{error.lineno}:{error.colno}",
            next_step="Make a new plan with `plan --out FILE`.",
        ) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise PlanError(
            f"{file} is not JSON text", where=str(file), next_step="Make a new plan with `plan --out FILE`."
        ) from error
    return data
