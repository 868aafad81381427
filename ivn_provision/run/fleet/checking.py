"""The checks of many sites; the pictures that they looked at are not kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ivn_provision.run.checking import Checked, check_site
from ivn_provision.run.events import Observer, begun, ended
from ivn_provision.run.fleet.loading import FleetFiles
from ivn_provision.run.fleet.pipeline import each_site
from ivn_provision.run.fleet.refs import SiteRef
from ivn_provision.run.fleet.runners import Runner
from ivn_provision.run.targets import Opener
from ivn_provision.spec.site import Site


def check_fleet(
    files: FleetFiles, refs: Sequence[SiteRef], opener: Opener, observer: Observer, *, runner: Runner
) -> tuple[Checked, ...]:
    """What the checks found, in the order given. Nothing is written anywhere."""

    def check(site: Site) -> Checked:
        begun(site.name, observer)
        return ended(replace(check_site(site, opener, observer), images=None, plan=None), observer)

    return each_site(
        files, refs, runner, check, lambda name, error: ended(Checked(name, error=error), observer)
    )
