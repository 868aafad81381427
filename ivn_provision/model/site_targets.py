"""Which targets a site names."""

from __future__ import annotations

from ivn_provision.model.targets import camera_target
from ivn_provision.spec.site import Site


def targets_of(site: Site) -> frozenset[str]:
    """`nvr`, `portal`, and `camera-N` for each camera that the site manages itself."""
    named = {name for name, section in (("nvr", site.nvr), ("portal", site.portal)) if section}
    return frozenset(named | {camera_target(each.number) for each in site.cameras or () if each.axis})
