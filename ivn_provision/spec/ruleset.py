"""The rules as one value, so that a caller may leave them out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ivn_provision.diagnostics import Diagnostic
from ivn_provision.spec.site import Site

if TYPE_CHECKING:
    from ivn_provision.spec.rules import FleetKey


class RuleSet(NamedTuple):
    """What `spec/rules` offers. `version` changes whenever a rule does."""

    check_site: Callable[[Site], Iterable[Diagnostic]]
    fleet_keys: Callable[[Site], Sequence[FleetKey]]
    check_fleet: Callable[[Iterable[FleetKey]], Iterable[Diagnostic]]
    version: str


NO_RULES = RuleSet(lambda _site: (), lambda _site: (), lambda _keys: (), "none")


def all_rules() -> RuleSet:
    """Every rule of this version."""
    from ivn_provision.spec import rules

    return RuleSet(rules.check_site, rules.fleet_keys, rules.check_fleet, rules.VERSION)
