"""Any three sites: what the files said, what they say, and what a recorder holds. Causes follow from which are equal."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from ivn_provision.model.desired import Desired, desired_of
from ivn_provision.plan.plan import Cause, SitePlan
from ivn_provision.plan.three_way import Declared, with_causes
from ivn_provision.spec.site import Site
from tests.support.recorder import Recorder, configuration
from tests.support.sites import ADDRESSES, sites

BOUNDED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def holding(site: Site) -> Recorder:
    """A recorder on which the site was applied, as far as the tool can."""
    recorder = Recorder(configuration(ADDRESSES))
    recorder.apply(recorder.plan(desired_of(site)))
    return recorder


def judged(recorder: Recorder, head: Site, base: Desired | None) -> SitePlan:
    wanted = desired_of(head)
    plan = recorder.plan(wanted)
    return with_causes(plan, Declared(base, wanted, lambda _: None, lambda one, other: one == other))


def causes(plan: SitePlan) -> set[Cause]:
    """Of the differences that the tool could have made; a person's work was never done here."""
    return {change.cause for change in plan.changes if not change.manual}


@BOUNDED
@given(sites(), sites())
def test_what_is_as_declared_has_no_cause_whatever_base_said(head: Site, base: Site) -> None:
    assert causes(judged(holding(head), head, desired_of(base))) == set()


@BOUNDED
@given(sites(), sites())
def test_if_the_files_are_the_same_all_was_done_by_hand(head: Site, live: Site) -> None:
    assert causes(judged(holding(live), head, desired_of(head))) <= {Cause.BY_HAND}


@BOUNDED
@given(sites(), sites())
def test_if_live_is_as_the_files_said_nothing_was_done_by_hand(head: Site, base: Site) -> None:
    assert causes(judged(holding(base), head, desired_of(base))) <= {Cause.NOT_APPLIED}


@BOUNDED
@given(sites(), sites())
def test_a_site_that_did_not_exist_is_not_applied(head: Site, live: Site) -> None:
    assert causes(judged(holding(live), head, None)) <= {Cause.NOT_APPLIED}
