"""`ivn-provision verify`: fire every pin in a test window of the portal, and watch the alarms arrive."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ivn_provision.cli.choosing import Choice, choose_sites, load_named
from ivn_provision.cli.commission import check_reports, write_reports
from ivn_provision.cli.guarding import seconds_of
from ivn_provision.cli.hardware import ask_of, by_cameras, by_person, hardware_options
from ivn_provision.cli.shared import (
    columns,
    deadline_option,
    echo,
    exit_code,
    format_option,
    now,
    opener,
    paint,
    show_errors,
)
from ivn_provision.cli.streaming import JSON_LINES, or_closed, streamed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ivn_provision.run.accepting import Acceptance
    from ivn_provision.run.events import Observer
    from ivn_provision.run.targets import Opener
    from ivn_provision.run.triggers import Ask
    from ivn_provision.run.verifying import Verified, Verifying
    from ivn_provision.spec.site import Site


@click.command("verify")
@choose_sites
@hardware_options
@click.option(
    "--report",
    "reports",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Check the site first, and write a commissioning report: .html, .json or .xml (JUnit). For one site.",
)
@format_option("text", "json", "junit", JSON_LINES)
@deadline_option
def command(
    *,
    choice: Choice,
    hardware: str,
    hardware_wait: str,
    reports: tuple[Path, ...],
    form: str,
    deadline: float,
) -> None:
    """Prove that the alarms of SITEs arrive: every pin is fired in a test window of the portal.

    The window has an end that the portal keeps; no alarm is handed on until then. Without a window nothing is fired.

    Exit 0: every alarm arrived as it should. 2: one did not, or the report says `not accepted`, as it also does where
    a check failed. 1: nothing could be fired, or a report not be written.
    """
    from ivn_provision.cli.interrupts import interrupts
    from ivn_provision.cli.progress import progress
    from ivn_provision.run.checking import check_sites

    sites = load_named(choice)
    check_reports(reports, len(sites))
    seconds = seconds_of(hardware_wait, "--hardware-wait")
    with streamed(form, "verify") as stream:
        began, opened = datetime.now(UTC), opener(deadline, sites)
        if stream is not None:
            stream.begin(len(sites), opened.run_id)
        with (
            interrupts() as stop,
            progress(len(sites), live=by_person(hardware) == "skip", stream=stream) as observer,
        ):
            stopping = or_closed(stop.stopping, stream)
            ask = ask_of(hardware, seconds, stopping)
            checked = check_sites(sites, opened, observer) if reports else ()
            verifying = verifying_of(
                opened, observer, stopping, ask=ask, hardware_seconds=seconds, cameras=by_cameras(hardware)
            )
            verified = verifying.sites(sites)
        if stream is None:
            _show(verified, form)
        code = _code(verified)
        for one in checked:
            run = f"{opened.run_id}-{one.site}"
            written = write_reports(reports, sites[0], one, verified[0], run=run, began=began)
            code = code or written
        raise SystemExit(code)


def _show(verified: Sequence[Verified], form: str) -> None:
    from ivn_provision.report.acceptance_json import acceptance_json
    from ivn_provision.report.acceptance_text import render_acceptance
    from ivn_provision.report.fleet_text import is_fleet, render_table
    from ivn_provision.report.junit import junit

    found = [each.acceptance for each in verified if each.acceptance is not None]
    if form == "json":
        echo(json.dumps({"acceptances": [acceptance_json(each) for each in found]}, indent=2))
    elif form == "junit":
        echo(junit([(each.site, each.results) for each in found], timestamp=now()))
    elif is_fleet(verified):
        shown = [render_acceptance(each, paint()) for each in found if not each.passed]
        echo("\n\n".join([*shown, render_table(verified, paint(), columns())]))
    elif found:
        echo("\n\n".join(render_acceptance(each, paint()) for each in found))
    show_errors(verified)


def _code(verified: Sequence[Verified]) -> int:
    found = [each.acceptance for each in verified if each.acceptance is not None]
    stopped = 130 if any(each.stopped for each in found) else 0
    return exit_code(verified) or stopped or (0 if all(each.passed for each in found) else 2)


def verifying_of(
    opened: Opener,
    observer: Observer,
    stopping: Callable[[], bool],
    *,
    ask: Ask | None = None,
    hardware_seconds: float = 120.0,
    cameras: bool = False,
) -> Verifying:
    """An acceptance by this machine's clock."""
    from ivn_provision.run.verifying import Verifying
    from ivn_provision.run.watching import Time

    return Verifying(
        opened,
        observer,
        Time(lambda: datetime.now(UTC), time.sleep),
        ask=ask,
        hardware_seconds=hardware_seconds,
        cameras=cameras,
        stopping=stopping,
    )


def accept_of(
    opened: Opener,
    observer: Observer,
    stopping: Callable[[], bool],
    *,
    verify: bool,
    hardware: str,
    hardware_wait: str,
) -> Callable[[Site], Acceptance] | None:
    """What tests the alarms of a site after its proof; None where that was not asked for."""
    if not verify:
        return None
    seconds = seconds_of(hardware_wait, "--hardware-wait")
    ask = ask_of(hardware, seconds, stopping)
    cameras = by_cameras(hardware)
    return verifying_of(opened, observer, stopping, ask=ask, hardware_seconds=seconds, cameras=cameras).site
