"""An observer for a run of which only some addresses are wanted: what others are told is only of those."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ivn_provision.plan.plan import SitePlan
from ivn_provision.plan.select import select
from ivn_provision.run.events import Event, Observer
from ivn_provision.run.outcomes import SiteOutcome


@dataclass(frozen=True, slots=True)
class Choosing:
    """Hands events on, their plans cut to what the globs choose."""

    observer: Observer
    targets: Sequence[str] = ()
    excludes: Sequence[str] = ()

    def notify(self, event: Event) -> None:
        """See Observer."""
        if isinstance(event.about, SiteOutcome) and event.about.plan is not None:
            chosen = self._chosen(event.about.plan)
            event = replace(event, about=replace(event.about, plan=chosen))
        self.observer.notify(event)

    def _chosen(self, plan: SitePlan) -> SitePlan:
        return select(plan, self.targets, self.excludes) if self.targets or self.excludes else plan
