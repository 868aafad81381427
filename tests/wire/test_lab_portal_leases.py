"""Runs that write at the lab's portal: who holds a site, what the write log keeps, and answers that get lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from ivn_provision.lab.lab import Lab
from ivn_provision.lab.portal.leases import Written
from tests.support.world import Hands
from tests.wire.portal_client import (
    DEVICE,
    HARBOR,
    NVR,
    PIN,
    SITE,
    authorised,
    create_harbor,
    problem,
)

LEASE = HARBOR + "/lease"
MINE = {"owner": "ada@desk", "run": "r-1", "seconds": 600}
THEIRS = {"owner": "bob@van", "run": "r-2", "seconds": 600}


def test_a_lease_is_of_one_run(client: httpx.Client) -> None:
    problem(client.get(LEASE), 404, "not-found")
    taken = client.put(LEASE, json=MINE)
    assert taken.status_code == 201, "the site does not exist yet"
    assert taken.json() == client.get(LEASE).json()
    assert {"owner": "ada@desk", "run": "r-1", "expired": False}.items() <= taken.json().items()
    held = problem(client.put(LEASE, json=THEIRS), 409, "lease-held")
    assert (held["owner"], held["run"]) == ("ada@desk", "r-1")
    assert held["expires_at"] == taken.json()["expires_at"]
    assert client.put(LEASE, json=MINE).status_code == 200
    problem(client.delete(LEASE, params={"run": "r-2"}), 404, "not-found")
    problem(client.delete(LEASE), 422, "validation")
    assert client.delete(LEASE, params={"run": "r-1"}).status_code == 204
    problem(client.delete(LEASE, params={"run": "r-1"}), 404, "not-found")
    problem(client.put("/sites/No%20Slug/lease", json=MINE), 404, "not-found")
    for wrong in ({"run": "a b"}, {"seconds": 0}, {"seconds": 604_801}, {"owner": "a\nb"}, {"more": 1}):
        problem(client.put(LEASE, json=MINE | wrong), 422, "validation")


def test_an_expired_lease_is_shown_until_it_is_taken_over(tmp_path: Path) -> None:
    clock = Hands()
    with Lab(tmp_path, free_ports=True, recorders=False, clock=clock) as lab, authorised(lab) as client:
        create_harbor(client)
        client.put(LEASE, json=MINE)
        etag = client.get(HARBOR).headers["etag"]
        clock.now += timedelta(seconds=601)
        site = client.get(HARBOR)
        assert site.json()["lease"] == client.get(LEASE).json()
        assert (site.json()["lease"]["run"], site.json()["lease"]["expired"]) == ("r-1", True)
        assert site.headers["etag"] == etag, "a lease has no say in the ETag"
        assert client.put(HARBOR, json=SITE, headers={"If-Match": "*"}).status_code == 200
        assert client.put(LEASE, json=THEIRS).json()["run"] == "r-2"
        problem(client.put(LEASE, json=MINE), 409, "lease-held")


@pytest.mark.parametrize("path", [HARBOR, NVR, NVR + "/alarm-inputs/soft/2"])
def test_while_a_run_holds_a_site_only_it_writes(client: httpx.Client, lab: Lab, path: str) -> None:
    create_harbor(client)
    client.put(LEASE, json=MINE)
    body = {HARBOR: SITE | {"name": "Other"}, NVR: DEVICE | {"model": "Other"}}.get(path, PIN | {"camera": 3})
    before, writes = client.get(path).json(), len(lab.portal.write_log)
    for run in ({}, {"IVN-Run": "r-2"}):
        held = problem(client.put(path, json=body, headers={"If-Match": "*"} | run), 423, "lease-held")
        assert held["run"] == "r-1"
        problem(client.delete(path, headers={"If-Match": "*"} | run), 423, "lease-held")
    problem(client.put(path, json=body, headers={"If-Match": "*", "IVN-Run": "a b"}), 422, "validation")
    assert client.get(path).json() == before
    mine = {"If-Match": before["etag"], "IVN-Run": "r-1"}
    after = client.put(path, json=body, headers=mine).json()["etag"]
    assert client.put(path, json=body, headers=mine | {"If-Match": after}).status_code == 200
    assert client.delete(path, headers=mine | {"If-Match": after}).status_code == 204
    address = "/api/v1" + path
    log = lab.portal.write_log[writes:]
    assert [replace(each, content=("", "")) for each in log] == [
        Written("harbor-marina", address, "PUT", before["etag"], after, "r-1"),
        Written("harbor-marina", address, "PUT", after, after, "r-1"),
        Written("harbor-marina", address, "DELETE", after, "", "r-1"),
    ]
    (old, new), again, (last, none) = (each.content for each in log)
    assert again == (new, new), "a PUT that changes nothing shows as such"
    assert (last, none) == (new, "")
    assert old != new


def test_a_person_is_not_bound_by_a_lease(client: httpx.Client, lab: Lab) -> None:
    create_harbor(client)
    client.put(LEASE, json=MINE)
    lab.tamper("harbor-marina", "site", fields={"name": "Renamed"})
    lab.remove("harbor-marina", "pin", "2S")
    assert client.get(HARBOR).json()["name"] == "Renamed"


@pytest.mark.parametrize("fault", ["http_500_after_commit", "hang_after_commit"])
@pytest.mark.parametrize("once", [True, False])
def test_a_write_is_made_and_its_answer_lost(client: httpx.Client, lab: Lab, fault: str, once: bool) -> None:
    create_harbor(client)
    name = f"{fault}-once" if once else fault
    lab.fault("portal", name)
    assert client.get(HARBOR).status_code == 200, "reads are spared"
    assert client.put(LEASE, json=MINE | {"run": "r"}).status_code == 201, "leases too"
    run = {"IVN-Run": "r"}
    problem(client.put(HARBOR, json=SITE, headers=run), 428, "precondition-required")
    for number in (1, 2):
        body = SITE | {"name": f"Name {number}"}
        if once and number == 2:
            assert client.put(HARBOR, json=body, headers=run | {"If-Match": "*"}).status_code == 200
            break
        lost(client, fault, body, run)
        assert client.get(HARBOR).json()["name"] == f"Name {number}", "it was made"
    lab.fault("portal", name, on=False)
    assert client.delete(HARBOR, headers=run | {"If-Match": "*"}).status_code == 204


def lost(client: httpx.Client, fault: str, body: Mapping[str, object], run: dict[str, str]) -> None:
    """A PUT that is made, and answered by the fault."""
    headers = run | {"If-Match": "*"}
    if fault.startswith("http_500"):
        answer = client.put(HARBOR, json=body, headers=headers)
        assert (answer.status_code, answer.headers["content-type"][:9]) == (500, "text/html")
        return
    with pytest.raises(httpx.ReadTimeout):
        client.put(HARBOR, json=body, headers=headers, timeout=0.3)
