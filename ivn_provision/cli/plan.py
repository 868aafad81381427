"""`ivn-provision plan`."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ivn_provision.cli.guarding import select_options
from ivn_provision.cli.shared import (
    compare,
    document_of,
    echo,
    errors_by_site,
    report,
    site_options,
    write_text,
)
from ivn_provision.cli.streaming import JSON_LINES, streamed
from ivn_provision.errors import UsageProblem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivn_provision.cli.choosing import Choice
    from ivn_provision.cli.shared import Compared

_VALID = "24h"


@click.command("plan")
@site_options("markdown", JSON_LINES)
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also save the plan as JSON; `apply FILE` applies it, once.",
)
@click.option(
    "--valid-for", metavar="DURATION", help=f"With --out: how long it may be applied.  [default: {_VALID}]"
)
@select_options
@click.option(
    "--detailed-exitcode", is_flag=True, help="Exit 2 if there are differences, or fields to confirm."
)
def command(
    *,
    choice: Choice,
    form: str,
    deadline: float,
    out: Path | None,
    valid_for: str | None,
    targets: tuple[str, ...],
    excludes: tuple[str, ...],
    detailed_exitcode: bool,
) -> None:
    """Show what apply would change on the live systems of SITEs (default: all).

    A GLOB is matched against addresses as the plan shows them: `*/nvr/camera/*`, or without the site
    `nvr/camera/*`.
    """
    from ivn_provision.cli.guarding import seconds_of

    if valid_for is not None and out is None:
        raise UsageProblem("--valid-for needs --out", next_step="Add --out FILE.")
    seconds = seconds_of(valid_for or _VALID, "--valid-for")
    with streamed(form, "plan") as stream:
        whole = out is not None
        compared = compare(choice, deadline, targets=targets, excludes=excludes, whole=whole, stream=stream)
        document = None
        if out is not None:
            document = {**document_of(compared), **_saved(compared, seconds, targets, excludes)}
            write_text(out, json.dumps(document, indent=2) + "\n")
        report(compared, form, drift=False, document=document)
        _say_saved(out, document, form)
        found = detailed_exitcode and (compared.differs or compared.is_open)
        raise SystemExit(compared.exit_code or (2 if found else 0))


def _say_saved(out: Path | None, document: dict[str, Any] | None, form: str) -> None:
    if document is not None and form == "text" and document["applyable"]:
        name = shlex.quote(str(out))
        expires = document["ivn"]["saved"]["expires"]
        echo(
            f"Saved in {name}. `ivn-provision apply {name}` makes exactly these changes, once, until {expires}."
        )


def _saved(
    compared: Compared, seconds: int, targets: Sequence[str], excludes: Sequence[str]
) -> dict[str, Any]:
    """The document as it may be applied. Raises StateError if there is no key to seal it with."""
    from ivn_provision.cli.guarding import state_folder, utc_now
    from ivn_provision.run.revision import revision_of
    from ivn_provision.run.saved_plan import save_plan

    first = compared.sites[0].path if compared.sites else ""
    revision, dirty = revision_of(Path(first).parent)
    return save_plan(
        state_folder(),
        compared.plans,
        sites=compared.sites,
        now=utc_now(),
        valid_seconds=seconds,
        targets=targets,
        excludes=excludes,
        revision=revision,
        dirty=dirty,
        errors=errors_by_site(compared.outcomes),
    )
