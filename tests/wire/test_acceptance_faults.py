"""Each fault of the lab that an acceptance can see is said at the right pin, with the right remedy; no alarm gets out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ivn_provision.errors import PlanError, Refused
from ivn_provision.lab.nvr import mail_gate
from ivn_provision.verify.result import State
from tests.support.acceptance import (
    SITE,
    At,
    Clock,
    Technician,
    accepted,
    no_alarm_but_in_a_window,
    of_pin,
    said,
    window,
)
from tests.support.world import Events, World
from tests.wire.accepted_site import applied_site, events_of_recorder, put_right_after


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with applied_site(tmp_path_factory.mktemp("acceptance")) as world:
        yield world


@pytest.fixture
def site(lab: World) -> Iterator[World]:
    with put_right_after(lab):
        yield lab


@dataclass(frozen=True)
class Case:
    """A fault, the pin that is fired, what is said of it, and a word of the remedy. `closed`: nothing may still come."""

    place: str
    fault: str
    pin: str
    evidence: str
    remedy: str
    closed: bool = True


NO_MAIL = "fail no mail arrived within 2 s"
CASES = [
    Case("mail", "refuse-connection", "2S", NO_MAIL, "gates of the mail", closed=False),
    Case("mail", "no-starttls", "2S", NO_MAIL, "gates of the mail", closed=False),
    Case("mail", "refuse-login", "2S", NO_MAIL, "gates of the mail", closed=False),
    Case("mail", "refuse-recipient", "2S", NO_MAIL, "gates of the mail", closed=False),
    Case("mail", "lose", "2S", NO_MAIL, "gates of the mail", closed=False),
    Case("mail", "slow", "2S", NO_MAIL, "gates of the mail", closed=False),
    Case("mail", "duplicate", "2S", "fail 2 mails arrived for one trigger", "relay deliver twice"),
    Case("mail", "footer", "2S", "fail the body has a line that the template has not", "row 11"),
    Case("mail", "translate", "2S", "fail the body has no line 'Trigger Event :'", "row 11"),
    Case(SITE, "mail-swallowed", "2S", NO_MAIL, "R-55", closed=False),
    Case(SITE, "mail-twice", "2H", "fail 2 mails arrived for one trigger", "camera mail by itself"),
    Case(SITE, "clock-skew", "2S", "fail the mail says", "recorder's clock"),
    Case(SITE, "clock-skew", "2H", "fail the mail says", "recorder's clock"),
    Case(SITE, "event-port-closed", "2S", "fail the recorder's event port", "R-15"),
    Case(SITE, "login-refused", "2S", "fail the clip is login failed", "portal-login"),
    Case(SITE, "web-port-closed", "2S", "fail the clip is unreachable", "web-port"),
    Case("portal", "clips-fail", "2S", "fail the clip is timeout", "web-port"),
    Case("portal", "mail-from-elsewhere", "2S", "not from 127.", "location_address"),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{each.fault}-{each.pin}" for each in CASES])
def test_a_fault_is_said_at_its_pin(site: World, case: Case) -> None:
    site.edit(SITE, "  pins: all", f"  pins: [{case.pin}]")
    site.edit(SITE, "mail_within_seconds: 3", "mail_within_seconds: 2")
    site.lab.mail.slow_seconds = 60.0
    site.lab.fault(case.place, case.fault)
    acceptance = accepted(site, ask=Technician(site) if case.pin.endswith("H") else None, hardware_seconds=1)
    site.lab.mail.slow_seconds = 4.0
    assert case.evidence in said(acceptance), said(acceptance)
    assert not acceptance.passed
    assert not acceptance.is_good
    assert case.remedy in " ".join(each.found.remedy for each in acceptance.failed)
    assert all(each.found.remedy for each in acceptance.failed)
    assert (acceptance.window_until == "") is case.closed
    assert (window(site) is None) is case.closed
    no_alarm_but_in_a_window(site)


@pytest.mark.parametrize(
    ("tamper", "evidence"),
    [
        (("generic_event", "2 S", {"name": "2 s"}), "the portal took it as unparsed"),
        (("generic_event", "2 S", {"name": "7 S"}), "the mail is of pin 7; pin 2 was fired (soft)"),
        (("mail_message", "", {"body": "$TriggerName$ at $TriggerTime$"}), "no line 'Trigger Event :'"),
        (("mail_message", "", {"subject": "Alarm"}), "the subject is 'Alarm'"),
        (("mail_message", "", {"body": "Trigger Event : $Trigger$\nCamera is : \nTime: $TriggerTime$"}), "$Trigger$"),
    ],
    ids=["lower-case", "other-pin", "template", "subject", "mistyped-variable"],
)  # fmt: skip
def test_what_a_person_changed_on_the_recorder(
    site: World, tamper: tuple[str, str, dict[str, str]], evidence: str
) -> None:
    site.edit(SITE, "  pins: all", "  pins: [2S]")
    kind, key, fields = tamper
    site.lab.gui(SITE, "change", kind, key, fields)
    acceptance = accepted(site)
    if "name" in fields:
        site.lab.gui(SITE, "remove", kind, fields["name"])
    assert evidence in said(acceptance), said(acceptance)
    assert not acceptance.is_good
    assert window(site) is None, "the mail came, whatever is in it"


def test_a_pin_has_another_camera_in_the_portal(site: World) -> None:
    site.edit(SITE, "  pins: all", "  pins: [2H]")
    site.lab.tamper(SITE, "pin", "2H", {"camera": "11"})
    acceptance = accepted(site, ask=Technician(site))
    assert "fail the portal took it as camera mismatch" in said(acceptance, "2 H")
    assert "rows 3, 11, 34" in " ".join(each.found.remedy for each in acceptance.failed)


def test_a_rule_that_searches_hits_another_pin_too(site: World) -> None:
    """`5 S` is contained in `15 S`, so to speak: both of these events hear `5 S` (row 31)."""
    site.edit(SITE, "  pins: all", "  pins: [5S]")
    site.lab.gui(SITE, "change", "generic_event", "2 S", {"match": "5", "rule": "search"})
    acceptance = accepted(site)
    assert of_pin(acceptance, "5 S").events
    assert "fail 1 more mail arrived, of 2 S" in said(acceptance, check="others"), acceptance.results
    assert not acceptance.is_good


def test_a_minimum_interval_swallows_one_of_two(site: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One by one they arrive; together one is missing. The window waits for it."""
    monkeypatch.setattr(mail_gate, "MAIL_INTERVAL_SECONDS", 0.15)
    site.edit(SITE, "  pins: all", "  pins: [2S, 5S]")
    site.lab.fault(SITE, "mail-interval")
    acceptance = accepted(site)
    assert "fail of 2 S and 5 S, fired together, there is no mail for" in said(
        acceptance, check="two-at-once"
    )
    assert "Ignore similar messages" in acceptance.failed[0].found.remedy
    assert acceptance.window_until
    assert window(site) is not None


