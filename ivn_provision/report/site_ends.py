"""How the sites of a run have ended, in one word each, and the counts of them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from ivn_provision.errors import (
    DeadlineExceeded,
    Interrupted,
    IvnError,
    PartlyApplied,
    SpecError,
    Unreachable,
)
from ivn_provision.plan.three_way import is_drift
from ivn_provision.run.audit.record import SiteAudit
from ivn_provision.run.checking import Checked
from ivn_provision.run.events import About, Event, Step
from ivn_provision.run.outcomes import SiteOutcome
from ivn_provision.run.verifying import Verified
from ivn_provision.verify.result import State


class End(StrEnum):
    """The gravest that holds, worst first; the words of an audit, and those of an apply.

    `error`: a target or the tool refused. `partly`: an apply broke off. `drift`: live differs from declared (of
    `plan`: there is something to change). `failing`: a check or an alarm failed.
    `waived`: it differs, and all of it is excused. `inconclusive`: no check failed, and something could not be seen. `open`: a person is needed.
    `pending`: the recorder goes back by itself unless somebody confirms. `stopped`: not begun, or ended early.
    `not_applied`: it differs, and only because the files changed (`drift --base` knows it).
    """

    PARTLY = "partly"
    UNREACHABLE = "unreachable"
    ERROR = "error"
    INVALID = "invalid"
    REVERTED = "reverted"
    DRIFT = "drift"
    FAILING = "failing"
    WAIVED = "waived"
    INCONCLUSIVE = "inconclusive"
    OPEN = "open"
    PENDING = "pending"
    STOPPED = "stopped"
    NOT_APPLIED = "not_applied"
    DECLINED = "declined"
    SKIPPED = "skipped"
    APPLIED = "applied"
    CLEAN = "clean"


SAYS: Mapping[End, str] = MappingProxyType(
    {
        End.PARTLY: "partly applied",
        End.DRIFT: "differing",
        End.FAILING: "failing",
        End.NOT_APPLIED: "not applied",
        End.OPEN: "for a person",
        End.REVERTED: "put back",
        End.PENDING: "to be confirmed",
    }
)
"""For people, where the word itself does not say it."""


def says(end: End) -> str:
    """The word for people."""
    return SAYS.get(end, end.value)


def end_of(event: Event) -> End:
    """Of an event that ends a site."""
    return End.SKIPPED if event.step is Step.SKIPPED else end_of_result(event.about, event.step)


def end_of_result(about: About, step: Step = Step.FINISHED) -> End:
    """Of a site's result; where there is none, of the step."""
    if isinstance(about, SiteAudit):
        return End(about.state.value)
    error = about if isinstance(about, IvnError) else getattr(about, "error", None)
    if isinstance(about, SiteOutcome) and (found := _applied(about)) is not None:
        return found
    if isinstance(error, IvnError):
        return _by_error(error)
    if step is Step.FAILED:
        return End.ERROR
    return _outcome(about) if isinstance(about, SiteOutcome) else _by_results(about)


def _applied(outcome: SiteOutcome) -> End | None:
    """What only an apply can come to."""
    if outcome.reverted:
        return End.REVERTED
    if outcome.pending_until:
        return End.PENDING
    if outcome.declined:
        return End.DECLINED
    if outcome.error is None and outcome.outcomes:
        return End.APPLIED
    return None


def _by_error(error: IvnError) -> End:
    for kinds, end in _BY_ERROR:
        if isinstance(error, kinds):
            return end
    return End.OPEN if error.exit_code == 4 else End.ERROR


_BY_ERROR: tuple[tuple[type[IvnError] | tuple[type[IvnError], ...], End], ...] = (
    (PartlyApplied, End.PARTLY),
    ((Unreachable, DeadlineExceeded), End.UNREACHABLE),
    (SpecError, End.INVALID),
    (Interrupted, End.STOPPED),
)


def _outcome(outcome: SiteOutcome) -> End:
    plan = outcome.proof or outcome.plan
    if plan is None:
        return End.CLEAN
    if not plan.is_empty:
        return End.DRIFT if is_drift(plan) else End.NOT_APPLIED
    return End.OPEN if plan.open else End.CLEAN


def _by_results(about: About) -> End:
    """Of checks, or of an acceptance."""
    if isinstance(about, Checked):
        states = {each.state for each in about.results}
        rest = End.INCONCLUSIVE if State.INCONCLUSIVE in states else End.CLEAN
        return End.FAILING if State.FAIL in states else rest
    if isinstance(about, Verified) and about.acceptance is not None and not about.acceptance.passed:
        return End.FAILING
    return End.CLEAN
