"""Which pins are fired, and in which order, for any pins of a site."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ivn_provision.spec.fleet import find_site
from ivn_provision.spec.site import Acceptance, Pin, Site
from ivn_provision.verify.acceptance.shots import shots_of

SITES = Path(__file__).parents[2] / "sites"


@cache
def site() -> Site:
    return find_site(SITES, "harbor-marina")


def pins() -> st.SearchStrategy[list[Pin]]:
    portal = site().portal
    assert portal is not None
    base = portal.pins or ()
    one = st.builds(
        replace,
        st.just(base[0]),
        pin=st.integers(1, 20),
        source=st.sampled_from(["hardware", "soft"]),
        camera=st.integers(1, 99),
        event_type=st.sampled_from(["entry_delay", "perimeter"]),
        enabled=st.booleans(),
    )
    return st.lists(one, max_size=16, unique_by=lambda each: (each.pin, each.source))


def names(found: list[Pin]) -> list[str]:
    return [f"{each.pin}{'H' if each.source == 'hardware' else 'S'}" for each in found]


@given(pins(), st.data())
def test_the_chosen_enabled_pins_once_each_entry_delays_first(
    given_pins: list[Pin], data: st.DataObject
) -> None:
    chosen = data.draw(
        st.one_of(st.just("all"), st.lists(st.sampled_from(names(given_pins) or ["1H"]), unique=True))
    )
    portal = site().portal
    assert portal is not None
    declared = replace(
        site(),
        portal=replace(portal, pins=tuple(given_pins)),
        acceptance=Acceptance(pins="all" if chosen == "all" else tuple(chosen)),
    )
    shots = shots_of(declared)
    wanted = [each for each in given_pins if each.enabled and (chosen == "all" or names([each])[0] in chosen)]
    assert sorted(each.name.replace(" ", "") for each in shots) == sorted(names(wanted))
    kinds = [each.event_type == "entry_delay" for each in shots]
    assert kinds == sorted(kinds, reverse=True)
    for kind in (True, False):
        mine = [each.name.replace(" ", "") for each in shots if (each.event_type == "entry_delay") is kind]
        assert mine == names([each for each in wanted if (each.event_type == "entry_delay") is kind])
    assert all(each.device == "" for each in shots if each.source == "soft")
