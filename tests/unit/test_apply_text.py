"""What an apply says afterwards: only what is known to be made counts as made."""

from __future__ import annotations

from ivn_provision.drivers.base import Outcome
from ivn_provision.errors import PartlyApplied
from ivn_provision.model.resource import Address
from ivn_provision.plan.plan import Action, Change, SitePlan
from ivn_provision.report.apply_text import render_outcome
from ivn_provision.report.paint import Paint
from ivn_provision.run.applying import judge
from ivn_provision.run.engine import SiteOutcome

ADDRESSES = (Address("site", "portal", "device"), Address("site", "nvr", "camera", "10"))
PLAN = SitePlan("site", tuple(Change(each, Action.CREATE, ()) for each in ADDRESSES))


def shown(*statuses: str) -> str:
    outcomes = tuple(Outcome(address, status) for address, status in zip(ADDRESSES, statuses, strict=True))
    error = PartlyApplied("cut") if "unknown" in statuses else None
    return render_outcome(SiteOutcome("site", PLAN, outcomes, error=error), Paint(on=False))


def test_a_whole_apply_is_complete() -> None:
    assert shown("done", "done") == "Apply complete! site: 2 added, 0 changed, 0 destroyed."


def test_a_broken_apply_is_never_called_complete() -> None:
    assert shown("done", "unknown") == "Apply incomplete: site: 1 of 2 changes are known to be made."
    assert shown("unknown", "unknown") == "Apply incomplete: site: 0 of 2 changes are known to be made."


def test_a_person_is_asked_for_what_only_a_person_can_do() -> None:
    camera, event = Address("site", "nvr", "camera", "10"), Address("site", "nvr", "hardware_event", "2")
    waiting = (
        Change(camera, Action.CREATE, (), manual=True),
        Change(event, Action.CREATE, (), blocked_by=camera),
    )
    error = judge("site", SitePlan("site", waiting))
    assert error is not None
    assert (
        error.summary == "site needs a person for 1 change(s) that the tool cannot make; 1 more wait for that"
    )


def test_a_run_that_waits_says_until_when_and_both_ways_on() -> None:
    done = tuple(Outcome(each, "done") for each in ADDRESSES)
    waits = SiteOutcome("site", PLAN, done, run="RUN", pending_until="2026-11-24T10:25:00Z")
    text = render_outcome(waits, Paint(on=False))
    assert text.endswith(
        "Pending: the recorder of site puts the earlier state back at 2026-11-24T10:25:00Z, "
        "unless you run: ivn-provision confirm site\n"
        "  To undo it now: ivn-provision resume RUN --revert"
    )
