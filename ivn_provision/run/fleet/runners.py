"""Who works on the sites of a fleet: one method, so that a runner can be another process or another host."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from ivn_provision.run.fleet.dispatch import dispatched
from ivn_provision.run.fleet.limits import STANDARD, FleetLimits
from ivn_provision.run.fleet.refs import SiteRef

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
    """Many sites at a time, within the limits. A site begins when a worker is free and its network has room:
    nothing waits for the whole fleet, and no site for another network.

    `workers` stands for that of the limits; `network` says which network a site is in, shortly before its turn.
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        limits: FleetLimits = STANDARD,
        network: Callable[[SiteRef], str] = lambda ref: ref.network,
    ) -> None:
        self._limits = replace(limits, workers=workers) if workers else limits
        self._network = network

    def run(self, work: Work[T], sites: Sequence[SiteRef]) -> Iterator[T]:
        """Results are handed on at once, and at most two a worker are ahead of who takes them."""
        return (result for _, result in dispatched(work, sites, self._limits, self._network))
