"""What a camera says of itself is judged: only what is plain, and nothing that was not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from ivn_provision.drivers.axis.advisories import advisories, may_call, unjudged, version, weaknesses
from ivn_provision.drivers.axis.seen import CameraClock, Mailer
from ivn_provision.plan.plan import SitePlan
from ivn_provision.spec.site import HardwareEvent
from ivn_provision.verify.checks import CHECKS
from ivn_provision.verify.evidence import Evidence
from ivn_provision.verify.registry import run
from ivn_provision.verify.result import Found, State
from tests.support.good_evidence import camera_seen, good_evidence

ACCOUNT = "s4711@alarms.example"


def found(check: str, evidence: Evidence | None = None, **seen: Any) -> list[Found]:
    """What the check says of the good camera with these differences."""
    camera = replace(camera_seen(), **seen)
    evidence = replace(evidence or good_evidence(), cameras={10: camera})
    return [each.found for each in run(CHECKS, evidence) if each.check == check]


def one(check: str, **seen: Any) -> Found:
    (only,) = found(check, **seen)
    return only


# -- the mail server: how a camera words it is not published ------------------------------------------------


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("OK: connected to mail.guard.example:25", State.PASS),
        ("Success", State.PASS),
        ("Connection established.", State.PASS),
        ("Error: could not connect to mail.guard.example:25", State.FAIL),
        ("connection refused", State.FAIL),
        ("Timed out", State.FAIL),
        ("OK, but not connected", State.INCONCLUSIVE),
        ("0", State.INCONCLUSIVE),
        ("tcptest: 220 mail.guard.example ESMTP", State.INCONCLUSIVE),
    ],
)
def test_the_answer_on_the_mail_server_is_shown_and_judged_where_it_is_plain(said: str, state: State) -> None:
    seen = one("camera-mail-server", mail_server=said)
    assert seen.state is state
    assert said in seen.evidence


def test_a_mail_server_that_was_not_asked_for_says_why() -> None:
    seen = one("camera-mail-server", mail_server="", missing={"mail_server": "not asked: CVE-1"})
    assert (seen.state, seen.evidence) == (State.INCONCLUSIVE, "not asked: CVE-1")


# -- inputs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        ({"active": {1: False}}, State.PASS),
        ({"active": {1: True}}, State.WARN),
        ({"active": {}}, State.INCONCLUSIVE),
        ({"active": {2: False}}, State.INCONCLUSIVE),
        ({"inputs": None}, State.INCONCLUSIVE),
        ({"inputs": frozenset({2})}, State.FAIL),
        ({"inputs": frozenset()}, State.FAIL),
        ({"inputs": frozenset({2}), "outputs": frozenset({1})}, State.FAIL),
    ],
)
def test_inputs(seen: Mapping[str, Any], state: State) -> None:
    assert one("camera-inputs", **seen).state is state


def test_an_input_of_an_event_that_is_not_there_names_the_event() -> None:
    site = good_evidence().site
    event = next(each for each in site.hardware_events or () if each.camera == 10)
    more: HardwareEvent = replace(event, pin=9, input=4)
    site = replace(site, hardware_events=(*(site.hardware_events or ()), more))
    said = found("camera-inputs", replace(good_evidence(), site=site))
    assert [each.state for each in said] == [State.PASS, State.FAIL]
    assert "hardware event 9 H" in said[1].evidence
    assert said[1].subject == "camera 10 input 4"


# -- firmware -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "firmware", "known"),
    [
        ("M1034-W", "5.50.5.9", {"CVE-2017-9765": "5.50.5.10", "CVE-2023-5677": "5.51.7.7"}),
        ("M1034-W", "5.50.5.10", {"CVE-2023-5677": "5.51.7.7"}),
        ("P5512", "5.51.7", {"CVE-2023-5677": "5.51.7.7"}),
        ("P5512", "5.51.7.7", {}),
        ("P5512", "5.51.7.10", {}),
        ("P5512", "5.5", {"CVE-2017-9765": "5.50.4.7"}),
        ("P3245-LVE", "11.11.73", {}),
        ("M1034-W", "unknown", {}),
    ],
)
def test_versions_are_compared_as_numbers(model: str, firmware: str, known: Mapping[str, str]) -> None:
    assert {each.advisory.id: each.fixed for each in weaknesses(model, firmware)} == known


def test_firmware_is_shown_and_what_is_not_known_is_said() -> None:
    good = one("camera-firmware")
    assert good.state is State.PASS
    assert "AXIS P3245-LVE, firmware 11.11.73" in good.evidence
    assert "CVE-2017-9765 concerns this model is not known here" in good.evidence
    assert unjudged("M1034-W") == ()
    bad = found("camera-firmware", model="M1034-W", firmware="5.50.5.9")
    assert {each.state for each in bad} == {State.WARN}
    assert all("install firmware" in each.remedy for each in bad)
    assert [" may have " in each.evidence for each in bad] == [False, True]
    assert one("camera-firmware", firmware="").state is State.INCONCLUSIVE


def test_only_firmware_that_may_be_asked_is_asked() -> None:
    assert may_call("M1034-W", "5.50.5.10", "tcptest") == "firmware 5.50.5.10 may have CVE-2023-5677"
    assert may_call("M1034-W", "", "tcptest")
    assert may_call("M1034-W", "5.51.7.7", "tcptest") == ""
    assert may_call("P3245-LVE", "11.11.73", "tcptest") == ""


def test_the_list_of_advisories_is_sound() -> None:
    for each in advisories():
        assert each.id.startswith("CVE-")
        assert each.what
        assert all(version(fixed) for fixed in (*each.mended.values(), *each.tracks.values()))
        assert bool(each.mended) != bool(each.tracks)


# -- events of the older kind, and rules that mail ------------------------------------------------------------


def test_events_of_the_older_kind_warn() -> None:
    said = one("camera-legacy-events", legacy=("Event.E0 (Door)", "Event.E3"))
    assert said.state is State.WARN
    assert "2 events" in said.evidence
    assert "action=list&group=Event" in said.remedy


def mails(*mailers: Mailer, account: str = ACCOUNT, **seen: Any) -> list[State]:
    plan = good_evidence().plan
    assert plan is not None
    live = {
        address: {**fields, "smtp_account_id": account} if address.kind == "device" else fields
        for address, fields in plan.live.items()
    }
    shown: SitePlan = replace(plan, live=live)
    evidence = replace(good_evidence(), plan=shown)
    seen = {"mailers": mailers, **seen}
    return [each.state for each in found("camera-mails", evidence, **seen)]


def test_rules_that_mail() -> None:
    assert mails() == [State.PASS]
    assert mails(Mailer("A", ("guard@x.example",))) == [State.PASS]
    assert mails(Mailer("A", ("guard@x.example", ACCOUNT.upper()))) == [State.FAIL]
    assert mails(Mailer("A", ())) == [State.INCONCLUSIVE]
    assert mails(Mailer("A", (ACCOUNT,)), Mailer("B", ())) == [State.FAIL, State.INCONCLUSIVE]
    assert mails(Mailer("A", ("guard@x.example",)), account="") == [State.INCONCLUSIVE]
    assert mails(mailers=None, missing={"mailers": "no service"}) == [State.INCONCLUSIVE]


# -- the clock ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset", "state"),
    [(0.0, State.PASS), (-0.9, State.PASS), (2.0, State.WARN), (-4.0, State.WARN), (60.0, State.FAIL)],
)
def test_the_clock(offset: float, state: State) -> None:
    assert one("camera-clock", clock=CameraClock(offset, "said", "UTC")).state is state


def test_a_time_without_a_zone_is_not_judged() -> None:
    said = one(
        "camera-clock", clock=CameraClock(None, "Jul 24, 2013 19:19:17", "local time of no known zone")
    )
    assert said.state is State.INCONCLUSIVE
    assert "Jul 24, 2013 19:19:17" in said.evidence
    assert one("camera-clock", clock=None, missing={"clock": "cut"}).evidence == "cut"
