"""What may be there only once in a fleet."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from ivn_provision.diagnostics import Diagnostic, Place, Related, Severity
from ivn_provision.spec.rules.registry import Rule, fleet_rule, show
from ivn_provision.spec.site import Site


@dataclass(frozen=True, slots=True)
class FleetKey:
    """Something that a site claims for itself. `value` is normalised and printable."""

    kind: str
    value: str
    site: str
    place: Place


_RULES: dict[str, Rule] = {
    each.kind: each
    for each in (
        fleet_rule(
            "IVN073",
            "site-name-unique",
            Severity.ERROR,
            kind="site name",
            title="A site's name is unique in the fleet",
            requirements=("tool site",),
            explanation="The name is the first part of every address, and the default key in the portal.",
        ),
        fleet_rule(
            "IVN074",
            "portal-account-unique",
            Severity.ERROR,
            kind="portal account",
            title="A site's account in the portal is unique in the fleet",
            requirements=("portal part 3.2",),
            explanation="Two site files with one account would overwrite each other in the portal.",
        ),
        fleet_rule(
            "IVN075",
            "station-account-unique",
            Severity.ERROR,
            kind="station account",
            title="An account number at a central station is unique in the fleet",
            requirements=("portal row 37", "portal check S11"),
            explanation="With a number used twice, signals cross and the wrong address is dispatched.",
        ),
        fleet_rule(
            "IVN076",
            "smtp-account-unique",
            Severity.ERROR,
            kind="SMTP account id",
            title="A declared SMTP Account ID is unique in the fleet",
            requirements=("R-75", "R-41"),
            explanation="The portal finds the site of a mail by its account id.",
        ),
        fleet_rule(
            "IVN077",
            "endpoint-unique",
            Severity.WARNING,
            kind="recorder endpoint",
            title="A recorder's host and port are unique in the fleet",
            requirements=("R-07",),
            explanation=(
                "Two sites at one address are mostly a copied file: an apply would write one site onto the"
                " other's recorder.\nSites behind different tunnels may really share a private address, so this"
                " only warns."
            ),
        ),
    )
}


def fleet_keys(site: Site) -> tuple[FleetKey, ...]:
    """What `check_fleet` needs to know of one site."""
    return tuple(
        FleetKey(kind, value, site.name, site.places.place(pointer)) for kind, value, pointer in _claims(site)
    )


def check_fleet(keys: Iterable[FleetKey]) -> Iterator[Diagnostic]:
    """Every claim that an earlier site of the fleet made too; earlier by path and line."""
    groups: dict[tuple[str, str], list[FleetKey]] = {}
    for key in keys:
        groups.setdefault((key.kind, key.value), []).append(key)
    for (kind, _), claims in groups.items():
        if len(claims) > 1:
            first, *others = sorted(claims, key=lambda each: (each.place, each.site))
            for each in others:
                yield _twice(_RULES[kind], first, each)


def _twice(rule: Rule, first: FleetKey, again: FleetKey) -> Diagnostic:
    other = "another site" if first.site == again.site else f"site {show(first.site)}"
    return Diagnostic(
        severity=rule.severity,
        code=rule.code,
        summary=f"the {rule.kind} {show(again.value)} is used by {other} too",
        place=again.place,
        hint=f"give every site a {rule.kind} of its own",
        site=again.site,
        requirements=rule.requirements,
        related=(Related(first.place, f"used by site {show(first.site)} here"),),
    )


def _claims(site: Site) -> Iterator[tuple[str, str, str]]:
    yield "site name", site.name.casefold(), "/site"
    if site.nvr:
        connect = site.nvr.connect
        yield "recorder endpoint", f"{connect.host.casefold()}:{connect.port}", f"{connect.pointer}/host"
    portal = site.portal
    if not portal:
        return
    yield "portal account", f"{portal.account} at {_origin(portal.url)}", f"{portal.pointer}/account"
    if portal.monitoring:
        station = portal.monitoring
        value = f"{station.account_number.strip().casefold()} at {station.station.strip().casefold()}"
        yield "station account", value, f"{station.pointer}/account_number"
    if portal.smtp_account_id:
        yield "SMTP account id", portal.smtp_account_id.casefold(), f"{portal.pointer}/smtp_account_id"


@functools.lru_cache(maxsize=256)
def _origin(url: str) -> str:
    """Host, port and path without a login: one spelling for one portal."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    except ValueError:
        return "a malformed URL"
    return f"{host}:{port}{parts.path.rstrip('/')}"
