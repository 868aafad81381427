"""A runner whose workers are other processes, on this host or on others: `Runner` over DBOS.

Every site is a workflow named RUN-SITE on the queue of its network segment. All sites of a run are handed over in one
transaction, so a submitter that is killed has handed over all or none; to hand over again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from ivn_provision import __version__
from ivn_provision.errors import Interrupted, IvnError, StateError
from ivn_provision.run.fleet.database import Database, client, database_errors, engine_of, prepare
from ivn_provision.run.fleet.refs import SiteRef
from ivn_provision.run.fleet.remote import RemoteWork, queue_of
from ivn_provision.run.fleet.runners import T, Work
from ivn_provision.run.fleet.site_job import SiteResult, failed, read_job, read_result
from ivn_provision.strict_json import Node, WrongShape

if TYPE_CHECKING:
    from dbos import DBOSClient, EnqueueOptions, WorkflowStatus

POLL_SECONDS = 0.5
_ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]


@dataclass(frozen=True, slots=True)
class Waiting:
    """How long a submitter waits for its workers: `seconds`, or until it is told to stop. It changes nothing there."""

    seconds: float
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    stopping: Callable[[], bool] = lambda: False


class DurableRunner:
    """Hands sites to workers and waits for what they say. Takes `RemoteWork` only: a closure cannot travel."""

    def __init__(self, database: Database, waiting: Waiting) -> None:
        self._database, self._waiting = database, waiting

    def run(self, work: Work[T], sites: Sequence[SiteRef]) -> Iterator[T]:
        """Results of `RemoteWork`, as each site ends. Raises StateError if the database cannot be used.

        A site that has not ended in time is a result too, with the way to look again.
        """
        if not isinstance(work, RemoteWork):
            raise TypeError("only a RemoteWork can be done by another process")
        self.submit(work, sites)
        return cast("Iterator[T]", self.results(work.run))

    def submit(self, work: RemoteWork, sites: Sequence[SiteRef]) -> None:
        """All sites or none."""
        prepare(self._database)
        with database_errors():
            engine = engine_of(self._database)
            try:
                found = client(engine)
                with engine.begin() as connection:
                    for ref in sites:
                        data = work.job(ref).to_json()
                        found.enqueue_in_transaction(connection, _options(work, ref), data)
                found.destroy()
            finally:
                engine.dispose()

    def results(self, run: str) -> Iterator[SiteResult]:
        """Of all sites that were submitted for a run, as they end; also of those that ended before."""
        prepare(self._database)
        engine = engine_of(self._database)
        try:
            found = client(engine)
            yield from self._results(found, run)
            found.destroy()
        finally:
            engine.dispose()

    def _results(self, found: DBOSClient, run: str) -> Iterator[SiteResult]:
        with database_errors():
            waiting = _submitted(found, run)
        if not waiting:
            raise StateError(
                f"no site of run {run} was submitted",
                next_step="look at its name; or run apply without --run",
            )
        end = self._waiting.clock() + timedelta(seconds=self._waiting.seconds)
        while True:
            with database_errors():
                ended = _ended(found, waiting)
            for workflow, (site, result) in ended.items():
                del waiting[workflow]
                if isinstance(result, SiteResult):
                    yield result
                else:
                    waiting[result] = site
            if not waiting or self._waiting.stopping() or self._waiting.clock() >= end:
                break
            self._waiting.sleep(POLL_SECONDS)
        for site in waiting.values():
            yield failed(site, _not_ended(site, run, stopped=self._waiting.stopping()), standing="waiting")


def _options(work: RemoteWork, ref: SiteRef) -> EnqueueOptions:
    return {
        "workflow_name": work.name,
        "queue_name": queue_of(ref.network),
        "workflow_id": f"{work.run}-{ref.name}",
        "app_version": __version__,
    }


def _submitted(found: DBOSClient, run: str) -> dict[str, str]:
    """Sites by workflow: those that were handed over, not those that were moved since."""
    asked = found.list_workflows(workflow_id_prefix=f"{run}-", load_output=False)
    return {each.workflow_id: _site_of(each) for each in asked if "@" not in each.workflow_id}


def _site_of(status: WorkflowStatus) -> str:
    return read_job(_argument(status.input)).site


def _argument(inputs: Mapping[str, Any] | None) -> object:
    given = inputs["args"] if inputs is not None else ()
    return given[0] if given else None


def _ended(found: DBOSClient, waiting: Mapping[str, str]) -> dict[str, tuple[str, SiteResult | str]]:
    """Of those waited for: the site, and its result or the workflow that it was moved to."""
    names = list(waiting)
    ended = {}
    for at in range(0, len(names), 500):
        for each in found.list_workflows(workflow_ids=names[at : at + 500], status=_ENDED, load_input=False):
            site = waiting[each.workflow_id]
            ended[each.workflow_id] = (site, _result(site, each))
    return ended


def _result(site: str, status: WorkflowStatus) -> SiteResult | str:
    try:
        if status.status == "SUCCESS":
            moved = Node(status.output).find("moved")
            if moved is not None:
                return moved.text()
            result = read_result(status.output)
            if result.site != site:
                raise WrongShape("/site", "is another site than the one that was handed over")
            return result
    except WrongShape as error:
        return failed(
            site, StateError(f"what a worker says of {site} is not understood: {error}", where=site)
        )
    return failed(
        site,
        StateError(
            f"no worker ended {site}: DBOS says {status.status}",
            where=site,
            next_step="look at the site with plan; then apply anew",
        ),
    )


def _not_ended(site: str, run: str, *, stopped: bool) -> IvnError:
    again = f"`ivn-provision apply --runner durable --run {run}` waits for it again"
    if stopped:
        return Interrupted(f"{site} goes on on its worker", where=site, next_step=again)
    return StateError(
        f"{site} has not ended yet: its worker is at it, or no worker of its network runs",
        where=site,
        next_step=again,
    )