def test_two_at_once_are_doubled(site: World) -> None:
    site.edit(SITE, "  pins: all", "  pins: [2S, 5S]")
    observer = At(moment=("arrived", "5 S"), act=lambda: site.lab.fault("mail", "duplicate"))
    acceptance = accepted(site, observer=observer)
    assert "fired together, gave 4 mails" in said(acceptance, check="two-at-once")


def test_events_that_are_seen_late_are_waited_for(site: World) -> None:
    site.lab.fault("portal", "events-late")
    site.edit(SITE, "  pins: all", "  pins: [2S]")
    site.edit(SITE, "mail_within_seconds: 3", "mail_within_seconds: 8")
    acceptance = accepted(site)
    assert acceptance.passed, acceptance.results


def test_without_a_window_nothing_is_fired(site: World) -> None:
    site.lab.fault("portal", "test-session-refused")
    before, technician = events_of_recorder(site), Technician(site)
    with pytest.raises(Refused, match="off watch"):
        accepted(site, ask=technician)
    assert technician.tripped == []
    assert events_of_recorder(site) == before


def test_the_machines_clock_is_an_hour_off(site: World) -> None:
    """Its window would end at a wrong time."""
    before = events_of_recorder(site)
    with pytest.raises(Refused, match=r"clock and the portal's differ by 3[56]\d\d s"):
        accepted(site, clock=Clock(off=3600))
    with pytest.raises(Refused, match="until"):
        accepted(site, clock=Clock(off=-3600))
    assert events_of_recorder(site) == before
    assert window(site) is None


def test_the_machines_clock_is_a_minute_off(site: World) -> None:
    """It is no fault of the recorder's."""
    site.edit(SITE, "  pins: all", "  pins: [2S]")
    for off in (60.0, -60.0):
        acceptance = accepted(site, clock=Clock(off=off))
        assert acceptance.passed, acceptance.results
        assert said(acceptance).startswith("pass"), said(acceptance)


def test_a_machine_that_slept_fires_nothing_into_the_end_of_the_window(site: World) -> None:
    clock = Clock()

    def sleep() -> None:
        clock.off = 3600.0

    site.edit(SITE, "  pins: all", "  pins: [2S, 5S]")
    before = events_of_recorder(site)
    acceptance = accepted(site, clock=clock, observer=At(moment=("arrived", "2 S"), act=sleep))
    assert said(acceptance, "5 S") == "skipped not fired: the test window would have ended too soon"
    assert events_of_recorder(site) == before + 1
    assert "two-at-once" not in {each.check for each in acceptance.results}


