"""The lab portal's list of sites with all that is read of single ones, and its limit of requests a second."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ivn_provision.lab.fault_list import PORTAL
from ivn_provision.lab.lab import Lab
from ivn_provision.lab.portal.front import FAULTS
from ivn_provision.lab.portal.rate_limit import RateLimit
from ivn_provision.lab.sites import generated_sites
from tests.support.world import own_addresses
from tests.wire.portal_client import HARBOR, SITE, authorised, create_harbor

ALL = "devices,alarm_inputs,newest_mail"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with Lab(tmp_path / "lab", generated_sites(1, own_addresses()), portal_port=0, mail_port=0) as running:
        yield running


@pytest.fixture
def client(lab: Lab) -> Iterator[httpx.Client]:
    with authorised(lab) as found:
        create_harbor(found)
        yield found


def listed(client: httpx.Client, include: str = ALL) -> dict[str, Any]:
    answer = client.get("/sites", params={"include": include})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def add_event(lab: Lab, site: str, status: str, trigger: str | None, at: str) -> int:
    body = {"site": site, "received_at": at, "parse_status": status, "trigger": trigger, "release": None}
    return lab.portal.core.store.add_event(site, at, body)


def test_the_newest_mail_that_could_be_read(client: httpx.Client, lab: Lab) -> None:
    assert client.put("/sites/a-site", json=SITE).status_code == 201
    assert [each["newest_mail"] for each in listed(client)["results"]] == [None, None]
    at = "2026-11-23T10:00:00.000Z"
    add_event(lab, "harbor-marina", "parsed", "2 S", at)
    wanted = add_event(lab, "harbor-marina", "duplicate", "2 S", at)
    add_event(lab, "harbor-marina", "unparsed", "2 S", at)
    add_event(lab, "harbor-marina", "parsed", None, at)
    add_event(lab, "another", "parsed", "2 S", at)
    other, harbor = listed(client)["results"]
    assert other["newest_mail"] is None
    assert harbor["newest_mail"]["id"] == wanted
    assert client.get(HARBOR, params={"include": ALL}).json() == harbor
    assert "newest_mail" not in client.get(HARBOR).json()


def test_who_may_not_read_events_is_told_nothing_of_them(client: httpx.Client, lab: Lab) -> None:
    add_event(lab, "harbor-marina", "parsed", "2 S", "2026-11-23T10:00:00.000Z")
    with authorised(lab, "sites:read") as limited:
        assert "newest_mail" not in listed(limited)["results"][0]
        assert "newest_mail" not in limited.get(HARBOR, params={"include": ALL}).json()


def test_leases_of_sites_that_do_not_exist(client: httpx.Client) -> None:
    lease = {"owner": "ada@desk", "run": "r-1", "seconds": 60}
    for key in ("harbor-marina", "new-one"):
        assert client.put(f"/sites/{key}/lease", json=lease).status_code == 201
    found = listed(client, f"{ALL},vacant_leases")
    assert list(found["vacant_leases"]) == ["new-one"]
    assert found["vacant_leases"]["new-one"] == client.get("/sites/new-one/lease").json()
    assert found["results"][0]["lease"]["run"] == "r-1"
    assert "vacant_leases" not in listed(client)
    assert client.get(HARBOR, params={"include": "vacant_leases"}).status_code == 422


def test_a_page_holds_only_what_is_below_its_sites(client: httpx.Client) -> None:
    for key in ("a-site", "z-site"):
        assert client.put(f"/sites/{key}", json=SITE).status_code == 201
        device = {"make": "Milestone", "model": "XProtect Professional"}
        assert client.put(f"/sites/{key}/devices/nvr", json=device).status_code == 201
    params = {"include": ALL, "page_size": "1"}
    seen = []
    for _ in range(3):
        page = client.get("/sites", params=params).json()
        seen += [(site["key"], len(site["devices"][0]["alarm_inputs"])) for site in page["results"]]
        params["page_token"] = page["next_page_token"] or ""
    assert seen == [("a-site", 0), ("harbor-marina", 2), ("z-site", 0)]


# Too many requests


def test_a_bucket_fills_with_time() -> None:
    now = 0.0
    limit = RateLimit(2.0, lambda: now)
    assert [limit.wait() for _ in range(4)] == [0, 0, 1, 1]
    now = 0.5
    assert [limit.wait() for _ in range(2)] == [0, 1]
    now = 60.0
    assert [limit.wait() for _ in range(3)] == [0, 0, 1]
    assert limit.refused == 4


def test_more_requests_than_the_limit_are_refused_and_let_in_again(client: httpx.Client, lab: Lab) -> None:
    lab.fault("portal", "rate-limit")
    answers = [client.get(HARBOR) for _ in range(12)]
    refused = [each for each in answers if each.status_code == 429]
    assert len([each for each in answers if each.status_code == 200]) >= 5
    assert refused
    assert lab.portal.limit.refused == len(refused)
    assert refused[0].json()["type"].endswith(":rate-limited")
    time.sleep(int(refused[0].headers["Retry-After"]))
    assert client.get(HARBOR).status_code == 200
    lab.fault("portal", "rate-limit", on=False)
    assert {client.get(HARBOR).status_code for _ in range(12)} == {200}


def test_the_faults_that_are_told_are_those_that_there_are() -> None:
    assert {each.name for each in PORTAL} <= set(FAULTS)
