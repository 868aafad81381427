"""One site is read and compared, with drivers that cannot write or with those that an apply holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from ivn_provision.drivers.base import Reader
from ivn_provision.model.desired import Desired
from ivn_provision.model.site_targets import targets_of
from ivn_provision.model.targets import CAMERA, family
from ivn_provision.plan.plan import SitePlan
from ivn_provision.run.events import Observer
from ivn_provision.run.planning import Vouched, plan_site
from ivn_provision.run.targets import Opener
from ivn_provision.spec.site import Site

Declared = Callable[[Site], Desired]
_UNASKED = "was not asked: nothing of it is chosen"


def read_plan(site: Site, opener: Opener, observer: Observer, declared: Declared | None = None) -> SitePlan:
    """The plan of a fresh reading, by drivers that cannot write. Raises IvnError."""
    readers = opener.readers(site)
    try:
        return plan_with(site, readers.values(), opener, observer, declared)
    finally:
        close(readers.values())


def plan_with(
    site: Site,
    readers: Iterable[Reader],
    opener: Opener,
    observer: Observer,
    declared: Declared | None = None,
) -> SitePlan:
    """The plan of what these drivers read. `declared` is the opener's where none is given."""
    by_target = {each.target: each for each in readers}
    vouched = Vouched(opener.attestations(site.name), opener.clock())
    plan = plan_site(site, by_target, opener.secret, observer, vouched, declared=declared or opener.desired)
    unasked = sorted(each for each in targets_of(site) if not opener.asks(site.name, each))
    return replace(
        plan, notes=(*plan.notes, *(f"{each} {_UNASKED}" for each in unasked if family(each) == CAMERA))
    )


def close(readers: Iterable[Reader]) -> None:
    for reader in readers:
        reader.close()