def test_a_test_of_more_than_four_hours(site: World) -> None:
    with pytest.raises(PlanError, match=r"could take 4\.2 h"):
        accepted(site, ask=Technician(site), hardware_seconds=7200)
    assert window(site) is None


@pytest.mark.parametrize("fault", ["reset", "http_500", "html"])
def test_the_portal_dies_in_the_middle(site: World, fault: str) -> None:
    """What was seen is told; nothing more is fired; the window ends by itself."""
    site.edit(SITE, "  pins: all", "  pins: [2S, 5S]")
    observer = At(moment=("firing", "2 S"), act=lambda: site.lab.fault("portal", fault))
    before = events_of_recorder(site)
    acceptance = accepted(site, observer=observer, deadline=5)
    assert acceptance.window_until
    assert said(acceptance, "2 S").startswith("fail ")
    assert said(acceptance, "5 S") == "skipped not fired: the portal does not answer"
    assert said(acceptance, check="portal").startswith("fail ")
    assert events_of_recorder(site) == before + 1
    no_alarm_but_in_a_window(site)


def test_the_portal_is_away_for_a_moment(site: World) -> None:
    site.edit(SITE, "  pins: all", "  pins: [2S]")

    class Flaps(Events):
        def notify(self, event: object) -> None:
            site.lab.fault("portal", "reset")
            site.lab.run(_off_after(1.0))

    async def _off_after(seconds: float) -> None:
        import asyncio

        asyncio.get_running_loop().call_later(seconds, site.lab.portal.faults.discard, "reset")

    acceptance = accepted(site, observer=Flaps())
    assert acceptance.passed, acceptance.results


def test_the_portal_does_not_close_the_window(site: World) -> None:
    site.edit(SITE, "  pins: all", "  pins: [2S]")
    at_close = "the portal did not confirm that it is closed: "
    observer = At(moment=("arrived", "2 S"), act=lambda: _answers_no_write_soon(site))
    acceptance = accepted(site, observer=observer, deadline=5)
    assert at_close in said(acceptance, check="window")
    assert acceptance.window_until
    assert said(acceptance, check="window").startswith("warn the test window stays open until")


def _answers_no_write_soon(site: World) -> None:
    """Reads are spared by this fault."""
    site.lab.fault("portal", "http_500_after_commit")


@pytest.mark.parametrize("fault", ["reset", "http_500"])
def test_the_recorder_dies_in_the_middle(site: World, fault: str) -> None:
    site.edit(SITE, "  pins: all", "  pins: [2S, 5S, 2H]")
    observer = At(moment=("firing", "2 S"), act=lambda: site.lab.fault(SITE, fault))
    acceptance = accepted(site, ask=Technician(site), observer=observer, deadline=5)
    assert said(acceptance, "2 S").startswith("fail ")
    assert said(acceptance, "5 S") == "skipped not fired: the recorder does not answer"
    assert said(acceptance, "2 H").startswith("pass "), "a person can still trip it"
    no_alarm_but_in_a_window(site)


@pytest.mark.parametrize("fault", ["drop-at-send-once", "drop-at-receive-once", "lose-at-receive-once"])
def test_a_broken_line_fires_nothing_twice(site: World, fault: str) -> None:
    """Nobody knows whether the recorder was reached; the mail says so."""
    site.edit(SITE, "  pins: all", "  pins: [2S]")
    before = events_of_recorder(site)
    observer = At(moment=("firing", "2 S"), act=lambda: site.lab.fault(SITE, fault))
    acceptance = accepted(site, observer=observer)
    fired = events_of_recorder(site) - before
    assert fired <= 1
    assert acceptance.passed is (fired == 1), acceptance.results
    no_alarm_but_in_a_window(site)


def test_stopped_by_a_person_it_tells_what_it_has(site: World) -> None:
    stop = [False]

    def press() -> None:
        stop[0] = True

    site.edit(SITE, "  pins: all", "  pins: [2S, 5S]")
    observer = At(moment=("firing", "2 S"), act=press)
    acceptance = accepted(site, observer=observer, stopping=lambda: stop[0])
    assert acceptance.stopped
    assert not acceptance.passed
    assert said(acceptance, "2 S").startswith("pass "), "what was fired is waited for"
    assert said(acceptance, "5 S") == "skipped not fired: the test was stopped before"
    assert {each.state for each in acceptance.results if each.check == "window"} == {State.PASS}
    assert window(site) is None
