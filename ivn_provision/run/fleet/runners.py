"""Who works on the sites of a fleet: one method, so that a runner can be another process or another host."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Protocol, TypeVar

from ivn_provision.run.fleet.refs import SiteRef

WORKERS = 32
T = TypeVar("T")
Work = Callable[[SiteRef], T]
"""Everything of one site, from its file to its result. Raises nothing: an error is a result."""


class Runner(Protocol):
    """Works on sites."""

    def run(self, work: Work[T], sites: Sequence[SiteRef]) -> Iterator[T]:
        """The results, each as soon as its site has ended, in no order."""


class Inline:
    """One site after the other, in this thread."""

    def run(self, work: Work[T], sites: Sequence[SiteRef]) -> Iterator[T]:
        """In the order given."""
        return map(work, sites)


class Threads:
    """`workers` sites at a time. A site begins when a worker is free: nothing waits for the whole fleet."""

    def __init__(self, workers: int = WORKERS) -> None:
        self._workers = workers

    def run(self, work: Work[T], sites: Sequence[SiteRef]) -> Iterator[T]:
        """Results are handed on at once, and at most two a worker are ahead of who takes them."""
        waiting = iter(sites)
        with ThreadPoolExecutor(max_workers=min(self._workers, len(sites)) or 1) as pool:
            running: set[Future[T]] = {pool.submit(work, each) for each in islice(waiting, 2 * self._workers)}
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                running |= {pool.submit(work, each) for each in islice(waiting, len(done))}
                for each in done:
                    yield each.result()
