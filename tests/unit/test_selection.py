"""`--sites region=east,!maintenance`: which sites a selector means, and what it refuses."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivn_provision.errors import UsageProblem
from ivn_provision.run.fleet.refs import SiteRef
from ivn_provision.run.fleet.selection import named, parse_selector, select

GROUPS = ("maintenance", "northeast", "empty-group")


def ref(name: str, *groups: str, network: str = "", **labels: str) -> SiteRef:
    return SiteRef(name, f"sites/{name}.yml", "sites", groups, labels, network)


FLEET = (
    ref("harbor-1", "northeast", region="east", state="live"),
    ref("harbor-2", "northeast", "maintenance", region="east"),
    ref("mill-1", region="west", network="west-vpn"),
    ref("mill-2", "maintenance", network="west-vpn"),
)


def chosen(*selectors: str) -> list[str]:
    return [each.name for each in select(FLEET, [parse_selector(text) for text in selectors], GROUPS)]


@pytest.mark.parametrize(
    ("selectors", "expected"),
    [
        (["region=east"], ["harbor-1", "harbor-2"]),
        (["region=east,!maintenance"], ["harbor-1"]),
        (["region=e*t"], ["harbor-1", "harbor-2"]),
        (["region!=east"], ["mill-1", "mill-2"]),
        (["!region=east"], ["mill-1", "mill-2"]),
        (["!region!=east"], ["harbor-1", "harbor-2"]),
        (["northeast"], ["harbor-1", "harbor-2"]),
        (["harbor-*"], ["harbor-1", "harbor-2"]),
        (["*-1,region"], ["harbor-1", "mill-1"]),
        (["state"], ["harbor-1"]),
        (["!state"], ["harbor-2", "mill-1", "mill-2"]),
        (["site:mill-2"], ["mill-2"]),
        (["group:maint*"], ["harbor-2", "mill-2"]),
        (["network:west-vpn"], ["mill-1", "mill-2"]),
        (["!label:nobody-has-it"], ["harbor-1", "harbor-2", "mill-1", "mill-2"]),
        (["region=west", "harbor-2"], ["harbor-2", "mill-1"]),
        ([" region = east , ! maintenance "], ["harbor-1"]),
        ([], ["harbor-1", "harbor-2", "mill-1", "mill-2"]),
    ],
)
def test_a_selector_means_these_sites(selectors: Sequence[str], expected: list[str]) -> None:
    assert chosen(*selectors) == expected


@pytest.mark.parametrize(
    ("selector", "said"),
    [
        ("", "says nothing"),
        ("region=", "says nothing"),
        ("!", "says nothing"),
        ("region=east,", "says nothing"),
        ("region==east", "says nothing"),
        ("a!b", "says nothing"),
        ("reg\x1bion", "says nothing"),
        ("rack:7", "there is no 'rack' to select by"),
        ("!maintenanse", "no site, group or label is called so"),
        ("regoin=east", "no site has a label regoin"),
        ("!regoin=east", "no site has a label regoin"),
        ("region!=esat", "no site has region=esat"),
        ("!region=esat", "no site has region=esat"),
        ("network:nowhere", "no network is called so"),
        ("region=north", "no site is selected by region=north"),
        ("empty-group", "no site is selected by empty-group"),
    ],
)
def test_what_means_nothing_is_refused(selector: str, said: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        chosen(selector)
    assert said in caught.value.summary
    assert caught.value.next_step


def test_a_typing_mistake_gets_a_suggestion() -> None:
    with pytest.raises(UsageProblem) as caught:
        chosen("!maintenanse")
    assert "`maintenance`" in caught.value.next_step


def test_names_may_be_globs_and_each_site_comes_once() -> None:
    assert [each.name for each in named(FLEET, ["mill-*", "mill-1", "harbor-2"])] == [
        "harbor-2",
        "mill-1",
        "mill-2",
    ]
    assert list(named(FLEET, ["quay-*"])) == []


def meant(text: str) -> list[str] | None:
    """None where the selector is refused."""
    try:
        return chosen(text)
    except UsageProblem:
        return None


@given(st.text(max_size=40))
def test_any_text_is_a_selector_or_a_clear_refusal(text: str) -> None:
    assert meant(text) != []


@given(st.lists(st.sampled_from(["region=east", "!maintenance", "northeast", "*-1", "!state"]), min_size=1))
def test_all_terms_of_a_selector_must_hold(terms: list[str]) -> None:
    expected = {each.name for each in FLEET}
    for term in terms:
        expected &= set(chosen(term))
    assert set(meant(",".join(terms)) or ()) == expected
