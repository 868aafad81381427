"""The rules over a valid site file and over a fleet of them: what the manual and the facts demand.

Use `check_site`, `fleet_keys`, `check_fleet`; `RULES` is the reference. `VERSION` changes with any change
of the rules, so that a cache of results is dropped. A rule never prints a secret: only references.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import ivn_provision
from ivn_provision.diagnostics import Diagnostic, Related
from ivn_provision.spec.rules import (  # noqa: F401 - imported to register their rules
    alarms,
    axis,
    axis_identity,
    connections,
    delays,
    endpoints,
    events,
    generic,
    limits,
    mail,
    names,
    pins,
    ports,
    recording,
    sections,
    times,
    users,
    windows,
)
from ivn_provision.spec.rules.context import build
from ivn_provision.spec.rules.fleet import FleetKey, check_fleet, fleet_keys
from ivn_provision.spec.rules.registry import Check, Finding, Rule, registered
from ivn_provision.spec.site import Site

__all__ = ["RULES", "VERSION", "FleetKey", "Rule", "check_fleet", "check_site", "fleet_keys"]

RULES: tuple[Rule, ...] = registered()

_SITE_CHECKS: tuple[tuple[Rule, Check], ...] = tuple((each, each.check) for each in RULES if each.check)


def check_site(site: Site) -> Iterator[Diagnostic]:
    """All findings of the rules over one site, in the order of the rules."""
    context = build(site)
    for rule, check in _SITE_CHECKS:
        for finding in check(context):
            yield _diagnostic(site, rule, finding)


def _diagnostic(site: Site, rule: Rule, finding: Finding) -> Diagnostic:
    place = site.places.place
    return Diagnostic(
        severity=rule.severity,
        code=rule.code,
        summary=finding.message,
        place=place(finding.pointer),
        hint=finding.hint,
        site=site.name,
        requirements=rule.requirements,
        related=tuple(Related(place(pointer), message) for pointer, message in finding.related),
    )


def _version() -> str:
    """A digest of the rules' sources; the package's version where they are not there to read."""
    digest = hashlib.sha256(ivn_provision.__version__.encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


VERSION: str = _version()
