"""`ivn-provision show`: a plan file, offline."""

from __future__ import annotations

import json
import math
import os
import stat
from pathlib import Path
from typing import NoReturn

import click

from ivn_provision.cli.shared import echo, paint
from ivn_provision.errors import PlanError
from ivn_provision.strict_json import Node, WrongShape, check_sound

MAX_BYTES = 256 * 1024 * 1024
_NEXT = "Make a new plan with `plan --out FILE`."


@click.command("show")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def command(file: Path, form: str) -> None:
    """Show the plan in FILE, as `plan --out FILE` wrote it. Needs no network."""
    from ivn_provision.plan.plan_json import from_json
    from ivn_provision.report.plan_text import render

    data = read_plan(file)
    try:
        plans = from_json(data)
    except PlanError as error:
        error.where = error.where or str(file)
        raise
    echo(json.dumps(data, indent=2) if form == "json" else render(plans, paint()))


def read_plan(file: Path) -> object:
    """The JSON of a plan file. Raises PlanError with the place where it is not JSON."""
    try:
        data: object = json.loads(_content(file), parse_float=_finite, parse_constant=_refuse)
        check_sound(Node(data))
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise PlanError(
            f"cannot read {file}: {why}", where=str(file), next_step="Name a plan file."
        ) from error
    except json.JSONDecodeError as error:
        where = f"{file}:{error.lineno}:{error.colno}"
        raise PlanError(f"{file} is not JSON: {error.msg}", where=where, next_step=_NEXT) from error
    except WrongShape as error:
        raise PlanError(f"{file} is not a plan: {error}", where=str(file), next_step=_NEXT) from error
    except (ValueError, RecursionError) as error:  # bytes that are no text, endless numbers, endless depth
        raise PlanError(f"{file} is not JSON that a plan has", where=str(file), next_step=_NEXT) from error
    return data


def _content(file: Path) -> bytes:
    """At most MAX_BYTES of a regular file: a pipe or device would wait, or never end."""
    handle = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise PlanError(f"{file} is not a regular file", where=str(file), next_step="Name a plan file.")
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise PlanError(f"{file} is larger than 256 MiB: not a plan", where=str(file), next_step=_NEXT)
    return content


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text[:20]} is no number of JSON")
