"""The product's side of a test at the portal, against the lab."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ivn_provision.drivers.portal.testing import PortalTesting
from ivn_provision.drivers.portal.testing_values import PortalEvent
from ivn_provision.errors import (
    AuthenticationFailed,
    Conflict,
    ProtocolFault,
    Refused,
    Unreachable,
)
from ivn_provision.run.targets import READ_SCOPE, TEST_SCOPE
from tests.support.world import World, started
from tests.wire.portal_client import in_half_an_hour, soon

SITE = "lab-0001"
RUN = "20261124T000001Z-00000001"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A site that was applied."""
    with started(tmp_path_factory.mktemp("testing")) as world:
        (outcome,) = world.apply(SITE)
        assert outcome.error is None, outcome.error
        yield world


@pytest.fixture
def portal(world: World) -> Iterator[PortalTesting]:
    made = world.opener().testing(world.site(SITE))
    yield made
    for each in world.lab.portal.core.sessions.all_running():
        made.close_window(each.id)
    made.close()


def test_a_window_is_opened_once_and_closed_as_often_as_one_likes(
    portal: PortalTesting, world: World
) -> None:
    until = in_half_an_hour()
    window = portal.open_window(RUN, until, "acceptance")
    assert (window.run, window.status, window.reason, window.closed_at) == (RUN, "open", "acceptance", None)
    assert abs((window.until - until).total_seconds()) < 0.002
    assert portal.open_window(RUN, until, "acceptance") == window
    assert portal.open_window(RUN, until + timedelta(minutes=1), "again") == window, (
        "the run's own is adopted"
    )
    assert portal.window(window.id) == window
    closed = portal.close_window(window.id)
    assert closed.status == "closed"
    assert portal.close_window(window.id) == closed == portal.window(window.id)
    assert len(world.lab.portal.core.sessions.all_running()) == 0
    with pytest.raises(Refused, match="it is closed"):
        portal.open_window(RUN, until, "acceptance")


def test_another_runs_window_is_in_the_way(portal: PortalTesting) -> None:
    portal.open_window("r-1", in_half_an_hour(), "theirs")
    with pytest.raises(Conflict, match="another run tests the site: r-1, until 2"):
        portal.open_window("r-2", in_half_an_hour(), "ours")


def test_what_the_portal_will_not_do_is_said(portal: PortalTesting, world: World) -> None:
    with pytest.raises(Refused, match="/until"):
        portal.open_window(RUN, datetime.now(UTC) + timedelta(hours=5), "too long")
    with pytest.raises(Refused, match="fires nothing"):
        portal.fire("recorder", 2)
    with pytest.raises(Refused, match="no such test session"):
        portal.close_window("ts-none")
    with pytest.raises(Refused, match="mail of such an event"):
        portal.mail_of(987_654)
    world.lab.fault("portal", "test-session-refused")
    try:
        with pytest.raises(Refused, match="does not take the site off watch"):
            portal.open_window("r-9", in_half_an_hour(), "refused")
    finally:
        world.lab.fault("portal", "test-session-refused", on=False)
    with pytest.raises(Refused, match="declares no portal"):
        world.opener().testing(replace(world.site(SITE), portal=None))
    with pytest.raises(ValueError, match="no id of a run"):
        portal.open_window("a b", in_half_an_hour(), "x")


def test_the_recorder_is_not_reached(portal: PortalTesting, world: World) -> None:
    portal.open_window(RUN, in_half_an_hour(), "closed port")
    world.lab.fault("portal", "event-port-closed")
    try:
        with pytest.raises(Unreachable, match="does not reach the recorder"):
            portal.fire("recorder", 2)
        assert portal.connectivity().event_port.status == "refused"
    finally:
        world.lab.fault("portal", "event-port-closed", on=False)


