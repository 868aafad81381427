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
PER_SECOND = 4.0


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with started(tmp_path_factory.mktemp("fleet"), count=len(NAMES)) as world:
        for name in GONE:
            world.edit(name, f"port: {world.lab.site(name).https_port}", "port: 1")
        yield world


def test_sick_sites_hold_up_nobody(fleet: World) -> None:
    outcomes, ends = planned(fleet, {HANGING: "hang", BROKEN: "garbage_xml"}, 12.0, listed=len(NAMES))
    for name, kind in SICK.items():
        assert_named(outcomes[name], kind)
    assert_planned_right(fleet, outcomes)
    assert sorted(ends) == NAMES
    assert ends[-1] == HANGING, "all others ended while it hung"


def test_a_portal_that_throttles_a_request_for_each_site(fleet: World) -> None:
    """Without the list: more requests at a time than it takes, each of them let in in the end."""
    refused = fleet.lab.portal.limit.refused
    outcomes, _ = planned(fleet, {HANGING: "garbage_xml", BROKEN: "garbage_xml"}, 60.0, listed=0)
    assert fleet.lab.portal.limit.refused > refused, "the portal did throttle"
    for name in GONE:
        assert_named(outcomes[name], Unreachable)
    assert_planned_right(fleet, outcomes)


def planned(
    fleet: World, faults: Mapping[str, str], deadline: float, *, listed: int
) -> tuple[dict[str, SiteOutcome], list[str]]:
    """Outcomes by site, and the sites in the order of their ends, with sick recorders and a portal that throttles."""
    events, limits = Events(), FleetLimits(portal_per_second=None)
    fleet.lab.portal.limit.per_second = PER_SECOND
    switched = {**faults, "portal": "rate-limit"}
    for place, name in switched.items():
        fleet.lab.fault(place, name)
    try:
        sites = [fleet.site(name) for name in NAMES]
        outcomes = plan_sites(sites, fleet.opener(deadline, listed=listed, limits=limits), events)
    finally:
        for place, name in switched.items():
            fleet.lab.fault(place, name, on=False)
    ends = [each.site for each in events.seen if each.step in {Step.FINISHED, Step.FAILED}]
    return {each.site: each for each in outcomes}, ends


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
