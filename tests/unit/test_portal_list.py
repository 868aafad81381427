"""What is made of a portal's list of sites: each site once, in order, fresh, and nothing of a list that lies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from ivn_provision.drivers.portal.bulk import FRESH_SECONDS, PAGE_SIZE, Listed, PortalFleet, is_worth_it
from ivn_provision.errors import DeadlineExceeded, Refused, Unreachable
from ivn_provision.spec.values import Tls
from ivn_provision.transports.deadline import Deadline
from ivn_provision.transports.http import JsonClient, Reply

Page = dict[str, Any]


def page(*keys: str, token: str | None = None, total: int = 6, **more: Any) -> Page:
    results = [{"key": key, "name": f"Site {key}"} for key in keys]
    return {
        "results": results,
        "next_page_token": token,
        "total_size": total,
        "vacant_leases": {},
        **more,
    }


PAGES = [page("a", "c", token="1"), page("e", "g", token="2"), page("i", "k")]


@dataclass
class Portal:
    """Answers `GET /sites` with these pages; `asked` are the page tokens, "" for the first page."""

    pages: list[Page]
    fleet: PortalFleet
    asked: list[str] = field(default_factory=list)
    failure: Callable[[], Exception] | None = None
    waited: float = 0.0

    def __post_init__(self) -> None:
        self.client = JsonClient("http://127.0.0.1:1", Tls(), lambda: Deadline(5), waited=self._waited)

    def _waited(self, seconds: float) -> None:
        self.waited += seconds

    def ask(self, params: Mapping[str, str]) -> Reply:
        token = params.get("page_token", "")
        self.asked.append(token)
        if self.failure is not None:
            raise self.failure()
        return Reply(200, {}, self.pages[int(token or "0")])

    def take(self, account: str) -> Listed | None:
        return self.fleet.take(account, self.client, self.ask)


def portal(pages: list[Page] = PAGES, **options: Any) -> Portal:
    return Portal(pages, PortalFleet(6, **options))


def test_pages_are_read_as_far_as_they_are_needed() -> None:
    live = portal()
    assert live.take("a") == Listed({"key": "a", "name": "Site a"})
    assert live.asked == [""]
    assert live.take("i") == Listed({"key": "i", "name": "Site i"})
    assert live.asked == ["", "1", "2"]
    assert live.take("g") == Listed({"key": "g", "name": "Site g"})
    assert live.asked == ["", "1", "2"]


def test_a_site_that_the_list_has_passed_does_not_exist() -> None:
    live = portal()
    assert live.take("b") == Listed(None)
    assert live.asked == [""]
    assert live.take("z") == Listed(None)
    assert live.asked == ["", "1", "2"]


def test_a_site_is_given_once() -> None:
    live = portal()
    assert live.take("c") is not None
    assert live.take("b") is not None
    assert live.take("c") is None
    assert live.take("b") is None


def test_what_is_given_is_forgotten() -> None:
    live = portal()
    live.take("k")
    for key in "acegi":
        live.take(key)
    assert not live.fleet._kept


def test_the_lease_of_a_site_that_does_not_exist() -> None:
    lease = {"owner": "o"}
    live = portal([page("a", total=1, vacant_leases={"b": lease})])
    assert live.take("b") == Listed(None, lease)
    assert live.take("c") == Listed(None)


def test_a_list_that_says_nothing_of_leases_is_not_enough_for_a_missing_site() -> None:
    bare = page("a", total=1)
    del bare["vacant_leases"]
    live = portal([bare])
    assert live.take("b") is None
    assert live.take("a") is not None


def test_what_was_read_long_ago_is_read_again() -> None:
    now = 0.0
    live = portal(clock=lambda: now)
    live.take("a")
    live.take("b")
    now = FRESH_SECONDS + 1
    assert live.take("c") is None
    assert live.take("d") is None, "leases of sites that are not there were read with the first page"


@pytest.mark.parametrize(
    ("expected", "total", "worth"),
    [(0, 1, False), (2, 2, False), (3, 3, True), (3, 3 * PAGE_SIZE, True), (3, 3 * PAGE_SIZE + 1, False)],
)
def test_pages_are_read_where_they_are_no_more_than_the_sites(expected: int, total: int, worth: bool) -> None:
    assert is_worth_it(expected, total) is worth


def test_a_list_that_is_too_long_is_left_after_its_first_page() -> None:
    live = portal([page("a", token="1", total=6 * PAGE_SIZE + 1)])
    assert [live.take(key) for key in "abc"] == [None] * 3
    assert live.asked == [""]


def test_few_sites_ask_for_no_list() -> None:
    live = Portal(PAGES, PortalFleet(2))
    assert live.take("a") is None
    assert live.asked == []


def test_a_portal_without_a_list_is_read_site_by_site() -> None:
    live = portal()
    live.failure = lambda: Refused("no such thing")
    assert [live.take(key) for key in "ab"] == [None] * 2
    assert live.asked == [""]


def test_a_failure_that_stays_is_not_asked_for_again_and_again() -> None:
    live = portal()
    live.failure = lambda: Unreachable("gone")
    for key in "abcdefgh":
        with pytest.raises(Unreachable):
            live.take(key)
    assert len(live.asked) == 3


def test_a_failure_that_passes_costs_the_sites_that_met_it() -> None:
    live = portal()
    live.failure = lambda: DeadlineExceeded("slow")
    with pytest.raises(DeadlineExceeded):
        live.take("a")
    live.failure = None
    assert live.take("c") == Listed({"key": "c", "name": "Site c"})


LIES: dict[str, list[Page]] = {
    "out of order": [page("c", "a")],
    "twice": [page("a", "a")],
    "twice on two pages": [page("a", "c", token="1"), page("c", "e")],
    "a page without an end": [page("a", token="0")],
    "a page of nothing that goes on": [page(token="0")],
    "no key": [{**page(), "results": [{}]}],
    "key of another kind": [{**page(), "results": [{"key": 7}]}],
    "no site": [{**page(), "results": [None]}],
    "no list": [{**page(), "results": {}}],
    "no results": [{"next_page_token": None, "total_size": 0}],
    "no token": [{"results": [], "total_size": 0}],
    "token of another kind": [{**page("a"), "next_page_token": 7}],
    "no total": [{"results": [], "next_page_token": None}],
    "a total below 0": [page(total=-1)],
    "leases of another kind": [page(vacant_leases=[])],
}


@pytest.mark.parametrize("name", LIES)
def test_what_a_list_that_lies_did_not_say_is_asked_for_site_by_site(name: str) -> None:
    live = portal(LIES[name])
    assert [live.take(key) for key in "zy"] == [None, None]
    assert len(live.asked) <= 2


def test_a_record_out_of_order_costs_no_other_site() -> None:
    live = portal([page("a", "c", token="1"), page("e", "b", "g", token="2"), page("i", "k")])
    assert [live.take(key) for key in "aeg"] == [
        Listed({"key": each, "name": f"Site {each}"}) for each in "aeg"
    ]
    assert [live.take(key) for key in "bdik"] == [None] * 4, "the rest is asked for site by site"
    assert live.asked == ["", "1"]


def test_a_site_that_is_listed_twice_is_asked_for() -> None:
    live = portal([page("a", "c", token="1"), page("c", "e")])
    assert live.take("e") is not None
    assert live.take("c") is None
    assert live.take("a") is not None


def test_deep_nesting_costs_its_own_site_a_request() -> None:
    deep: object = 1
    for _ in range(100_000):
        deep = [deep]
    live = portal([{**page("b"), "results": [{"key": "a", "extra": deep}, {"key": "b"}]}])
    assert live.take("a") is None
    assert live.take("b") == Listed({"key": "b"})


def test_reading_the_list_is_no_operation_of_the_site() -> None:
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 1.0
        return now

    live = portal(clock=clock)
    live.take("k")
    assert live.waited >= 3
