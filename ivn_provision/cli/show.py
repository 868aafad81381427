"""`ivn-provision show`: a plan file, offline."""

from __future__ import annotations

import json
import math
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from ivn_provision import __version__
from ivn_provision.cli.shared import echo, paint
from ivn_provision.errors import IvnError, PlanError
from ivn_provision.report.paint import safe
from ivn_provision.strict_json import Node, WrongShape, check_sound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ivn_provision.run.plan_about import About

MAX_BYTES = 256 * 1024 * 1024
_NEXT = "Make a new plan with `plan --out FILE`."


@click.command("show")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def command(file: Path, form: str) -> None:
    """Show the plan in FILE, as `plan --out FILE` wrote it. Needs no network.

    What stands in the way of applying it is a warning: it is shown all the same.
    """
    from ivn_provision.plan.plan_json import from_json
    from ivn_provision.report.plan_text import render
    from ivn_provision.report.saved_plan_text import render_about
    from ivn_provision.run.plan_about import about_of

    data = read_plan(file)
    try:
        plans = from_json(data)
        about = about_of(data)
    except PlanError as error:
        error.where = error.where or str(file)
        raise
    echo(json.dumps(data, indent=2) if form == "json" else render(plans, paint()))
    if about is None:
        return
    if form == "text":
        echo(render_about(about))
    for warning in _warnings(about, data):
        echo(f"{paint(err=True)('warning:', 'bold', 'yellow')} {safe(warning)}", err=True)


def _warnings(about: About, data: object) -> Iterator[str]:
    """Why the plan could not be applied here and now."""
    from ivn_provision.cli.guarding import state_folder, utc_now
    from ivn_provision.run.plan_about import broken_seal, has_key, is_used

    state = state_folder()
    if about.is_expired(utc_now()):
        yield f"it expired at {about.expires}"
    if is_used(state, about.id):
        yield "it was applied already: a plan is used once"
    if about.tool_version != __version__:
        yield f"it was made by version {about.tool_version}, and this is {__version__}"
    try:
        if not has_key(state):
            yield "whether it was edited cannot be said: there is no key in .ivn here, and none is given"
        elif problem := broken_seal(state, about, data):
            yield problem.summary
    except IvnError as error:
        yield f"whether it was edited cannot be said: {error.summary}"


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
