"""May a site be changed now?"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ivn_provision.errors import LimitExceeded
from ivn_provision.model.live import NOTHING_HELD, Holding
from ivn_provision.model.resource import Address
from ivn_provision.plan.moment import check_moment, in_window
from ivn_provision.plan.plan import Action, Change, SitePlan, TargetFacts

NONE: frozenset[str] = frozenset()
MONDAY_NOON = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)  # 12:00 in New York


def plan(holding: Holding = NOTHING_HELD) -> SitePlan:
    change = Change(Address("s", "portal", "pin", "2S"), Action.DELETE, ())
    return SitePlan("s", (change,), facts=(TargetFacts("portal", "p", "1", "e", (), holding),))


@pytest.mark.parametrize(
    ("window", "local", "inside"),
    [
        ("Mon-Fri 09:00-16:00", "2026-11-23 09:00", True),
        ("Mon-Fri 09:00-16:00", "2026-11-23 16:00", False),
        ("Mon-Fri 09:00-16:00", "2026-11-22 12:00", False),
        ("Sat,Sun 10:00-12:00", "2026-11-22 11:00", True),
        ("Fri-Mon 09:00-16:00", "2026-11-22 12:00", True),
        ("Fri-Mon 09:00-16:00", "2026-11-24 12:00", False),
        ("Mon-Mon 09:00-16:00", "2026-11-24 12:00", False),
        ("Mon 22:00-04:00", "2026-11-23 23:00", True),
        ("Mon 22:00-04:00", "2026-11-24 03:59", True),
        ("Mon 22:00-04:00", "2026-11-24 04:00", False),
        ("Mon 22:00-04:00", "2026-11-23 03:00", False),
    ],
)
def test_windows(window: str, local: str, inside: bool) -> None:
    assert in_window(window, datetime.fromisoformat(local)) is inside


def test_the_window_is_in_the_sites_time_zone() -> None:
    window = "Mon-Fri 09:00-16:00"
    assert check_moment(plan(), window, "America/New_York", MONDAY_NOON, NONE) == ()
    with pytest.raises(LimitExceeded, match="Mon 18:00"):
        check_moment(plan(), window, "Europe/Berlin", MONDAY_NOON, NONE)
    assert check_moment(plan(), window, "Europe/Berlin", MONDAY_NOON, frozenset({"window"})) == ("window",)


def test_a_window_that_cannot_be_judged_is_not_passed() -> None:
    with pytest.raises(LimitExceeded, match="no time_zone"):
        check_moment(plan(), "Mon-Sun 00:00-23:59", None, MONDAY_NOON, NONE)


def test_summer_time() -> None:
    window, zone = "Mon-Sun 09:00-10:00", "America/New_York"
    assert check_moment(plan(), window, zone, datetime(2026, 7, 1, 13, 30, tzinfo=UTC), NONE) == ()
    assert check_moment(plan(), window, zone, datetime(2026, 12, 1, 14, 30, tzinfo=UTC), NONE) == ()


@pytest.mark.parametrize(
    ("holding", "name"), [(Holding(armed=True), "armed"), (Holding(incident="I-7"), "incident")]
)
def test_an_alarm_that_is_going_on(holding: Holding, name: str) -> None:
    with pytest.raises(LimitExceeded) as caught:
        check_moment(plan(holding), None, None, MONDAY_NOON, NONE)
    assert f"--override {name}" in caught.value.next_step
    assert check_moment(plan(holding), None, None, MONDAY_NOON, frozenset({name})) == (name,)


def test_everything_that_is_against_it_is_said_at_once() -> None:
    busy = plan(Holding(armed=True, incident="I-7"))
    window = "Tue 09:00-10:00"
    with pytest.raises(LimitExceeded) as caught:
        check_moment(busy, window, "UTC", MONDAY_NOON, NONE)
    for each in ("Tue 09:00-10:00", "armed", "I-7"):
        assert each in caught.value.summary
    flags = "--override window --override armed --override incident"
    assert caught.value.next_step == f"wait; or give {flags}, which is logged"
    with pytest.raises(LimitExceeded) as caught:
        check_moment(busy, window, "UTC", MONDAY_NOON, frozenset({"window", "incident"}))
    assert caught.value.next_step == "wait; or give --override armed, which is logged"
    assert "I-7" not in caught.value.summary
    used = check_moment(busy, window, "UTC", MONDAY_NOON, frozenset({"window", "armed", "incident"}))
    assert used == ("window", "armed", "incident")


def test_a_plan_that_changes_nothing_is_always_in_time() -> None:
    assert check_moment(SitePlan("s"), "Mon 09:00-10:00", "UTC", MONDAY_NOON, NONE) == ()