def test_a_trigger_is_fired_and_comes_back(portal: PortalTesting, world: World) -> None:
    before = portal.latest_event_id()
    window = portal.open_window("r-fire", in_half_an_hour(), "acceptance")
    fired = portal.fire("recorder", 2, key="once")
    assert (fired.pin, fired.payload) == (2, "2 S")
    assert portal.fire("recorder", 2, key="once") == fired
    (event,) = soon(lambda: portal.events_after(before))
    host = world.lab.site(SITE).host
    assert (event.pin, event.source, event.parse_status, event.test) == (2, "soft", "parsed", True)
    assert (event.camera, event.peer, event.test_session) == (10, host, window.id)
    assert event.release is not None
    assert event.release.status == "immediate"
    assert event.mail_time is not None

    def final() -> PortalEvent | None:
        (now,) = portal.events_after(before)
        return now if all(each.is_final for each in now.clips) else None

    seen = soon(final)
    assert [(each.status, each.pre, each.post) for each in seen.clips] == [("ready", 10.0, 10.0)]
    mail = portal.mail_of(event.id)
    assert (mail.sender, mail.recipients, mail.peer) == (event.sender, (event.recipient,), host)
    assert (mail.tls, mail.truncated) == (True, False)
    assert b"Trigger Event : 2 S" in mail.raw
    assert portal.events_after(event.id) == ()
    assert portal.latest_event_id() == event.id
    world.lab.fire_input(SITE, world.lab.site(SITE).cameras[1].address, 1)
    (gate,) = soon(lambda: portal.events_after(event.id))
    assert (gate.source, gate.event_type) == ("hardware", "entry_delay")
    assert gate.release is not None
    assert (gate.release.status, gate.release.released_at) == ("held", None)
    assert gate.release.due_at == gate.received_at + timedelta(seconds=45)
    assert world.lab.portal.alarms() == []


def test_the_portal_sees_an_applied_site_as_it_should(portal: PortalTesting, world: World) -> None:
    seen = portal.connectivity()
    site = world.lab.site(SITE)
    assert (seen.web_port.status, seen.event_port.status) == ("open", "open")
    assert seen.web_port.endpoint == f"{site.host}:8080"
    assert (seen.stranger_event_port.status, seen.login, seen.product) == ("refused", "ok", site.product)
    assert seen.clock_offset_seconds is not None
    assert abs(seen.clock_offset_seconds) <= 2
    assert seen.source_addresses == ("127.0.0.1",)


def test_a_broken_line_opens_no_second_window_and_is_asked_again(portal: PortalTesting, world: World) -> None:
    counters = world.lab.portal.counters.requests_by_route
    route = "POST /sites/{site_key}/test-sessions"
    before = counters[route]
    world.lab.fault("portal", "http_503")
    with closing(world.opener(3.0).testing(world.site(SITE))) as hasty, pytest.raises(ProtocolFault):
        hasty.open_window("r-broken", in_half_an_hour(), "broken")
    world.lab.fault("portal", "http_503", on=False)
    assert counters[route] == before
    until = in_half_an_hour()
    first = portal.open_window("r-broken", until, "broken")
    assert portal.open_window("r-broken", until, "broken") == first
    assert len(world.lab.portal.core.sessions.all_running()) == 1


@pytest.mark.parametrize("fault", ["http_500_after_commit-once", "http_500_after_commit"])
def test_a_window_whose_answer_is_lost_is_found_again(
    portal: PortalTesting, world: World, fault: str
) -> None:
    run, until = f"r-{fault}", in_half_an_hour()
    world.lab.fault("portal", fault)
    try:
        if fault.endswith("-once"):
            assert portal.open_window(run, until, "lost").status == "open"
        else:
            with pytest.raises(ProtocolFault):
                portal.open_window(run, until, "lost")
    finally:
        world.lab.fault("portal", fault, on=False)
    window = portal.open_window(run, until, "lost")
    (only,) = world.lab.portal.core.sessions.all_running()
    assert (window.id, window.status) == (only.id, "open")


def test_a_reading_token_may_not_test(world: World) -> None:
    assert set(READ_SCOPE.split()) < set(TEST_SCOPE.split())
    assert "sites:write" not in TEST_SCOPE
    opener, site = world.opener(), world.site(SITE)
    assert site.portal is not None
    read_only = PortalTesting(
        SITE, site.portal.account, opener._client(site.portal), opener._token(site.portal, READ_SCOPE)
    )
    with pytest.raises(AuthenticationFailed, match="tests:run"):
        read_only.open_window(RUN, in_half_an_hour(), "x")
    read_only.close()
