"""`ivn-provision resume`: end a run that broke off."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ivn_provision.cli.choosing import fleet_option
from ivn_provision.cli.hardware import hardware_options
from ivn_provision.cli.shared import deadline_option, echo, exit_code, opener, show_errors
from ivn_provision.errors import UsageProblem

if TYPE_CHECKING:
    from ivn_provision.run.journal import Journal
    from ivn_provision.run.outcomes import SiteOutcome
    from ivn_provision.run.resuming import Way


@click.command("resume")
@click.argument("run")
@click.argument("names", nargs=-1, metavar="[SITE]...")
@fleet_option
@click.option("--finish", is_flag=True, help="Make what is left of the run's changes.")
@click.option("--revert", is_flag=True, help="Put back what the run changed.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
@deadline_option
@click.option("--unsupported-file-edit", "file_edits", is_flag=True, help="As for apply.")
@hardware_options
def command(
    *,
    run: str,
    names: tuple[str, ...],
    folder: Path,
    finish: bool,
    revert: bool,
    form: str,
    deadline: float,
    file_edits: bool,
    hardware: str,
    hardware_wait: str,
) -> None:
    """Finish or revert RUN, which broke off, on its sites (or the SITEs named).

    The live systems are read first. Without --finish or --revert a run is finished if its site file is still
    the same and no way back was begun, and else reverted. What somebody else changed is left alone.
    """
    from ivn_provision.cli.guarding import state_folder, utc_now
    from ivn_provision.run.journal import Journal
    from ivn_provision.run.resuming import Way

    if finish and revert:
        raise UsageProblem("--finish and --revert do not go together", next_step="Give one of them.")
    way = Way.FINISH if finish else Way.REVERT if revert else None
    journal = Journal.reopen(state_folder(), run, utc_now)
    try:
        outcomes = _resumed(
            journal,
            names,
            folder,
            way,
            deadline,
            file_edits=file_edits,
            hardware=hardware,
            hardware_wait=hardware_wait,
        )
    finally:
        journal.close()
    if form == "json":
        echo(json.dumps({"run": journal.run, "sites": [_json(each) for each in outcomes]}, indent=2))
    else:
        for each in outcomes:
            echo(_line(each))
        if not outcomes:
            echo(f"Run {journal.run}: nothing was left to do.")
    show_errors(outcomes)
    raise SystemExit(exit_code(outcomes))


def _resumed(
    journal: Journal,
    names: Sequence[str],
    folder: Path,
    way: Way | None,
    deadline: float,
    *,
    file_edits: bool,
    hardware: str,
    hardware_wait: str,
) -> tuple[SiteOutcome, ...]:
    from ivn_provision.cli.guarding import guards_of
    from ivn_provision.cli.interrupts import interrupts
    from ivn_provision.cli.progress import progress
    from ivn_provision.cli.verify import accept_of
    from ivn_provision.run.resuming import as_the_run, chosen_sites, resume_sites, was_to_verify
    from ivn_provision.spec.fleet import find_site

    sites = tuple(find_site(folder, name) for name in chosen_sites(journal, names))
    if not sites:
        return ()  # a run that broke off before its first record does not even say how it was called
    opened = opener(deadline, sites)
    opened.run_id, opened.file_edits = journal.run, file_edits
    with interrupts() as stop, progress(len(sites)) as observer:
        verify = was_to_verify(journal)
        accept = accept_of(
            opened, observer, stop.stopping, verify=verify, hardware=hardware, hardware_wait=hardware_wait
        )
        guards = guards_of(sites, command="resume", stopping=stop.stopping, accept=accept)
        return resume_sites(sites, opened, observer, as_the_run(guards, journal), journal, way=way)


def _line(outcome: SiteOutcome) -> str:
    if outcome.reverted:
        rest = ", but for what somebody changed since" if outcome.error is not None else ""
        return f"{outcome.site}: reverted. It was read again and is as it was before the run{rest}."
    if _is_finished(outcome):
        return f"{outcome.site}: finished. It was read again and is as declared."
    if outcome.error is not None:
        return f"{outcome.site}: not ended yet."
    return f"{outcome.site}: nothing was left to do."


def _is_finished(outcome: SiteOutcome) -> bool:
    """Proven: what may be left then is for a person (exit code 4)."""
    return outcome.proof is not None and not outcome.reverted and not outcome.proof.workable


def _json(outcome: SiteOutcome) -> dict[str, object]:
    return {
        "site": outcome.site,
        "finished": _is_finished(outcome),
        "reverted": outcome.reverted,
        "error": outcome.error.summary if outcome.error else None,
    }
