"""A fleet with sick sites and a portal that throttles: the healthy are planned right, the sick are named, nobody waits.

What is asserted is the order of the ends, not the time: a site that hangs ends after all that are well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from ivn_provision.errors import DeadlineExceeded, IvnError, ProtocolFault, Unreachable
from ivn_provision.report.errors_text import render_error
from ivn_provision.report.paint import Paint
from ivn_provision.run.engine import plan_sites
from ivn_provision.run.events import Step
from ivn_provision.run.fleet.limits import FleetLimits
from ivn_provision.run.outcomes import SiteOutcome
from tests.support.world import Events, World, started

NAMES = [f"lab-{number:04d}" for number in range(1, 21)]
GONE, HANGING, BROKEN = (NAMES[3], NAMES[13]), NAMES[7], NAMES[10]
SICK: Mapping[str, type[IvnError]] = {
    **dict.fromkeys(GONE, Unreachable),
    HANGING: DeadlineExceeded,
    BROKEN: ProtocolFault,
}
WELL = [name for name in NAMES if name not in SICK]
DEADLINE = 10.0
PER_SECOND = 5.0


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with started(tmp_path_factory.mktemp("fleet"), count=len(NAMES)) as world:
        for name in GONE:
            world.edit(name, f"port: {world.lab.site(name).https_port}", "port: 1")
        yield world


@pytest.mark.parametrize("listed", [len(NAMES), 0], ids=["the list", "a request each"])
def test_sick_sites_and_a_portal_that_throttles(fleet: World, listed: int) -> None:
    for name, fault in ((HANGING, "hang"), (BROKEN, "garbage_xml")):
        fleet.lab.fault(name, fault)
    fleet.lab.portal.limit.per_second = PER_SECOND
    fleet.lab.fault("portal", "rate-limit")
    refused = fleet.lab.portal.limit.refused
    events = Events()
    limits = FleetLimits(portal_per_second=None)
    try:
        sites = [fleet.site(name) for name in NAMES]
        outcomes = plan_sites(sites, fleet.opener(DEADLINE, listed=listed, limits=limits), events)
    finally:
        fleet.lab.fault("portal", "rate-limit", on=False)
        for name in (HANGING, BROKEN):
            for fault in ("hang", "garbage_xml"):
                fleet.lab.fault(name, fault, on=False)
    by_name = {each.site: each for each in outcomes}
    assert_planned_right(fleet, by_name)
    for name, kind in SICK.items():
        assert_named(by_name[name], kind)
    if not listed:
        assert fleet.lab.portal.limit.refused > refused, "the portal did throttle"
    ends = [each.site for each in events.seen if each.step in {Step.FINISHED, Step.FAILED}]
    assert sorted(ends) == NAMES
    assert ends[-1] == HANGING, "it held up nobody"


def assert_planned_right(fleet: World, by_name: Mapping[str, SiteOutcome]) -> None:
    """As a run says that has nothing to do with sick sites."""
    assert {name: by_name[name].error for name in WELL} == dict.fromkeys(WELL)
    for expected in fleet.plan(*WELL):
        found = by_name[expected.site].plan
        assert found is not None
        assert expected.plan is not None
        assert found.changes == expected.plan.changes
        assert found.changes


def assert_named(outcome: SiteOutcome, kind: type[IvnError]) -> None:
    assert isinstance(outcome.error, kind), f"{outcome.site}: {outcome.error!r}"
    text = render_error(outcome.error, Paint(on=False))
    assert outcome.site in text
    assert "127." in text
    assert "next:" in text
