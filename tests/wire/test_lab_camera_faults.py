"""What goes wrong at the lab's cameras when it is asked to (facts/axis.md, 13.5 and 13.6)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ivn_provision.errors import LabError
from ivn_provision.lab.fault_list import CAMERA
from ivn_provision.lab.lab import Lab
from tests.support.axis_camera import (
    SITE,
    auth_of,
    axis_lab,
    camera_of,
    configuration,
    removal,
    rule,
    slots,
    vapix,
)

GONE = (httpx.RemoteProtocolError, httpx.ReadError, httpx.ConnectError)
GROUPS = ("Brand", "Image", "IOPort", "Properties", "Time")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with axis_lab(tmp_path, "12.9") as lab:
        yield lab


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Lab]:
    with axis_lab(tmp_path, "5.50") as lab:
        yield lab


async def at_once(lab: Lab) -> list[object]:
    """Five groups in parallel, as a client with a pool asks: statuses and what was raised instead."""
    camera = camera_of(lab)
    place = f"http://{camera.host}:{camera.http_port}"
    async with httpx.AsyncClient(base_url=place, trust_env=False) as client:
        first = await client.get("/axis-cgi/param.cgi?action=list&group=Brand", auth=auth_of(lab, tls=False))
        assert first.status_code == 200
        asked = [
            client.get(f"/axis-cgi/param.cgi?action=list&group={group}", auth=auth_of(lab, tls=False))
            for group in GROUPS
        ]
        answers = await asyncio.gather(*asked, return_exceptions=True)
    return [each.status_code if isinstance(each, httpx.Response) else each for each in answers]


def test_old_firmware_closes_on_a_second_request_at_the_same_time(old: Lab) -> None:
    old.set_latency(0.3)  # so that they overlap on a busy machine too
    found = asyncio.run(at_once(old))
    assert any(isinstance(each, GONE) for each in found)
    assert camera_of(old).counters.connections_refused > 0
    with vapix(old) as client:
        assert all(client.values(group) for group in GROUPS), "one after the other is answered"
    old.fault(f"{SITE}/camera-10", "parallel")
    assert asyncio.run(at_once(old)) == [200] * 5


def test_an_idle_connection_of_old_firmware_goes_for_a_new_one(old: Lab) -> None:
    with vapix(old) as one, vapix(old) as two:
        for client in (one, two, one, two):
            assert client.values("Brand.Brand") == {"Brand.Brand": "AXIS"}


def test_newer_firmware_answers_at_the_same_time_unless_told_otherwise(lab: Lab) -> None:
    assert asyncio.run(at_once(lab)) == [200] * 5
    lab.fault(f"{SITE}/camera-10", "one-connection")
    with vapix(lab) as client:
        assert client.values("Brand.Brand")


def test_cut_between_configuration_and_rule(lab: Lab) -> None:
    lab.fault(f"{SITE}/camera-10", "cut-before-rule")
    with vapix(lab) as client:
        action = client.add(configuration("N", slots(lab)))
        with pytest.raises(GONE):
            client.soap(rule("R", action))
        assert len(client.get("ActionRule")) == 4
        assert len(client.get("ActionConfiguration")) == 5, "an orphan is left"
        lab.fault(f"{SITE}/camera-10", "cut-before-rule", on=False)
        assert client.add(rule("R", action)) == 5


def test_cut_after_the_rule_and_before_removes(lab: Lab) -> None:
    lab.fault(f"{SITE}/camera-10", "cut-after-rule")
    lab.fault(f"{SITE}/camera-10", "cut-before-remove")
    with vapix(lab) as client:
        with pytest.raises(GONE):
            client.soap(rule("R", 1))
        assert 5 in camera_of(lab).book.rules, "it was carried out"
        for kind in ("ActionRule", "ActionConfiguration", "RecipientConfiguration"):
            with pytest.raises(GONE):
                client.soap(removal(kind, 4))
        assert len(camera_of(lab).book.rules) == 5


def test_cut_after_n_writes_until_it_is_switched_off(lab: Lab) -> None:
    lab.fault(f"{SITE}/camera-10", "cut-after-writes=2")
    with vapix(lab) as client:
        action = client.add(configuration("N", slots(lab)))
        assert client.update(**{"root.IOPort.I0.Input.Name": "Door"}) == "OK"
        for _ in range(2):
            with pytest.raises(GONE):
                client.params("Brand")
        lab.fault(f"{SITE}/camera-10", "cut-after-writes=2", on=False)
        assert client.add(rule("R", action)) == 5
    assert camera_of(lab).counters.writes == 3


def test_the_answer_of_one_write_is_lost(lab: Lab) -> None:
    lab.fault(f"{SITE}/camera-10", "lose-write=2")
    with vapix(lab) as client:
        client.add(configuration("N", slots(lab)))
        with pytest.raises(GONE):
            client.soap(configuration("N", slots(lab)))
        assert client.add(configuration("N", slots(lab))) == 7
    assert camera_of(lab).faults == set()


def test_refused_in_the_middle_of_a_run(lab: Lab) -> None:
    lab.fault(f"{SITE}/camera-10", "http-401-after-writes=1")
    with vapix(lab) as client:
        client.add(configuration("N", slots(lab)))
        reply = client.raw_soap(rule("R", 5))
        assert (reply.status_code, b"Envelope" in reply.content) == (401, False)
    lab.fault(f"{SITE}/camera-10", "http-401-after-writes=1", on=False)
    lab.fault(f"{SITE}/camera-10", "http-401")
    with vapix(lab, tls=True) as client:
        assert client.http.get("/axis-cgi/param.cgi?action=list").status_code == 401


def test_service_unavailable_and_dead(lab: Lab) -> None:
    lab.fault(f"{SITE}/camera-10", "http-503")
    with vapix(lab) as client:
        assert client.raw_soap("<x/>").status_code == 503
        lab.fault(f"{SITE}/camera-10", "dead")
        with pytest.raises(GONE):
            client.params()
    with vapix(lab) as client, pytest.raises(GONE):
        client.params()


def test_https_only(lab: Lab) -> None:
    lab.fault(f"{SITE}/camera-10", "https-only")
    camera = camera_of(lab)
    with vapix(lab) as client:
        reply = client.raw_soap("<x/>")
    assert reply.status_code == 302
    assert reply.headers["location"] == f"https://{camera.host}:{camera.https_port}/vapix/services"
    with vapix(lab, tls=True) as client:
        assert client.values("Brand.Brand")


def test_a_nonce_for_each_request(lab: Lab) -> None:
    lab.fault(f"{SITE}/camera-10", "nonce-once")
    with vapix(lab) as client:
        for _ in range(3):
            assert client.values("Brand.Brand")
    assert camera_of(lab).counters.requests == 6


def test_slow(lab: Lab) -> None:
    camera = camera_of(lab)
    camera.wire.slow_seconds = 1.0
    lab.fault(f"{SITE}/camera-10", "slow")
    with vapix(lab) as client, pytest.raises(httpx.ReadTimeout):
        client.http.get("/axis-cgi/param.cgi?action=list", timeout=0.2)


def test_every_fault_of_the_list_can_be_switched_and_no_other(lab: Lab) -> None:
    for each in CAMERA:
        name = each.name.replace("=N", "=3")
        lab.fault(f"{SITE}/camera-10", name)
        assert (
            name in lab.status()["sites"][0]["axis_cameras"][0]["faults"] if lab.status()["sites"] else True
        )
        lab.fault(f"{SITE}/camera-10", name, on=False)
    for bad in ("coffee", "cut-after-writes", "cut-after-writes=x", "slow=3"):
        with pytest.raises(LabError, match="has no fault"):
            lab.fault(f"{SITE}/camera-10", bad)
    with pytest.raises(LabError, match="no Axis camera"):
        lab.fault(f"{SITE}/camera-11", "slow")
