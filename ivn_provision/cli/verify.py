"""`ivn-provision verify`: fire every pin in a test window of the portal, and watch the alarms arrive."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ivn_provision.cli.guarding import seconds_of
from ivn_provision.cli.shared import (
    deadline_option,
    echo,
    exit_code,
    load_sites,
    now,
    opener,
    paint,
    show_errors,
    sites_option,
)
from ivn_provision.errors import UsageProblem

if TYPE_CHECKING:
    from collections.abc import Callable

    from ivn_provision.run.events import Observer
    from ivn_provision.run.targets import Opener
    from ivn_provision.run.triggers import Ask
    from ivn_provision.run.verifying import Verifying
    from ivn_provision.verify.acceptance.shots import Shot


@click.command("verify")
@click.argument("names", nargs=-1, required=True, metavar="SITE...")
@sites_option
@click.option(
    "--hardware",
    type=click.Choice(["skip", "ask", "wait"]),
    default="skip",
    show_default=True,
    help="Inputs are tripped by a person: ask at the terminal, or wait for each without asking.",
)
@click.option(
    "--hardware-wait",
    metavar="DURATION",
    default="2m",
    show_default=True,
    help="How long a person may take for each input (60s to 30m).",
)
@click.option("--format", "form", type=click.Choice(["text", "json", "junit"]), default="text")
@deadline_option
def command(
    *,
    names: tuple[str, ...],
    folder: Path,
    hardware: str,
    hardware_wait: str,
    form: str,
    deadline: float,
) -> None:
    """Prove that the alarms of SITEs arrive: every pin is fired in a test window of the portal.

    The window has an end that the portal keeps; no alarm is handed on until then. Without a window nothing is fired.

    Exit 0: every alarm arrived as it should. 2: one did not. 1: nothing could be fired.
    """
    from ivn_provision.cli.interrupts import interrupts
    from ivn_provision.cli.progress import progress
    from ivn_provision.report.acceptance_json import acceptance_json
    from ivn_provision.report.acceptance_text import render_acceptance
    from ivn_provision.report.junit import junit

    sites = load_sites(folder, names)
    seconds = seconds_of(hardware_wait, "--hardware-wait")
    with interrupts() as stop, progress(len(sites), live=hardware == "skip") as observer:
        ask = _ask_of(hardware, stop.stopping)
        verifying = verifying_of(
            opener(deadline, sites), observer, stop.stopping, ask=ask, hardware_seconds=seconds
        )
        verified = verifying.sites(sites)
    found = [each.acceptance for each in verified if each.acceptance is not None]
    if form == "json":
        echo(json.dumps({"acceptances": [acceptance_json(each) for each in found]}, indent=2))
    elif form == "junit":
        echo(junit([(each.site, each.results) for each in found], timestamp=now()))
    elif found:
        echo("\n\n".join(render_acceptance(each, paint()) for each in found))
    show_errors(verified)
    raise SystemExit(exit_code(verified) or (0 if all(each.passed for each in found) else 2))


def verifying_of(
    opened: Opener,
    observer: Observer,
    stopping: Callable[[], bool],
    *,
    ask: Ask | None = None,
    hardware_seconds: float = 120.0,
) -> Verifying:
    """An acceptance by this machine's clock."""
    from ivn_provision.run.accepting import Time
    from ivn_provision.run.verifying import Verifying

    return Verifying(
        opened,
        observer,
        Time(lambda: datetime.now(UTC), time.sleep),
        ask=ask,
        hardware_seconds=hardware_seconds,
        stopping=stopping,
    )


def _ask_of(hardware: str, stopping: Callable[[], bool]) -> Ask | None:
    if hardware == "skip":
        return None
    if hardware == "ask" and not sys.stdin.isatty():
        raise UsageProblem(
            "--hardware ask asks at a terminal, and there is none",
            next_step="Give --hardware wait, and trip each input when its line appears.",
        )
    del stopping

    def ask(shot: Shot) -> None:
        where = f"input {shot.input} of {shot.device}" if shot.device else "its input"
        label = f" ({shot.label})" if shot.label else ""
        text = f"Trip {shot.name}{label} now: {where}, camera {shot.camera}"
        if hardware == "ask":
            click.prompt(f"{text}; press Enter when it is done", default="", show_default=False, err=True)
        else:
            click.echo(text, err=True)

    return ask
