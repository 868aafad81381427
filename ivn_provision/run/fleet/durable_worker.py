"""A worker of the durable runner: takes sites from the queues of its networks until it is told to stop.

A worker is known by its name. Killed and started again with that name, it takes up what it had begun; the journals for
that are in its state folder. A site that it had begun and that another worker gets then goes back to its own queue.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from ivn_provision import __version__
from ivn_provision.errors import StateError, UsageProblem
from ivn_provision.run.fleet.attempts import Hands, apply_job, attempts
from ivn_provision.run.fleet.database import Database, config, database_errors, prepare
from ivn_provision.run.fleet.remote import APPLY, own_queue, queue_of
from ivn_provision.run.fleet.site_job import SiteJob, read_job
from ivn_provision.run.state import StateFolder, state_errors

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
POLL_SECONDS = 0.5
LAST_SECONDS = 600
"""A worker that shall stop ends the sites at hand first, for so long at most."""
_MOST_RECOVERIES = 1000


@dataclass(frozen=True, slots=True)
class Worker:
    """`networks` are those that it can reach; `at_once` sites of each are worked on side by side."""

    name: str
    networks: tuple[str, ...]
    database: Database
    hands: Hands
    at_once: int = 8


def work_until(worker: Worker, wait: Callable[[], None]) -> None:
    """Take sites until `wait` returns, then end those at hand.

    Raises UsageProblem if a worker of that name runs in this state folder, StateError for an unusable database.
    """
    if not NAME.fullmatch(worker.name):
        raise UsageProblem(
            f"{worker.name[:80]!r} is no name for a worker", next_step="Give --name: letters, digits, . _ -"
        )
    with _alone(worker.hands.state, worker.name):
        prepare(worker.database)
        with database_errors():
            _launch(worker)
        try:
            wait()
        finally:
            from dbos import DBOS

            DBOS.destroy(workflow_completion_timeout_sec=LAST_SECONDS)


def _launch(worker: Worker) -> None:
    from dbos import DBOS

    DBOS(config=config(worker.database, worker.name))

    @DBOS.workflow(name=APPLY, max_recovery_attempts=_MOST_RECOVERIES)
    def apply(data: dict[str, Any]) -> dict[str, Any]:
        return _workflow(worker, data)

    names = [*map(queue_of, worker.networks), own_queue(worker.name)]
    DBOS.listen_queues(names)
    DBOS.launch()
    for name in names:
        DBOS.register_queue(
            name,
            worker_concurrency=worker.at_once,
            polling_interval_sec=POLL_SECONDS,
            on_conflict="always_update",
        )


def _workflow(worker: Worker, data: dict[str, Any]) -> dict[str, Any]:
    """Run again from its beginning after a kill. The step is recorded the first time: who began."""
    from dbos import DBOS

    job = read_job(data)
    began: str = DBOS.run_step({"name": "begun_by"}, lambda: worker.name)
    if began != worker.name and not attempts(worker.hands.state, job):
        return {"moved": _moved(job, began)}
    return replace(apply_job(job, worker.hands), worker=worker.name).to_json()


def _moved(job: SiteJob, began: str) -> str:
    """To the worker that began it: only there is the journal that says what it wrote."""
    from dbos import DBOS

    name = f"{job.run}-{job.site}@{began}"
    DBOS.enqueue_workflow_with_options(
        {
            "workflow_name": APPLY,
            "queue_name": own_queue(began),
            "workflow_id": name,
            "app_version": __version__,
        },
        job.to_json(),
    )
    return name


@contextmanager
def _alone(state: StateFolder, name: str) -> Iterator[None]:
    """No other process of this state folder is the worker of this name; a killed one is none any more."""
    path = state.folder("workers") / f"{name}.lock"
    with state_errors(path):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StateError(
                f"a worker {name} runs here already",
                where=str(path),
                next_step="give this one another --name",
            ) from error
        yield
    finally:
        os.close(handle)
