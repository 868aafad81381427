"""What a rule is, and the list that the rule modules fill."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ivn_provision.diagnostics import Severity
from ivn_provision.spec.rules.context import Context


class Finding(NamedTuple):
    """What one rule has to say about one node. `related` pairs a pointer with a short message."""

    pointer: str
    message: str
    hint: str = ""
    related: tuple[tuple[str, str], ...] = ()


Check = Callable[[Context], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of the reference.

    `requirements` are R- and C-numbers of the manual's facts, or rows and checks of the portal's.
    A rule over one site has `check`; a rule over the fleet has the `kind` of key that must be unique.
    """

    code: str
    name: str
    severity: Severity
    title: str
    requirements: tuple[str, ...]
    explanation: str
    check: Check | None = None
    kind: str = ""


_registered: list[Rule] = []


def registered() -> tuple[Rule, ...]:
    """All rules so far, by code. Raises ValueError where two share a code or a name."""
    rules = sorted(_registered, key=lambda each: each.code)
    for what in ("code", "name"):
        if len({getattr(each, what) for each in rules}) != len(rules):
            raise ValueError(f"two rules have the same {what}")
    return tuple(rules)


def rule(
    code: str, name: str, severity: Severity, *, title: str, requirements: tuple[str, ...]
) -> Callable[[Check], Check]:
    """Register a function as a rule over one site; its docstring is the explanation."""

    def register(check: Check) -> Check:
        explanation = inspect.getdoc(check) or ""
        _registered.append(Rule(code, name, severity, title, requirements, explanation, check=check))
        return check

    return register


def fleet_rule(
    code: str,
    name: str,
    severity: Severity,
    *,
    kind: str,
    title: str,
    requirements: tuple[str, ...],
    explanation: str,
) -> Rule:
    """Register a rule that keys of `kind` are unique over the fleet."""
    made = Rule(code, name, severity, title, requirements, explanation, kind=kind)
    _registered.append(made)
    return made


def show(text: str) -> str:
    """A user's text for a message: quoted, control characters escaped, at most 60 characters."""
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
