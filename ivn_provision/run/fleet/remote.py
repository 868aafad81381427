"""Work that may be done by another process: a name, options, and what is different for each site. No closure.

Here it is a function of a site like any other work, so that `Inline` and `Threads` do it in this process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ivn_provision.run.fleet.refs import SiteRef
from ivn_provision.run.fleet.site_job import ApplyOptions, SiteJob, SiteResult

APPLY = "apply"
DEFAULT_NETWORK = "default"
"""The queue of sites that name no network."""


@dataclass(frozen=True, slots=True)
class RemoteWork:
    """`name` is the function's on a worker, `plans` the digest of each site's plan; `here` does it in this process."""

    name: str
    run: str
    plans: Mapping[str, str]
    here: Callable[[SiteJob], SiteResult]
    options: ApplyOptions = field(default_factory=ApplyOptions)

    def job(self, ref: SiteRef) -> SiteJob:
        """What a worker is told of a site."""
        return SiteJob(self.run, ref.name, self.plans[ref.name], self.options)

    def __call__(self, ref: SiteRef) -> SiteResult:
        return self.here(self.job(ref))


def queue_of(network: str) -> str:
    """The queue of a network segment: only workers that can reach it listen there."""
    return f"network-{network or DEFAULT_NETWORK}"


def own_queue(worker: str) -> str:
    """The queue of one worker, for sites that it began: their journals are in its state folder."""
    return f"worker-{worker}"
