"""`ivn-provision apply`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

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
from ivn_provision.errors import UsageProblem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivn_provision.plan.plan import SitePlan
    from ivn_provision.run.engine import SiteOutcome


@click.command("apply")
@site_options
@click.option("--auto-approve", is_flag=True, help="Do not ask before writing.")
@click.option(
    "--attest",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Take what a person attests: a form of `runbook SITE --form FILE`, filled in.",
)
@click.option(
    "--unsupported-file-edit",
    "file_edits",
    is_flag=True,
    help="Edit files of a real recorder, which the vendor does not document.",
)
def command(
    *,
    names: tuple[str, ...],
    folder: Path,
    form: str,
    deadline: float,
    auto_approve: bool,
    attest: Path | None,
    file_edits: bool,
) -> None:
    """Make the live systems of SITEs (default: all) as declared, and prove it by reading them again.

    Exit 0: proven. 4: a person is needed, or the proof failed. 3: partly applied. 1: error.
    """
    from ivn_provision.cli.attest import ask_all, read_form
    from ivn_provision.cli.progress import progress
    from ivn_provision.run.engine import apply_sites

    if not auto_approve and (form == "json" or not sys.stdin.isatty()):
        raise UsageProblem(
            "apply asks before it writes, and there is nobody to ask here",
            next_step="Look at `plan` first, then give --auto-approve.",
        )
    sites = load_sites(folder, names)
    opened = opener(deadline, sites)
    opened.file_edits = file_edits
    recorder = read_form(attest, sites, opened) if attest is not None else None
    with progress(len(sites), live=auto_approve) as observer:
        outcomes = apply_sites(sites, opened, observer, None if auto_approve else _ask, recorder)
    if form == "json":
        echo(json.dumps(_document(outcomes), indent=2))
    else:
        _show(outcomes, shown=not auto_approve)
    if not auto_approve:
        outcomes = ask_all(outcomes, sites, opened)
    show_errors(outcomes)
    raise SystemExit(exit_code(outcomes))


def _ask(plan: SitePlan) -> bool:
    from ivn_provision.report.plan_text import render

    echo(render((plan,), paint()))
    question = f"\nApply these changes to {plan.site}? Only 'yes' is accepted"
    try:
        answer: str = click.prompt(question, default="no")
    except click.Abort:
        raise KeyboardInterrupt from None  # ends the whole run, not just this site
    return answer.strip() == "yes"


def _show(outcomes: Sequence[SiteOutcome], *, shown: bool) -> None:
    from ivn_provision.report.apply_text import render_outcome
    from ivn_provision.report.plan_text import render

    for outcome in outcomes:
        if outcome.plan is not None and (not shown or outcome.plan.is_empty or not outcome.plan.workable):
            echo(render((outcome.plan,), paint()))
        if text := render_outcome(outcome, paint()):
            echo(text)


def _document(outcomes: Sequence[SiteOutcome]) -> dict[str, object]:
    from ivn_provision.plan.plan_json import to_json
    from ivn_provision.report.errors_text import error_json

    stamp = now()
    plans = tuple(each.plan for each in outcomes if each.plan is not None)
    proofs = tuple(each.proof for each in outcomes if each.proof is not None)
    return {
        "plan": to_json(plans, timestamp=stamp, errors=errors_by_site(outcomes)),
        "outcomes": [
            {"address": str(one.address), "status": one.status, "detail": one.detail}
            for each in outcomes
            for one in each.outcomes
        ],
        "proof": to_json(proofs, timestamp=stamp),
        "errors": [error_json(each.error, each.site) for each in outcomes if each.error is not None],
    }
