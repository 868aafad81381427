"""The alarm arrives, or it is said where it stays: every pin of a site, over the lab's real wires."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ivn_provision.errors import Refused
from ivn_provision.report.acceptance_text import render_acceptance
from ivn_provision.report.paint import Paint
from tests.support.acceptance import SITE, Technician, accepted, said
from tests.support.world import World


@pytest.fixture
def site(world: World) -> World:
    """Applied, with little patience."""
    world.edit(SITE, "mail_within_seconds: 30", "mail_within_seconds: 3")
    assert world.apply(SITE)[0].error is None
    return world


def no_alarm_but_in_a_window(world: World) -> None:
    assert world.lab.portal.alarms() == []
    for event in world.lab.portal.events(SITE):
        assert event["test"] is True


def window_is_closed(world: World) -> bool:
    (outcome,) = world.plan(SITE)
    assert outcome.error is None
    sessions = world.lab.status()["portal"]
    return '"status": "open"' not in str(sessions)


def test_every_pin_arrives_once(site: World) -> None:
    technician = Technician(site)
    acceptance = accepted(site, ask=technician)
    assert acceptance.passed, [f"{e.state} {e.found}" for e in acceptance.results]
    assert technician.tripped == ["3 H", "2 H"], "the entry delay first, so that a perimeter alarm follows it"
    assert [each.shot.name for each in acceptance.records] == ["3 H", "2 H", "2 S"]
    for record in acceptance.records:
        assert len(record.events) == 1
        assert record.events[0].test
        assert [clip.status for clip in record.events[0].clips] == ["ready"]
    assert said(acceptance, check="entry-delay") == "pass the perimeter alarm handed on 3 H at once"
    assert said(acceptance, check="window") == "pass the test window is closed"
    assert acceptance.records[2].latency_seconds is not None
    no_alarm_but_in_a_window(site)


def test_two_soft_pins_at_once(site: World) -> None:
    site.edit(SITE, "  - {pin: 2, email: true}\n", "  - {pin: 2, email: true}\n  - {pin: 5, email: true}\n")
    site.edit(
        SITE,
        "    - {pin: 2, source: soft, camera: 10, event_type: perimeter}\n",
        "    - {pin: 2, source: soft, camera: 10, event_type: perimeter}\n"
        "    - {pin: 5, source: soft, camera: 11, event_type: perimeter}\n",
    )
    assert site.apply(SITE)[0].error is None
    acceptance = accepted(site)
    assert said(acceptance, check="two-at-once") == "pass 2 S and 5 S fired together gave two mails"
    assert not acceptance.failed
    site.lab.fault(SITE, "mail-interval")
    acceptance = accepted(site)
    assert "fail" in said(acceptance, check="two-at-once") + said(acceptance, "5 S")
    no_alarm_but_in_a_window(site)


def test_without_a_window_nothing_is_fired(site: World) -> None:
    site.lab.fault("portal", "test-session-refused")
    before = site.lab.nvr(SITE).counters.events
    technician = Technician(site)
    with pytest.raises(Refused, match="off watch"):
        accepted(site, ask=technician)
    assert technician.tripped == []
    assert site.lab.nvr(SITE).counters.events == before


NO_MAIL = "fail no mail arrived within 3 s"
FAULTS = [
    ("mail", "refuse-login", "2 S", NO_MAIL),
    ("mail", "lose", "2 S", NO_MAIL),
    (SITE, "mail-swallowed", "2 S", NO_MAIL),
    ("mail", "duplicate", "2 S", "fail 2 mails arrived for one trigger"),
    (SITE, "mail-twice", "2 H", "fail 2 mails arrived for one trigger"),
    ("mail", "footer", "2 S", "fail the body has a line that the template has not"),
    ("mail", "translate", "2 S", "fail the body has no line 'Trigger Event :'"),
    (SITE, "clock-skew", "2 S", "s after the trigger was fired"),
    (SITE, "clock-skew", "2 H", "s after the trigger was fired"),
    (SITE, "event-port-closed", "2 S", "does not take 2 S: connection refused"),
    ("portal", "clips-fail", "2 S", "fail the clip is"),
    (SITE, "login-refused", "2 S", "fail the clip is login failed"),
    (SITE, "web-port-closed", "2 S", "fail the clip is unreachable"),
    ("portal", "mail-from-elsewhere", "2 S", "not from 127."),
]


@pytest.mark.parametrize(
    ("place", "fault", "pin", "evidence"), FAULTS, ids=[each[1] + each[2][-1] for each in FAULTS]
)
def test_a_fault_is_said_at_its_pin(site: World, place: str, fault: str, pin: str, evidence: str) -> None:
    site.lab.fault(place, fault)
    acceptance = accepted(site, ask=Technician(site) if pin.endswith("H") else None)
    assert not acceptance.passed
    assert not acceptance.is_good
    assert evidence in said(acceptance, pin), said(acceptance)
    assert all(each.found.remedy for each in acceptance.failed)
    no_alarm_but_in_a_window(site)


def test_a_late_mail_keeps_the_window_open(site: World) -> None:
    """Closing it would make an alarm of the mail that is still on its way."""
    site.lab.fault("mail", "slow")
    site.edit(SITE, "mail_within_seconds: 3", "mail_within_seconds: 1")
    acceptance = accepted(site)
    assert "no mail arrived within 1 s" in said(acceptance, "2 S")
    assert acceptance.window_until
    assert datetime.fromisoformat(acceptance.window_until) > datetime.now(UTC)
    site.lab.run(_later(site, 6), timeout=20)
    events = site.lab.portal.events(SITE)
    assert len(events) == 1, "it came in the end"
    no_alarm_but_in_a_window(site)


async def _later(world: World, seconds: float) -> None:
    import asyncio

    del world
    await asyncio.sleep(seconds)


def test_the_place_where_the_grammar_failed_is_shown(site: World) -> None:
    site.lab.fault("mail", "translate")
    text = render_acceptance(accepted(site), Paint(on=False))
    lines = text.splitlines()
    at = next(index for index, line in enumerate(lines) if "Ausloesendes Ereignis : 2 S" in line)
    assert lines[at + 1].strip() == "^"
    assert lines[at + 1].index("^") == lines[at].index("A")


def test_a_person_who_does_not_trip_it(site: World) -> None:
    acceptance = accepted(site, ask=Technician(site, asleep=True), hardware_seconds=0.5)
    assert "no mail arrived" in said(acceptance, "2 H")
    assert acceptance.window_until, "he may trip it yet"


def test_the_portal_dies_in_the_middle(site: World) -> None:
    """What was seen until then is not lost, and the window ends by itself."""

    class Dies(Technician):
        def __call__(self, shot: object) -> None:
            self.world.lab.fault("portal", "http_500")

    acceptance = accepted(site, ask=Dies(site), hardware_seconds=1.0)
    assert {each.state.value for each in acceptance.results} >= {"fail", "warn"}
    assert acceptance.window_until
    site.lab.fault("portal", "http_500", on=False)


def test_a_soft_trigger_costs_one_remote_process(site: World) -> None:
    counters = site.lab.nvr(SITE).counters
    before = counters.processes
    accepted(site)
    assert counters.processes - before == 1
