"""What a check found: a state, the evidence for it, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """`inconclusive`: it cannot be seen from here; never counted as passed. `skipped` says why."""

    PASS = "pass"  # noqa: S105 - no password
    WARN = "warn"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that a check looked at. `subject` is an address or a name within the site, "" for the site.

    `differs` is the address of the object whose difference from what is declared it tells of, "" if of none: a plan
    shows the same.
    """

    state: State
    evidence: str
    remedy: str = ""
    subject: str = ""
    differs: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """A `Found` with the check that found it. `refs` are R-numbers and rows of the failure table."""

    site: str
    check: str
    title: str
    refs: tuple[str, ...]
    target: str
    found: Found

    @property
    def state(self) -> State:
        return self.found.state


def passed(evidence: str, subject: str = "") -> Found:
    """It is as it should be."""
    return Found(State.PASS, evidence, subject=subject)


def failed(evidence: str, remedy: str, subject: str = "") -> Found:
    """Alarms, video or dispatch are at risk."""
    return Found(State.FAIL, evidence, remedy, subject)


def warned(evidence: str, remedy: str, subject: str = "") -> Found:
    """It works, and should be looked at."""
    return Found(State.WARN, evidence, remedy, subject)


def unknown(evidence: str, remedy: str = "", subject: str = "") -> Found:
    """It cannot be seen from here."""
    return Found(State.INCONCLUSIVE, evidence, remedy, subject)


def skipped(why: str, subject: str = "") -> Found:
    """Nothing of the kind is declared, or the tool has no way to look."""
    return Found(State.SKIPPED, why, subject=subject)


def worst(results: tuple[Result, ...]) -> State:
    """The state that stands for all; what is inconclusive or skipped does not fail a site."""
    for state in (State.FAIL, State.WARN):
        if any(each.state is state for each in results):
            return state
    return State.PASS if any(each.state is State.PASS for each in results) else State.INCONCLUSIVE
