"""What can be known of a play before it begins: waves that the limits of the site files would refuse. Reads files only."""

from __future__ import annotations

from dataclasses import dataclass

from ivn_provision.errors import SpecError
from ivn_provision.plan.limits import FREE_SITES
from ivn_provision.run.fleet.loading import FleetFiles
from ivn_provision.run.fleet.refs import SiteRef
from ivn_provision.spec.playbook import Do, Playbook


@dataclass(frozen=True, slots=True)
class RefusedWave:
    """`number` from 1. If all of its sites change, its apply is refused."""

    number: int
    kind: str
    found: int
    limit: int


def refused_waves(
    playbook: Playbook, waves: tuple[tuple[SiteRef, ...], ...], files: FleetFiles
) -> tuple[RefusedWave, ...]:
    """By `limits.sites` and `limits.fleet_percent`, as far as `allow` does not raise them."""
    if not any(step.do is Do.APPLY for step in playbook.steps):
        return ()
    found = []
    for number, wave in enumerate(waves, start=1):
        sites, percent = _limits(wave, files)
        sites, percent = (
            max(sites, playbook.allow.get("sites", 0)),
            max(percent, playbook.allow.get("fleet_percent", 0)),
        )
        if len(wave) > sites:
            found.append(RefusedWave(number, "sites", len(wave), sites))
        share = -(-100 * len(wave) // len(files.refs))
        if len(wave) > FREE_SITES and share > percent:
            found.append(RefusedWave(number, "fleet_percent", share, percent))
    return tuple(found)


def _limits(wave: tuple[SiteRef, ...], files: FleetFiles) -> tuple[int, int]:
    """The strictest of the wave: sites, percent of the fleet. A broken file limits nothing: it is not applied."""
    found = []
    for ref in wave:
        try:
            limits = files.load(ref).limits
        except SpecError:
            continue
        found.append((limits.sites, limits.fleet_percent))
    return (min(each[0] for each in found), min(each[1] for each in found)) if found else (10**9, 100)
