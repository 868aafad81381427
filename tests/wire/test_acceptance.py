"""The alarm arrives, or it is said where it stays: every pin of a site, over the lab's real wires."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from ivn_provision.report.acceptance_json import acceptance_json
from ivn_provision.report.acceptance_text import render_acceptance
from ivn_provision.report.paint import Paint
from ivn_provision.verify.result import State
from tests.support.acceptance import (
    SITE,
    Technician,
    accepted,
    no_alarm_but_in_a_window,
    of_pin,
    said,
    window,
)
from tests.support.world import World
from tests.wire.accepted_site import applied_site, put_right_after


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with applied_site(tmp_path_factory.mktemp("acceptance")) as world:
        yield world


@pytest.fixture
def site(lab: World) -> Iterator[World]:
    with put_right_after(lab):
        yield lab


def test_every_pin_arrives_once(site: World) -> None:
    technician, before = Technician(site), site.lab.nvr(SITE).counters.processes
    acceptance = accepted(site, ask=technician)
    assert {each.state for each in acceptance.results} == {State.PASS}, acceptance.results
    assert acceptance.passed
    assert acceptance.is_good
    assert technician.tripped == ["3 H", "2 H"], "the entry delay first, so that a perimeter alarm follows it"
    assert [each.shot.name for each in acceptance.records] == ["3 H", "2 H", "2 S", "5 S"]
    for record in acceptance.records:
        assert len(record.events) == 1
        assert record.events[0].test
        assert [clip.status for clip in record.events[0].clips] == ["ready"]
        assert (record.latency_seconds is None) == (record.shot.source == "hardware")
    assert said(acceptance, check="window") == "pass the test window is closed"
    assert window(site) is None
    processes = site.lab.nvr(SITE).counters.processes - before
    assert processes == 3, "one for each soft pin, and one for two at once"
    no_alarm_but_in_a_window(site)


def test_an_entry_delay_is_held_and_a_perimeter_alarm_lets_it_go(site: World) -> None:
    acceptance = accepted(site, ask=Technician(site))
    (held,), (perimeter,) = of_pin(acceptance, "3 H").events, of_pin(acceptance, "2 H").events
    assert held.release is not None
    assert perimeter.release is not None
    assert held.release.status == "released"
    assert held.release.due_at == held.received_at + timedelta(seconds=45)
    assert held.release.released_at == perimeter.received_at
    assert perimeter.release.status == "immediate"
    assert said(acceptance, check="entry-delay") == (
        "pass the perimeter alarm handed on 3 H at once (assumed behaviour of the portal)"
    )


def test_an_entry_delay_alone_stays_held(site: World) -> None:
    site.edit(SITE, "  pins: all", "  pins: [3H]")
    acceptance = accepted(site, ask=Technician(site))
    assert acceptance.passed, [(each.state, each.check, each.found) for each in acceptance.results]
    (held,) = of_pin(acceptance, "3 H").events
    assert held.release is not None
    assert held.release.status == "held"
    assert said(acceptance, check="entry-delay") == ""


def test_two_pins_at_once_give_two_mails(site: World) -> None:
    acceptance = accepted(site)
    assert said(acceptance, check="two-at-once") == "pass 2 S and 5 S fired together gave two mails"
    assert acceptance.passed, [(each.state, each.check, each.found) for each in acceptance.results]
    assert {each.shot.name for each in acceptance.records if each.skipped} == {"2 H", "3 H"}


def test_one_soft_pin_cannot_be_two(site: World) -> None:
    site.edit(SITE, "  pins: all", "  pins: [2S]")
    acceptance = accepted(site)
    assert acceptance.passed
    assert said(acceptance, check="two-at-once").startswith("skipped not tried: two soft triggers")


def test_where_nothing_can_be_fired_the_site_stays_on_watch(site: World) -> None:
    site.edit(SITE, "  pins: all", "  pins: [2H]")
    asked = site.lab.portal.counters.requests_by_route["POST /sites/{site_key}/test-sessions"]
    acceptance = accepted(site)
    assert not acceptance.passed
    assert not acceptance.is_good
    assert {each.state for each in acceptance.results} == {State.SKIPPED}
    routes = site.lab.portal.counters.requests_by_route
    assert routes["POST /sites/{site_key}/test-sessions"] == asked


def test_a_late_mail_keeps_the_window_open(site: World) -> None:
    """Closing it would make an alarm of the mail that is still on its way."""
    site.lab.fault("mail", "slow")
    site.edit(SITE, "mail_within_seconds: 3", "mail_within_seconds: 1")
    site.edit(SITE, "  pins: all", "  pins: [2S]")
    before = len(site.lab.portal.events(SITE))
    site.lab.mail.slow_seconds = 25.0
    try:
        acceptance = accepted(site)
        assert "no mail arrived within 1 s" in said(acceptance, "2 S")
        assert acceptance.window_until
        assert datetime.fromisoformat(acceptance.window_until) > datetime.now(UTC) + timedelta(minutes=10)
        assert said(acceptance, check="window").startswith("warn the test window stays open until ")
        assert said(acceptance, check="window").endswith(": 2 S")
        assert window(site) is not None
        assert len(site.lab.portal.events(SITE)) == before
    finally:
        site.lab.mail.slow_seconds = 4.0


def test_a_mail_that_comes_after_its_time_is_late_and_the_window_may_close(site: World) -> None:
    site.lab.fault("mail", "slow")
    site.edit(SITE, "mail_within_seconds: 3", "mail_within_seconds: 1")
    site.edit(SITE, "  pins: all", "  pins: [2S]")
    site.lab.mail.slow_seconds = 2.5
    try:
        acceptance = accepted(site)
    finally:
        site.lab.mail.slow_seconds = 4.0
    assert "s after the trigger; the limit is 1 s" in said(acceptance, "2 S"), said(acceptance)
    assert acceptance.window_until == ""
    no_alarm_but_in_a_window(site)


@pytest.mark.parametrize(
    ("fault", "line", "under"),
    [("translate", "Ausloesendes Ereignis : 2 S", "A"), ("footer", "-- ", "-")],
)
def test_the_place_where_the_grammar_failed_is_shown(site: World, fault: str, line: str, under: str) -> None:
    site.lab.fault("mail", fault)
    site.edit(SITE, "  pins: all", "  pins: [2S]")
    acceptance = accepted(site)
    lines = render_acceptance(acceptance, Paint(on=False)).splitlines()
    at = next(index for index, each in enumerate(lines) if line.strip() in each and "'" not in each)
    assert lines[at + 1].strip() == "^"
    assert lines[at + 1].index("^") == lines[at].index(under)
    findings = acceptance_json(acceptance)["pins"][0]["findings"]
    assert any(each["line"] and each["column"] for each in findings), findings


def test_a_person_who_does_not_trip_it_may_do_so_later(site: World) -> None:
    site.edit(SITE, "  pins: all", "  pins: [2H]")
    acceptance = accepted(site, ask=Technician(site, asleep=True), hardware_seconds=0.5)
    assert "no mail arrived" in said(acceptance, "2 H")
    assert acceptance.window_until
    mails = site.lab.portal.counters.mails
    site.lab.fire_input(SITE, "192.168.10.61", 1)
    end = time.monotonic() + 10
    while site.lab.portal.counters.mails == mails and time.monotonic() < end:
        time.sleep(0.05)
    no_alarm_but_in_a_window(site)


def test_what_was_said_as_json(site: World) -> None:
    site.edit(SITE, "  pins: all", "  pins: [2S, 5S]")
    acceptance = accepted(site)
    assert acceptance.passed, [(each.state, each.check, each.found) for each in acceptance.results]
    shown = json.loads(json.dumps(acceptance_json(acceptance)))
    assert shown["accepted"] is True
    assert shown["window_until"] is None
    assert [(each["pin"], each["source"], each["error"]) for each in shown["pins"]] == [
        (2, "soft", None),
        (5, "soft", None),
    ]
    assert all(0 < each["latency_seconds"] < 60 for each in shown["pins"])


def test_somebody_trips_a_contact_meanwhile(site: World) -> None:
    """A real alarm of a pin that was not fired yet is not taken for its test; it is told."""
    site.edit(SITE, "  pins: all", "  pins: [2S, 2H]")
    acceptance = accepted(site, ask=_Twice(site))
    assert "fail 2 mails arrived for one trigger" in said(acceptance, "2 H")


class _Twice(Technician):
    def __call__(self, shot: object) -> None:
        for _ in range(2):
            self.world.lab.fire_input(SITE, "192.168.10.61", 1)
