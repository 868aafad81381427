"""What the lab's portal reaches on a recorder: clips, connectivity checks, and a fired trigger that comes back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from ivn_provision.lab.lab import Lab
from ivn_provision.lab.sites import generated_sites
from tests.support.world import own_addresses
from tests.wire.portal_client import (
    DEVICE,
    FIRE,
    HARBOR,
    NVR,
    SITE,
    authorised,
    create_harbor,
    events,
    open_window,
    problem,
    secret,
    send,
    soon,
)


def final_clip(client: httpx.Client) -> dict[str, Any]:
    """The clip of the newest event, once it is final."""

    def read() -> dict[str, Any] | None:
        clip = next(iter(events(client)[0]["clips"]), None) if events(client) else None
        return clip if clip and clip["status"] != "pending" else None

    found: dict[str, Any] = soon(read)
    return found


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Lab, httpx.Client, str]]:
    """A lab with one recorder, which the portal knows as harbor-marina; the account of its mails."""
    made = replace(generated_sites(1, own_addresses())[0], key="harbor-marina")
    with Lab(tmp_path / "lab", [made], free_ports=True) as lab, authorised(lab) as client:
        account = create_harbor(client, event_port=lab.nvr("harbor-marina").event_port)
        client.put(HARBOR, json=SITE | {"location_address": made.host}, headers={"If-Match": "*"})
        change_device(lab, client)
        lab.tamper("harbor-marina", "camera", "Camera 1", {"label": "10 Lobby", "recording.mode": "always"})
        yield lab, client, account


def change_device(lab: Lab, client: httpx.Client, **more: object) -> None:
    device = DEVICE | {
        "event_server_port": lab.nvr("harbor-marina").event_port,
        "web_server_port": 8080,
        "password": secret(lab, "harbor-marina-ivnview"),
    }
    assert client.put(NVR, json=device | more, headers={"If-Match": "*"}).status_code == 200


Placed = tuple[Lab, httpx.Client, str]


def test_a_clip_is_fetched_from_a_recorder_that_records(site: Placed) -> None:
    lab, client, account = site
    send(lab, account, "2 H Door")
    assert final_clip(client) == {"status": "ready", "pre": 10, "post": 10, "bytes": None, "codec": None}


@pytest.mark.parametrize(
    ("mode", "before", "status", "pre"),
    [
        ("never", "", "no_recording", None),
        ("motion", "", "no_recording", None),
        ("event", "4", "short", 4),
        ("event", "12", "ready", 10),
    ],
)
def test_a_clip_holds_what_was_recorded(
    site: Placed, mode: str, before: str, status: str, pre: float | None
) -> None:
    lab, client, account = site
    fields = {"recording.mode": mode} | (
        {"pre_buffer_seconds": before, "post_buffer_seconds": "30"} if before else {}
    )
    lab.tamper("harbor-marina", "camera", "10", fields)
    send(lab, account, "2 H Door")
    clip = final_clip(client)
    assert (clip["status"], clip["pre"]) == (status, pre)


def test_a_disabled_camera_has_no_recording(site: Placed) -> None:
    lab, client, account = site
    lab.tamper("harbor-marina", "camera", "10", {"enabled": "false"})
    send(lab, account, "2 H Door")
    assert final_clip(client)["status"] == "no_recording"


def test_a_wrong_clock_misses_the_recording(site: Placed) -> None:
    lab, client, account = site
    send(lab, account, "2 H Door", at=datetime.now(UTC) - timedelta(seconds=15))
    assert final_clip(client)["status"] == "no_recording"


def test_a_wrong_password_gets_no_clip(site: Placed) -> None:
    lab, client, account = site
    change_device(lab, client, password="another")
    send(lab, account, "2 H Door")
    assert final_clip(client)["status"] == "login_failed"


@pytest.mark.parametrize(
    ("fault", "status"),
    [("web-port-closed", "unreachable"), ("web-port-silent", "timeout"), ("clips-fail", "timeout")],
)
def test_a_recorder_that_is_not_reached_gives_no_clip(site: Placed, fault: str, status: str) -> None:
    lab, client, account = site
    lab.fault("portal", fault)
    send(lab, account, "2 H Door")
    assert final_clip(client)["status"] == status


def test_a_stopped_image_server_gives_no_clip(site: Placed) -> None:
    lab, client, account = site
    lab.tamper("harbor-marina", "windows_service", "Milestone Image Server", {"state": "stopped"})
    send(lab, account, "2 H Door")
    assert final_clip(client)["status"] == "unreachable"


def check(client: httpx.Client, key: str = "c") -> dict[str, Any]:
    answer = client.post(HARBOR + "/connectivity-checks", headers={"Idempotency-Key": key})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_portal_sees_the_recorder(site: Placed) -> None:
    lab, client, _ = site
    nvr = lab.nvr("harbor-marina")
    heard = len(nvr.events_log)
    seen = check(client)
    host = nvr.site.host
    assert seen["web_port"] == {"status": "open", "endpoint": f"{host}:8080"}
    assert seen["event_port"] == {"status": "open", "endpoint": f"{host}:{nvr.event_port}"}
    assert seen["stranger_event_port"] == {"status": "refused", "endpoint": f"{host}:{nvr.event_port}"}
    assert (seen["login"], seen["product"]) == ("ok", nvr.site.product)
    assert abs(seen["clock_offset_seconds"]) <= 2
    assert seen["source_addresses"] == ["127.0.0.1"]
    assert len(nvr.events_log) == heard, "a check raises no event"
    assert check(client) == seen, "the same key, the same answer"
    problem(client.post(HARBOR + "/connectivity-checks"), 400, "idempotency-key-required")


def test_the_recorders_clock_is_seen(site: Placed) -> None:
    lab, client, _ = site
    lab.tamper("harbor-marina", "clock", "", {"offset_seconds": "-90"})
    assert check(client)["clock_offset_seconds"] == pytest.approx(-90, abs=3)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("web-port-closed", {"web_port": "refused", "login": "not_tried"}),
        ("web-port-silent", {"web_port": "timeout", "login": "not_tried"}),
        ("event-port-closed", {"event_port": "refused"}),
        ("event-port-silent", {"event_port": "timeout", "stranger_event_port": "timeout"}),
        ("event-port-open", {"stranger_event_port": "open"}),
    ],
)
def test_each_fault_of_the_way_is_seen(site: Placed, fault: str, expected: dict[str, str]) -> None:
    lab, client, _ = site
    lab.fault("portal", fault)
    seen = check(client)
    good = {"web_port": "open", "event_port": "open", "stranger_event_port": "refused", "login": "ok"}
    statuses = {name: value["status"] if isinstance(value, dict) else value for name, value in seen.items()}
    assert {name: statuses[name] for name in good} == good | expected
    if fault.startswith("event-port-") and fault != "event-port-open":
        open_window(client)
        problem(client.post(FIRE, headers={"Idempotency-Key": "k"}), 409, "device-unreachable")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"password": "another"}, ("open", "refused")),
        ({"username": None}, ("open", "not_tried")),
        ({"web_server_port": None}, ("not_configured", "not_tried")),
        ({"web_server_port": "the event port"}, ("open", "no_answer")),
        ({"web_server_port": 9}, ("refused", "not_tried")),
    ],
)
def test_each_wrong_setting_is_seen(
    site: Placed, change: dict[str, object], expected: tuple[str, str]
) -> None:
    lab, client, _ = site
    if change.get("web_server_port") == "the event port":
        change = {"web_server_port": lab.nvr("harbor-marina").event_port}
    change_device(lab, client, **change)
    seen = check(client)
    assert (seen["web_port"]["status"], seen["login"]) == expected
    assert (seen["product"] is None) == (seen["login"] != "ok")


def test_what_cannot_be_checked_is_said(client: httpx.Client) -> None:
    client.put(HARBOR, json=SITE)
    answer = client.post(HARBOR + "/connectivity-checks", headers={"Idempotency-Key": "c"})
    assert "0 devices" in str(problem(answer, 409, "device-unreachable")["detail"])
    client.put(NVR, json=DEVICE)
    client.put(HARBOR, json=SITE | {"location_address": "203.0.113.10"}, headers={"If-Match": "*"})
    seen = check(client)
    assert (seen["event_port"]["status"], seen["web_port"]["status"]) == ("timeout", "not_configured")


def test_a_fired_trigger_comes_back_from_the_recorders_own_address(site: Placed) -> None:
    """The whole round within a test session: fire, event port, the recorder's mail, event, clip."""
    lab, client, account = site
    set_mail(lab, account)
    open_window(client)
    sent = client.post(FIRE, headers={"Idempotency-Key": "k"})
    assert sent.json()["payload"] == "2 S", sent.text
    assert client.post(FIRE, headers={"Idempotency-Key": "k"}).json() == sent.json(), "it is fired once"
    event = soon(lambda: events(client))[0]
    assert (event["parse_status"], event["test"], event["peer"]) == (
        "parsed",
        True,
        lab.nvr("harbor-marina").site.host,
    )
    assert final_clip(client)["status"] == "ready"
    assert lab.portal.alarms() == []
    assert (lab.portal.counters.fired, len(events(client))) == (1, 1)
    lab.fire_soft("harbor-marina", 2)  # the lab's own hand needs no session


def set_mail(lab: Lab, account: str) -> None:
    name = "harbor-marina"
    body = "Trigger Event : $TriggerName$\nCamera is : $CameraName$\nTime: $TriggerTime$"
    lab.tamper(
        name, "mail_message", "", {"enabled": "true", "recipients": account, "subject": "S", "body": body}
    )
    server = {"sender": account, "host": "127.0.0.1", "port": str(lab.mail_port), "security": "starttls"}
    lab.tamper(name, "mail_server", "", server | {"login": "true", "username": name})
    lab.tamper(
        name, "generic_event", "Gate open by guard", {"name": "2 S", "substring": "2 S", "email": "true"}
    )
