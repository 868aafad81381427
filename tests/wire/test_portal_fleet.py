"""Many sites of one portal: what their reading costs, and that it says the same as a request for each of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from ivn_provision.drivers.portal import bulk
from ivn_provision.errors import DeadlineExceeded, IvnError
from ivn_provision.plan.plan import SitePlan
from ivn_provision.run.outcomes import SiteOutcome
from ivn_provision.run.targets import Opener
from tests.support.command import ivn_here
from tests.support.world import World, started
from tests.wire.portal_client import authorised

NAMES = [f"lab-{number:04d}" for number in range(1, 6)]
MADE = NAMES[:3]
"""Sites that the portal has."""
TOKEN, LIST, ONE, LEASE = (
    "POST /oauth/token",
    "GET /sites",
    "GET /sites/{site_key}",
    "GET /sites/{site_key}/lease",
)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with started(tmp_path_factory.mktemp("fleet"), count=len(NAMES)) as world:
        for outcome in world.apply(*MADE):
            assert outcome.error is None, outcome.error
        world.attest = False
        world.lab.fire_soft(MADE[0], 2)
        until(lambda: bool(world.lab.portal.events(MADE[0])))
        with authorised(world.lab) as client:
            lease = {"owner": "ada@desk", "run": "r-1", "seconds": 600}
            assert client.put(f"/sites/{NAMES[4]}/lease", json=lease).status_code == 201
        yield world


def until(happened: Callable[[], bool]) -> None:
    """Wait, at most half a minute."""
    for _ in range(600):
        if happened():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def cost(world: World, *names: str, **options: int) -> tuple[dict[str, int], tuple[SiteOutcome, ...]]:
    """Requests to the portal by route, and the plans."""
    before = Counter(world.lab.portal.counters.requests_by_route)
    outcomes = world.plan(*names, **options)
    return dict(Counter(world.lab.portal.counters.requests_by_route) - before), outcomes


def plans(outcomes: tuple[SiteOutcome, ...]) -> list[SitePlan]:
    assert [each.error for each in outcomes] == [None] * len(outcomes)
    return [each.plan for each in outcomes if each.plan is not None]


def test_all_sites_cost_a_token_and_a_page(fleet: World) -> None:
    spent, _ = cost(fleet, *NAMES, listed=len(NAMES))
    assert spent == {TOKEN: 1, LIST: 1}


def test_more_pages_are_more_requests(fleet: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "PAGE_SIZE", 2)
    spent, outcomes = cost(fleet, *NAMES, listed=len(NAMES))
    assert spent == {TOKEN: 1, LIST: 2}
    assert len(plans(outcomes)) == len(NAMES)


def test_the_list_says_what_a_request_for_each_site_says(fleet: World) -> None:
    spent, alone = cost(fleet, *NAMES)
    assert spent == {TOKEN: 1, ONE: 5, LEASE: 2}, "two do not exist: their leases are asked for"
    together = plans(fleet.plan(*NAMES, listed=len(NAMES)))
    for one, other in zip(plans(alone), together, strict=True):
        assert one.changes == other.changes
        assert one.unverified == other.unverified
        assert [each.holding for each in one.facts] == [each.holding for each in other.facts]
    shown = [
        each for each in together[0].unverified if each.address.kind == "mail_server" and not each.is_open
    ]
    assert shown, "the newest mail was seen"
    (portal,) = [each for each in together[4].facts if each.target == "portal"]
    assert portal.holding.lease is not None
    assert portal.holding.lease.owner == "ada@desk"


def test_the_command_reads_the_list_too(fleet: World) -> None:
    before = Counter(fleet.lab.portal.counters.requests_by_route)
    ran = ivn_here("drift", "--fleet", "sites", cwd=fleet.folder.parent)
    assert ran.code == 2, ran.err
    assert Counter(fleet.lab.portal.counters.requests_by_route) - before == {TOKEN: 1, LIST: 1}


def test_few_sites_are_a_request_each(fleet: World) -> None:
    spent, _ = cost(fleet, *MADE[:2], listed=2)
    assert spent == {TOKEN: 1, ONE: 2}


def test_few_of_many_are_a_request_each(fleet: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "is_worth_it", lambda expected, total: expected > total)
    spent, _ = cost(fleet, *MADE, listed=3)
    assert spent == {TOKEN: 1, LIST: 1, ONE: 3}


def test_a_second_reading_is_of_the_site_alone(fleet: World) -> None:
    opener = fleet.opener(listed=5)
    before = Counter(fleet.lab.portal.counters.requests_by_route)
    for _ in range(2):
        reader = opener.readers(fleet.site(MADE[0]))["portal"]
        for _ in range(2):
            assert reader.read().resources
            reader.close()
    spent = Counter(fleet.lab.portal.counters.requests_by_route) - before
    assert spent == {TOKEN: 1, LIST: 1, ONE: 3}


def test_an_apply_reads_each_site_for_itself(fleet: World) -> None:
    before = Counter(fleet.lab.portal.counters.requests_by_route)
    opener = fleet.opener(listed=5)
    for writer in opener.writers(fleet.site(MADE[0])).values():
        writer.read()
        writer.close()
    assert (Counter(fleet.lab.portal.counters.requests_by_route) - before)[LIST] == 0


def test_a_list_that_hangs_is_waited_for_once(fleet: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """All sites wait together, and the one request's failure is theirs."""
    monkeypatch.setattr(bulk, "PAGE_SIZE", 1)
    opener = fleet.opener(2.0, listed=5)
    assert read(fleet, opener, MADE[0]) is None
    fleet.lab.fault("portal", "hang")
    before = fleet.lab.portal.counters.requests
    try:
        with ThreadPoolExecutor(4) as pool:
            errors = list(pool.map(lambda name: read(fleet, opener, name), NAMES[1:]))
    finally:
        fleet.lab.fault("portal", "hang", on=False)
    assert [type(each) for each in errors] == [DeadlineExceeded] * 4
    assert fleet.lab.portal.counters.requests - before == 1


def read(world: World, opener: Opener, name: str) -> IvnError | None:
    reader = opener.readers(world.site(name))["portal"]
    try:
        reader.read()
    except IvnError as error:
        return error
    finally:
        reader.close()
    return None
