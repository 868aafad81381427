"""What was found on a site, in one line."""

from __future__ import annotations

from collections.abc import Sequence

from ivn_provision.plan.plan import SitePlan
from ivn_provision.verify.result import Result as Checked
from ivn_provision.verify.result import State


def failing(results: Sequence[Checked]) -> str:
    """The checks that failed, in words; "" for none."""
    wrong = [each for each in results if each.state is State.FAIL]
    if not wrong:
        return ""
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return f"check {wrong[0].check}: {wrong[0].found.evidence or wrong[0].found.subject}{more}"


def differences(plan: SitePlan) -> str:
    """What a plan comes to, in words; "" for nothing."""
    if plan.is_empty:
        return ""
    first = f"{plan.changes[0].action.value} {plan.changes[0].address}"
    more = len(plan.changes) - 1
    return f"{first}{f' and {more} more' if more else ''}"
