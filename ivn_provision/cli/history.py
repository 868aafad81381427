"""`ivn-provision history`: what runs did, from their journals in this folder."""

from __future__ import annotations

import json

import click

from ivn_provision.cli.shared import echo, paint
from ivn_provision.errors import StateError, UsageProblem

SHOW = "show"


@click.command("history")
@click.argument("words", nargs=-1, metavar="[SITE | show RUN]")
@click.option("--limit", type=click.IntRange(min=1), default=None, help="Only the newest N runs.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def command(words: tuple[str, ...], limit: int | None, form: str) -> None:
    """List past runs, or those that were for SITE; or show all that RUN did (its name, or the beginning of it).

    Runs are known in the folder where they were made: `.ivn` of the working directory. Needs no network.

    Exit 0: shown. 1: a journal is damaged or was edited.
    """
    if words[:1] == (SHOW,) and len(words) == 2:
        _show(words[1], form)
    elif len(words) <= 1 and words != (SHOW,):
        _list(words[0] if words else "", limit, form)
    else:
        raise UsageProblem(
            "history takes no more than one SITE, or show and one RUN",
            next_step="Run `ivn-provision history`, then `ivn-provision history show RUN`.",
        )


def _list(site: str, limit: int | None, form: str) -> None:
    from ivn_provision.cli.guarding import state_folder
    from ivn_provision.report.history_json import runs_json
    from ivn_provision.report.history_text import render_runs
    from ivn_provision.run.journal import runs_of

    runs = [each for each in runs_of(state_folder()) if not site or site in each.sites or each.error][:limit]
    echo(json.dumps(runs_json(runs), indent=2) if form == "json" else render_runs(runs, paint(), site=site))
    if damaged := [each.run for each in runs if each.error]:
        raise StateError(
            f"{len(damaged)} of the journals cannot be trusted: {', '.join(damaged[:3])}",
            next_step="find out who changed them; they are shown no more when you move them out of the folder",
        )


def _show(name: str, form: str) -> None:
    from ivn_provision.cli.guarding import state_folder
    from ivn_provision.report.history_json import past_json
    from ivn_provision.report.history_text import render_past
    from ivn_provision.run.past import past_of

    past = past_of(state_folder(), name)
    echo(json.dumps(past_json(past), indent=2) if form == "json" else render_past(past, paint()))
