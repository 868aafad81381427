"""The rules on any `Site` value at all, also on those that no file gives: never an exception, never raw text."""

from __future__ import annotations

import functools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ivn_provision.spec.rules import RULES, check_fleet, check_site, fleet_keys
from ivn_provision.spec.site import (
    Acceptance,
    Alarm,
    Camera,
    GenericEvent,
    Hardware,
    HardwareEvent,
    Mail,
    Nvr,
    Pin,
    Places,
    Portal,
    Site,
)

TEXT = st.one_of(
    st.sampled_from(
        ["", "Lobby", "2 S", "2 H", "ivnview", "127.0.0.1", "10.0.0.1", "https://p/", "Mon 09:00-10:00"]
    ),
    st.text(max_size=80),
)
NUMBER = st.one_of(st.integers(1, 4), st.integers())
POINTER = st.sampled_from(["", "/cameras/0", "/portal/pins/1"])
CAMERA = st.builds(Camera, number=NUMBER, label=TEXT, hardware=st.builds(Hardware, TEXT), pointer=POINTER)
HARDWARE = st.builds(HardwareEvent, pin=NUMBER, label=TEXT, camera=NUMBER, input=NUMBER, pointer=POINTER)
GENERIC = st.builds(GenericEvent, pin=NUMBER, match=TEXT, pointer=POINTER)
PIN = st.builds(Pin, pin=NUMBER, camera=NUMBER, event_type=TEXT, pointer=POINTER)
ALARM = st.builds(
    Alarm,
    name=TEXT,
    hardware_event=st.none() | NUMBER,
    generic_event=st.none() | NUMBER,
    time_profile=TEXT,
    pointer=POINTER,
)


def some(each: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.none() | st.lists(each, max_size=4).map(tuple)


SITES = st.builds(
    Site,
    name=TEXT,
    path=st.just("any.yml"),
    places=st.just(Places({}, "any.yml")),
    description=st.just(""),
    groups=st.just(()),
    labels=st.just({}),
    time_zone=st.none() | TEXT,
    maintenance_window=st.none() | TEXT,
    nvr=st.none() | st.from_type(Nvr),
    cameras=some(CAMERA),
    hardware_events=some(HARDWARE),
    generic_events=some(GENERIC),
    mail=st.none() | st.from_type(Mail),
    alarms=some(ALARM),
    portal=st.none() | st.builds(Portal, url=TEXT, account=TEXT, pins=some(PIN)),
    acceptance=st.none() | st.builds(Acceptance, pins=st.just("all") | st.lists(TEXT, max_size=3).map(tuple)),
)


@functools.cache
def known() -> frozenset[str]:
    return frozenset(each.code for each in RULES)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SITES)
def test_any_site_gives_printable_findings_with_a_place(site: Site) -> None:
    for each in check_site(site):
        assert each.code in known()
        assert each.place
        assert each.summary.isprintable()
        assert each.hint.isprintable()
        assert each.hint


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(SITES, max_size=3))
def test_any_fleet_gives_printable_findings(sites: list[Site]) -> None:
    for each in check_fleet(key for site in sites for key in fleet_keys(site)):
        assert each.summary.isprintable()
        assert each.related
