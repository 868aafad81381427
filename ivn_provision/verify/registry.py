"""What a check is, and the list that the modules of checks fill."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ivn_provision.verify.evidence import Evidence
from ivn_provision.verify.result import Found, Result

Look = Callable[[Evidence], Iterator[Found]]


@dataclass(frozen=True, slots=True)
class Check:
    """One entry of the reference. `refs`: R-numbers (`R-40`), rows of the failure table (`row 12`)."""

    id: str
    title: str
    target: str
    refs: tuple[str, ...]
    explanation: str
    look: Look


_registered: list[Check] = []


def check(id: str, *, title: str, target: str, refs: tuple[str, ...]) -> Callable[[Look], Look]:  # noqa: A002 - the field's word
    """Register a function as a check; its docstring is the explanation. It yields at least one `Found`."""

    def register(look: Look) -> Look:
        _registered.append(Check(id, title, target, refs, inspect.getdoc(look) or "", look))
        return look

    return register


def registered() -> tuple[Check, ...]:
    """All checks, in the order of their modules. Raises ValueError where two share an id."""
    names = [each.id for each in _registered]
    if len(set(names)) != len(names):
        raise ValueError("two checks have the same id")
    return tuple(_registered)


def run(checks: tuple[Check, ...], evidence: Evidence) -> tuple[Result, ...]:
    """What each check finds; one that finds nothing is a defect of ours."""
    results = []
    for each in checks:
        found = tuple(each.look(evidence))
        if not found:
            raise ValueError(f"the check {each.id} said nothing")
        results += [
            Result(evidence.site.name, each.id, each.title, each.refs, each.target, one) for one in found
        ]
    return tuple(results)
