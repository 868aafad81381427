"""`ivn-provision worker`: a process that takes sites from the durable runner."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import click

from ivn_provision.cli.choosing import fleet_option
from ivn_provision.cli.durable import database, database_option

if TYPE_CHECKING:
    from ivn_provision.run.events import Event as Told
    from ivn_provision.run.fleet.attempts import Hands
    from ivn_provision.run.fleet.site_job import SiteJob
    from ivn_provision.run.guards import Guards
    from ivn_provision.run.targets import Opener
    from ivn_provision.spec.site import Site


@click.command("worker")
@click.option(
    "--queue",
    "queues",
    multiple=True,
    metavar="NETWORK",
    help="A network segment that can be reached from here (`network:` in site files); repeatable.  [default: default]",
)
@fleet_option
@database_option
@click.option(
    "--name",
    metavar="NAME",
    help="Of this worker; it must stay the same.  [default: of the host and this folder]",
)
@click.option(
    "--at-once",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    help="Sites of a queue that are worked on side by side.",
)
def command(
    *, queues: tuple[str, ...], folder: Path, database_url: str | None, name: str | None, at_once: int
) -> None:
    """Take sites from `apply --runner durable`, until SIGTERM or Ctrl-C; then the sites at hand are ended first.

    Secrets are resolved here. Journals are in .ivn here: start a worker that broke off again in the same folder with
    the same name, and it ends what it had begun.
    """
    from ivn_provision.run.fleet.durable_worker import Worker, work_until

    stop = Event()
    hands = _hands(folder, stop.is_set)
    networks = tuple(dict.fromkeys(queues)) or ("default",)
    worker = Worker(name or _own_name(), networks, database(database_url), hands, at_once)
    before = {number: signal.signal(number, _stopper(stop)) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        work_until(worker, lambda: _wait(stop))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _own_name() -> str:
    """The same whenever a worker is started again here; another one for another folder, whose journals are others."""
    here = hashlib.sha256(os.fsencode(os.path.realpath("."))).hexdigest()[:8]
    return f"{socket.gethostname()[:50]}-{here}"


def _stopper(stop: Event) -> Callable[[int, object], None]:
    """The first signal ends the worker well, the second at once: it is as if it was killed."""

    def handle(number: int, _: object) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    return handle


def _wait(stop: Event) -> None:
    while not stop.wait(1.0):
        pass


class _Nobody:
    """A worker tells nobody how far it is: its journals do."""

    def notify(self, event: Told) -> None:
        """Nothing."""


def _hands(folder: Path, stopping: Callable[[], bool]) -> Hands:
    from ivn_provision.cli.guarding import state_folder, utc_now
    from ivn_provision.run.fleet.attempts import Hands

    return Hands(
        fleet=folder,
        state=state_folder(),
        opener=_opener,
        guards=_guards,
        observer=_Nobody(),
        clock=utc_now,
        sleep=time.sleep,
        stopping=stopping,
    )


def _opener(site: Site, run: str, job: SiteJob) -> Opener:
    from ivn_provision.cli.shared import opener

    found = opener(job.options.deadline, [site])
    found.run_id, found.file_edits = run, job.options.file_edits
    return found


def _guards(site: Site, job: SiteJob) -> Guards:
    from dataclasses import replace

    from ivn_provision.cli.guarding import guards_of

    options = job.options
    guards = guards_of(
        [site],
        command="worker",
        stopping=lambda: False,
        on_failure=options.on_failure,
        override=options.override,
        targets=options.targets,
        excludes=options.excludes,
    )
    return replace(guards, confirm_within=options.confirm_within, hold=options.hold, fleet_size=0)
