"""Plans of many sites, of which only what a report shows is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ivn_provision.plan.plan import SitePlan
from ivn_provision.run.events import Observer, begun, ended
from ivn_provision.run.fleet.loading import FleetFiles
from ivn_provision.run.fleet.pipeline import each_site
from ivn_provision.run.fleet.refs import SiteRef
from ivn_provision.run.fleet.runners import Runner
from ivn_provision.run.outcomes import SiteOutcome
from ivn_provision.run.site_plans import read_plan
from ivn_provision.run.targets import Opener
from ivn_provision.spec.site import Site

Keep = Callable[[Site, SitePlan], SitePlan]


def plan_fleet(
    files: FleetFiles,
    refs: Sequence[SiteRef],
    opener: Opener,
    observer: Observer,
    *,
    runner: Runner,
    keep: Keep | None = None,
) -> tuple[SiteOutcome, ...]:
    """Plans of the sites with drivers that cannot write, in the order given. `keep` reduces a plan; it is called
    by several threads. By default what a report shows is kept (`as_shown`)."""
    reduce = keep or (lambda _, plan: as_shown(plan))

    def plan(site: Site) -> SiteOutcome:
        begun(site.name, observer)
        return ended(SiteOutcome(site.name, plan=reduce(site, read_plan(site, opener, observer))), observer)

    return each_site(
        files, refs, runner, plan, lambda name, error: ended(SiteOutcome(name, error=error), observer)
    )


def as_shown(plan: SitePlan) -> SitePlan:
    """The plan without what only an apply needs; addresses stay, so that globs can be matched."""
    nothing = dict.fromkeys
    return replace(
        plan,
        desired=nothing(plan.desired, {}),
        live=nothing(plan.live, {}),
        references={},
        digests={},
        needs={},
    )
