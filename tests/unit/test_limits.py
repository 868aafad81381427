"""The most that a plan may break, and how a limit is passed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ivn_provision.errors import LimitExceeded, UsageProblem
from ivn_provision.model.resource import UNSET, Address, Value
from ivn_provision.plan.limits import Reach, check_limits, parse_allowances, reach_of
from ivn_provision.plan.plan import Action, Change, FieldChange, SitePlan, TargetFacts
from ivn_provision.spec.site import Limits

NVR = (TargetFacts("nvr", "XProtect", "8.6a", "here"),)


def change(kind: str, key: str, action: Action = Action.UPDATE, **fields: Value) -> Change:
    target = "portal" if kind in {"pin", "site", "device"} else "nvr"
    changes = tuple(FieldChange(name, UNSET, value) for name, value in fields.items())
    return Change(Address("s", target, kind, key), action, changes)


def plan(*changes: Change, cameras: int = 2, pins: tuple[int, ...] = ()) -> SitePlan:
    live: dict[Address, dict[str, Value]] = {
        Address("s", "nvr", "camera", str(10 + each)): {} for each in range(cameras)
    }
    live |= {
        Address("s", "portal", "pin", f"{number}H"): {"camera": number, "enabled": True} for number in pins
    }
    return SitePlan("s", changes, facts=NVR, live=live)


DEFAULTS = Limits()


def check(found: SitePlan, limits: Limits = DEFAULTS, **allowances: int) -> None:
    check_limits([(found, limits)], fleet_size=1, allowances=allowances)


def test_what_a_write_on_the_recorder_reaches() -> None:
    assert reach_of(plan(change("camera", "10"))) == Reach(0, 2, 60, 0)


@pytest.mark.parametrize("kind", ["firewall_rule", "windows_service", "pin"])
def test_what_restarts_no_recording_service_stops_no_camera(kind: str) -> None:
    found = reach_of(plan(change(kind, "10H", camera=10)))
    assert (found.cameras_stopped, found.outage_seconds) == (0, 0)


def test_what_a_person_must_do_reaches_nothing() -> None:
    by_hand = replace(change("generic_event", "2", Action.DELETE), manual=True)
    assert reach_of(plan(by_hand)) == Reach(0, 0, 0, 0)


def test_pins_without_video() -> None:
    blind = change("pin", "3H", Action.CREATE, camera=99, enabled=True)
    off = change("pin", "4H", Action.CREATE, camera=98, enabled=False)
    assert reach_of(plan(blind, off)).pins_without_video == 1
    assert reach_of(plan(change("camera", "10"), pins=(99, 10))).pins_without_video == 1
    made = change("camera", "99", Action.CREATE)
    assert reach_of(plan(blind, made)).pins_without_video == 0
    assert reach_of(replace(plan(blind), facts=())).pins_without_video == 0, "no recorder was read"


def test_a_limit_is_passed_with_its_exact_number_only() -> None:
    many = plan(*(change("generic_event", str(each), Action.DELETE) for each in range(6)))
    with pytest.raises(LimitExceeded) as caught:
        check(many)
    assert "--allow deletes=6" in caught.value.next_step
    check(many, deletes=6)
    for other in (5, 7, 100):
        with pytest.raises(LimitExceeded, match="another number"):
            check(many, deletes=other)
    check(many, Limits(deletes=6))


def test_sites_and_share_of_the_fleet() -> None:
    one = plan(change("camera", "10"))
    sites = [(one, Limits()) for _ in range(11)]
    check_limits(sites, fleet_size=44, allowances={})
    with pytest.raises(LimitExceeded) as caught:
        check_limits(sites, fleet_size=43, allowances={})
    assert "--allow fleet_percent=26" in caught.value.next_step
    check_limits(sites[:10], fleet_size=10, allowances={})
    with pytest.raises(LimitExceeded, match="sites that one run touches"):
        check_limits([(one, Limits(sites=3))] * 4, fleet_size=400, allowances={})


def test_a_run_that_changes_nothing_has_no_limits() -> None:
    check_limits([(plan(), Limits(sites=1))] * 50, fleet_size=50, allowances={})


@pytest.mark.parametrize("text", ["deletes", "deletes=x", "deletes=-1", "delete=1", "=1", "deletes=1=2"])
def test_an_allowance_that_is_none(text: str) -> None:
    with pytest.raises(UsageProblem):
        parse_allowances([text])


def test_allowances() -> None:
    assert parse_allowances(["deletes=7", "sites=30"]) == {"deletes": 7, "sites": 30}


def test_all_limits_are_said_at_once() -> None:
    """Nobody wants to be told of the next one after each --allow."""
    many = plan(
        *(change("generic_event", str(each), Action.DELETE) for each in range(6)),
        change("pin", "3H", Action.CREATE, camera=99, enabled=True),
    )
    strict = Limits(cameras_stopped=1, sites=1)
    with pytest.raises(LimitExceeded) as caught:
        check_limits([(many, strict), (many, strict)], fleet_size=2, allowances={"deletes": 6})
    summary = caught.value.summary
    assert "limit is 5" not in summary, "deletes are allowed by their number"
    assert summary.count("the limit is") == 3
    assert summary.endswith("; nothing was written")
    flags = ["--allow cameras_stopped=2", "--allow pins_without_video=1", "--allow sites=2"]
    assert caught.value.next_step.endswith(" ".join(flags))
    allowed = {"deletes": 6, "cameras_stopped": 2, "pins_without_video": 1, "sites": 2}
    check_limits([(many, strict), (many, strict)], fleet_size=2, allowances=allowed)


def test_the_place_is_the_site_where_it_is_one() -> None:
    with pytest.raises(LimitExceeded) as caught:
        check(plan(change("camera", "10")), Limits(cameras_stopped=0, outage_seconds=1))
    assert caught.value.where == "s"
    with pytest.raises(LimitExceeded) as caught:
        check(plan(change("camera", "10")), Limits(cameras_stopped=0, sites=0))
    assert caught.value.where == "", "a limit of the whole run has no place"
