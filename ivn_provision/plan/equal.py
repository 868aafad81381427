"""When a declared and a live value mean the same."""

from __future__ import annotations

from ivn_provision.model.kinds import KINDS
from ivn_provision.model.resource import Resource, Value
from ivn_provision.secret import Fingerprint, Secret


def same(kind: str, name: str, declared: Value, live: Value) -> bool:
    """Are the two equal in the form in which they matter? Secrets compare by fingerprint only."""
    if isinstance(declared, Secret):
        return isinstance(live, Fingerprint) and declared.matches(live)
    if isinstance(declared, tuple) and isinstance(live, tuple):
        return sorted(map(str, declared)) == sorted(map(str, live))
    rules = KINDS[kind]
    if name in rules.accepts:
        return rules.accepts[name](declared, live)
    left, right = rules.comparable(name, declared), rules.comparable(name, live)
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    return left == right


def differing(declared: Resource, live: Resource) -> int:
    """How many declared fields the live object does not have as they are declared."""
    return sum(
        name not in live.fields or not same(declared.kind, name, value, live.fields[name])
        for name, value in declared.fields.items()
    )
