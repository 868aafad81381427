"""Test sessions, releases, duplicates, clips and connectivity of the lab's portal, over real sockets."""

from __future__ import annotations

import base64
import smtplib
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from click.testing import CliRunner

from ivn_provision.cli.lab import command as lab_command
from ivn_provision.lab.lab import Lab
from ivn_provision.lab.sites import generated_sites
from tests.support.world import Hands, own_addresses
from tests.wire.portal_client import (
    DEVICE,
    HARBOR,
    NVR,
    PIN,
    SITE,
    authorised,
    create_harbor,
    open_window,
    problem,
    secret,
)

FIRE = NVR + "/alarm-inputs/soft/2:fire"
SESSIONS = HARBOR + "/test-sessions"
BODY = "Trigger Event : {trigger}\nCamera is : {camera}\nTime: {time}\n"


@pytest.fixture
def clock() -> Hands:
    return Hands()


def send(
    lab: Lab, account: str, trigger: str, *, camera: str = "10 Lobby", at: datetime | None = None
) -> None:
    """A mail as the recorder of harbor-marina would send it."""
    moment = (at or lab.portal.core.clock()).astimezone(ZoneInfo("America/New_York"))
    message = EmailMessage()
    message["From"] = message["To"] = account
    message["Subject"] = "Milestone XProtect Professional Notification"
    message.set_content(
        BODY.format(trigger=trigger, camera=camera, time=moment.strftime("%m/%d/%Y %H:%M:%S"))
    )
    with smtplib.SMTP("127.0.0.1", lab.mail_port, timeout=10) as server:
        server.starttls(context=ssl.create_default_context(cafile=str(lab.ca_file)))
        server.login("harbor-marina", secret(lab, "harbor-marina-smtp"))
        server.send_message(message)


def events(client: httpx.Client, **params: str | int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(HARBOR + "/events", params=params).json()["results"]
    return found


def soon(read: Callable[[], Any], seconds: float = 8.0) -> Any:
    """What `read` gives as soon as it gives anything."""
    deadline = time.monotonic() + seconds
    while not (found := read()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert found
    return found


def final_clip(client: httpx.Client) -> dict[str, Any]:
    """The clip of the newest event, once it is final."""

    def read() -> dict[str, Any] | None:
        clip = next(iter(events(client)[0]["clips"]), None) if events(client) else None
        return clip if clip and clip["status"] != "pending" else None

    found: dict[str, Any] = soon(read)
    return found


# Test sessions


def test_a_session_is_opened_shown_and_closed(client: httpx.Client) -> None:
    create_harbor(client)
    etag = client.get(HARBOR).headers["etag"]
    opened = open_window(client)
    assert opened.status_code == 201, opened.text
    session = opened.json()
    assert {
        "run": "r-1",
        "status": "open",
        "reason": "acceptance",
        "closed_at": None,
    }.items() <= session.items()
    assert client.get(f"{SESSIONS}/{session['id']}").json() == session
    site = client.get(HARBOR)
    assert site.json()["test_mode"] == {
        "on": True,
        "from": session["opened_at"],
        "until": session["until"],
        "reason": "acceptance",
    }
    assert site.headers["etag"] == etag, "a test session has no say in the ETag"
    closed = client.post(f"{SESSIONS}/{session['id']}:close")
    assert (closed.status_code, closed.json()["status"]) == (200, "closed")
    assert client.post(f"{SESSIONS}/{session['id']}:close").json() == closed.json(), "idempotent"
    assert client.get(HARBOR).json()["test_mode"] == {
        "on": False,
        "from": None,
        "until": None,
        "reason": None,
    }
    problem(client.get(f"{SESSIONS}/ts-none"), 404, "not-found")
    problem(client.post(f"{SESSIONS}/ts-none:close"), 404, "not-found")


def test_one_session_at_a_time_and_none_opened_twice(client: httpx.Client, lab: Lab) -> None:
    create_harbor(client)
    until = (lab.portal.core.clock() + timedelta(minutes=30)).isoformat()
    session = open_window(client, until=until).json()
    assert open_window(client, until=until).json() == session, "the same request, the same session"
    held = problem(open_window(client, until=until, key="other"), 409, "test-session-open")
    assert (held["run"], held["session"], held["until"]) == ("r-1", session["id"], session["until"])
    problem(open_window(client, until=until, run="r-2", key="r-2"), 409, "test-session-open")
    problem(open_window(client, until=until, reason="another"), 422, "idempotency-key-reuse")
    client.post(f"{SESSIONS}/{session['id']}:close")
    assert open_window(client, until=until).json()["status"] == "closed", "a late retry opens nothing"
    assert open_window(client, run="r-2", key="r-2").json()["status"] == "open", "a refusal is not kept"


@pytest.mark.parametrize(
    "wrong",
    [
        {"until": "2020-01-01T00:00:00Z"},
        {"until": "2100-01-01T00:00:00Z"},
        {"until": "soon"},
        {"until": "2026-01-01T00:00:00"},
        {"reason": ""},
        {"reason": "x" * 201},
        {"reason": "two\nlines"},
        {"run": "a b"},
        {"run": ""},
        {"more": "x"},
    ],
)
def test_what_is_no_window_is_refused(client: httpx.Client, wrong: dict[str, str]) -> None:
    create_harbor(client)
    problem(open_window(client, **wrong), 422, "validation")


def test_a_window_is_at_most_four_hours_long_and_has_an_end(client: httpx.Client, lab: Lab) -> None:
    create_harbor(client)
    now = lab.portal.core.clock()
    late = (now + timedelta(hours=4, milliseconds=1)).isoformat()
    errors = problem(open_window(client, until=late), 422, "validation")["errors"]
    assert isinstance(errors, list)
    assert errors[0]["pointer"] == "/until"
    assert open_window(client, until=(now + timedelta(hours=4)).isoformat()).status_code == 201
    problem(client.post(SESSIONS, json={"run": "r", "reason": "x"}), 422, "validation")
    problem(client.post("/sites/nowhere/test-sessions", json={}), 422, "validation")


def test_a_session_ends_by_itself(client: httpx.Client, lab: Lab, clock: Hands) -> None:
    account = create_harbor(client)
    session = open_window(client, until=(clock.now + timedelta(minutes=5)).isoformat()).json()
    send(lab, account, "2 H Door")
    clock.now += timedelta(minutes=5)
    shown = client.get(f"{SESSIONS}/{session['id']}").json()
    assert (shown["status"], shown["closed_at"]) == ("expired", None)
    assert client.post(f"{SESSIONS}/{session['id']}:close").json() == shown
    assert client.get(HARBOR).json()["test_mode"]["on"] is False
    problem(client.post(FIRE, headers={"Idempotency-Key": "k"}), 409, "site-not-in-test-mode")
    send(lab, account, "2 H Door")
    real, test = events(client)
    assert (test["test"], test["test_session"]) == (True, session["id"])
    assert (real["test"], real["test_session"], real["parse_status"]) == (False, None, "parsed")
    assert [each["id"] for each in lab.portal.alarms()] == [real["id"]]
    assert lab.portal.alarms("other-site") == []
    assert lab.status()["counters"]["portal"]["alarms"] == 1
    assert [each["id"] for each in events(client, test_session=session["id"])] == [test["id"]]
    assert (
        open_window(client, until=(clock.now + timedelta(minutes=5)).isoformat(), key="next").status_code
        == 201
    )


def test_a_restart_keeps_window_password_and_mails(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    with Lab(folder, free_ports=True, recorders=False) as lab, authorised(lab) as client:
        account = create_harbor(client)
        session = open_window(client).json()
        send(lab, account, "2 H Door")
    with Lab(folder, free_ports=True, recorders=False) as lab, authorised(lab) as client:
        assert client.get(f"{SESSIONS}/{session['id']}").json() == session
        assert client.get(HARBOR).json()["test_mode"]["until"] == session["until"]
        send(lab, account, "2 H Door")
        assert [each["test"] for each in events(client)] == [True, True]
        assert lab.portal.core.vault.password("harbor-marina", "nvr") == "first-password"
        assert client.get(f"{HARBOR}/events/1/mail").status_code == 200
        client.delete(NVR, headers={"If-Match": "*"})
        assert lab.portal.core.vault.password("harbor-marina", "nvr") == ""


def test_a_password_is_sealed_in_the_database(client: httpx.Client, lab: Lab) -> None:
    create_harbor(client)
    assert lab.portal.core.vault.password("harbor-marina", "nvr") == "first-password"
    written = b"".join(each.read_bytes() for each in lab.directory.glob("portal.*"))
    assert b"first-password" not in written


def test_the_station_may_refuse(client: httpx.Client, lab: Lab) -> None:
    create_harbor(client)
    lab.fault("portal", "test-session-refused")
    assert "off watch" in str(problem(open_window(client), 409, "test-session-refused")["detail"])
    lab.fault("portal", "test-session-refused", on=False)
    assert open_window(client).status_code == 201


# Events


def test_an_entry_delay_holds_and_lets_go_by_itself(client: httpx.Client, lab: Lab, clock: Hands) -> None:
    account = harbor_with_delay(client)
    send(lab, account, "3 H Gate")
    held = events(client)[0]["release"]
    due = clock.now + timedelta(seconds=45)
    assert (held["status"], held["released_at"]) == ("held", None)
    assert held["due_at"] == due.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    clock.now = due - timedelta(seconds=1)
    assert events(client)[0]["release"] == held
    clock.now = due
    assert events(client)[0]["release"] == held | {"status": "released", "released_at": held["due_at"]}
    assert lab.portal.events("harbor-marina")[0]["release"]["status"] == "released"


def test_a_perimeter_event_is_immediate_and_ends_every_hold(
    client: httpx.Client, lab: Lab, clock: Hands
) -> None:
    account = harbor_with_delay(client)
    send(lab, account, "3 H Gate")
    clock.now += timedelta(seconds=10)
    send(lab, account, "2 H Door")
    perimeter, gate = events(client)
    assert (perimeter["release"]["status"], perimeter["release"]["due_at"]) == ("immediate", None)
    assert gate["release"]["status"] == "released"
    assert gate["release"]["released_at"] == perimeter["release"]["released_at"] == perimeter["received_at"]


def test_disarming_cancels_what_is_held(client: httpx.Client, lab: Lab, clock: Hands) -> None:
    account = harbor_with_delay(client)
    send(lab, account, "3 H Gate")
    lab.portal_state("harbor-marina", armed=False)
    clock.now += timedelta(seconds=60)
    release = events(client)[0]["release"]
    assert (release["status"], release["released_at"]) == ("cancelled", None)


def test_without_a_delay_nothing_is_held(client: httpx.Client, lab: Lab) -> None:
    account = harbor_with_delay(client, delay=None)
    send(lab, account, "3 H Gate")
    send(lab, account, "9 H Unknown")
    unknown, gate = events(client)
    assert gate["release"]["status"] == "immediate"
    assert (unknown["release"], unknown["clips"]) == (None, []), "what is not understood is not released"


def harbor_with_delay(client: httpx.Client, delay: int | None = 45) -> str:
    account = create_harbor(client)
    body = SITE | {"entry_delay_seconds": delay}
    assert client.put(HARBOR, json=body, headers={"If-Match": "*"}).status_code == 200
    pin = PIN | {"event_type": "entry_delay"}
    assert client.put(NVR + "/alarm-inputs/hardware/3", json=pin).status_code == 201
    return account


def test_a_second_mail_within_a_minute_is_a_duplicate(client: httpx.Client, lab: Lab, clock: Hands) -> None:
    account = create_harbor(client)
    open_window(client, until=(clock.now + timedelta(minutes=30)).isoformat())
    for trigger in ("2 H Door", "2 H Door", "2 S"):
        send(lab, account, trigger, camera="10 Lobby" if "H" in trigger else "")
    soft, second, first = events(client)
    assert (first["parse_status"], soft["parse_status"]) == ("parsed", "parsed"), "each source by itself"
    assert (second["parse_status"], second["duplicate_of"]) == ("duplicate", first["id"])
    assert (second["release"], second["clips"], second["pin"]) == (None, [], 2)
    clock.now += timedelta(seconds=59)
    send(lab, account, "2 H Door")
    clock.now += timedelta(seconds=1)
    send(lab, account, "2 H Door")
    again, late = events(client)[:2]
    assert (late["parse_status"], late["duplicate_of"]) == ("duplicate", first["id"])
    assert again["parse_status"] == "parsed", "a minute after the first it is an alarm of its own"


def test_another_test_session_begins_anew(client: httpx.Client, lab: Lab, clock: Hands) -> None:
    account = create_harbor(client)
    until = (clock.now + timedelta(minutes=30)).isoformat()
    session = open_window(client, until=until).json()["id"]
    send(lab, account, "2 H Door")
    client.post(f"{SESSIONS}/{session}:close")
    clock.now += timedelta(seconds=1)
    open_window(client, until=until, key="next")
    send(lab, account, "2 H Door")
    assert [each["parse_status"] for each in events(client)] == ["parsed", "parsed"]


def test_polling_asks_for_what_came_after(client: httpx.Client, lab: Lab) -> None:
    account = create_harbor(client)
    for _ in range(3):
        send(lab, account, "2 H Door")
    newest = events(client)[0]["id"]
    assert [each["id"] for each in events(client, after_id=newest - 2)] == [newest, newest - 1]
    page = client.get(HARBOR + "/events", params={"after_id": newest - 2, "page_size": 1}).json()
    assert (page["total_size"], len(page["results"])) == (2, 1)
    following = client.get(
        HARBOR + "/events", params={"after_id": newest - 2, "page_token": page["next_page_token"]}
    ).json()
    assert [each["id"] for each in following["results"]] == [newest - 1]
    assert events(client, after_id=newest) == []
    for wrong in ({"after_id": "-1"}, {"after_id": "x"}, {"after_id": "1" * 19}, {"test_session": "A B"}):
        problem(client.get(HARBOR + "/events", params=wrong), 422, "validation")


def test_events_may_be_seen_late(client: httpx.Client, lab: Lab, clock: Hands) -> None:
    account = create_harbor(client)
    lab.fault("portal", "events-late")
    send(lab, account, "2 H Door")
    assert events(client) == []
    assert client.get(HARBOR + "/events").json()["total_size"] == 0
    clock.now += timedelta(seconds=3)
    assert len(events(client)) == 1


def test_the_mail_of_an_event_is_kept(client: httpx.Client, lab: Lab) -> None:
    account = create_harbor(client)
    send(lab, account, "2 H Door")
    event = events(client)[0]
    mail = client.get(f"{HARBOR}/events/{event['id']}/mail").json()
    raw = lab.mail.messages[-1].raw
    assert base64.b64decode(mail["raw"]) == raw
    assert b"Trigger Event : 2 H Door" in raw
    del mail["raw"]
    assert mail == {
        "sender": account,
        "recipients": [account],
        "peer": "127.0.0.1",
        "received_at": event["received_at"],
        "tls": True,
        "truncated": False,
    }
    problem(client.get(f"{HARBOR}/events/{event['id'] + 1}/mail"), 404, "not-found")
    problem(client.get(f"{HARBOR}/events/x/mail"), 404, "not-found")
    client.put("/sites/other", json=SITE)
    problem(client.get(f"/sites/other/events/{event['id']}/mail"), 404, "not-found")


def test_a_long_mail_is_cut(client: httpx.Client, lab: Lab) -> None:
    account = create_harbor(client)
    send(lab, account, "2 H " + "x" * 70 + "\n" + "\n".join(["y" * 70] * 5000))
    mail = client.get(f"{HARBOR}/events/{events(client)[0]['id']}/mail").json()
    assert (len(base64.b64decode(mail["raw"])), mail["truncated"]) == (256 * 1024, True)


def test_mails_may_come_from_elsewhere(client: httpx.Client, lab: Lab) -> None:
    account = create_harbor(client)
    lab.fault("portal", "mail-from-elsewhere")
    send(lab, account, "2 H Door")
    event = events(client)[0]
    assert event["peer"] == "127.0.0.252"
    assert client.get(f"{HARBOR}/events/{event['id']}/mail").json()["peer"] == "127.0.0.252"


# With a recorder: clips and connectivity


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


def test_the_status_shows_windows_and_alarms(client: httpx.Client, lab: Lab) -> None:
    account = create_harbor(client)
    send(lab, account, "2 H Door")
    open_window(client)
    send(lab, account, "2 H Door")
    with lab.control(lambda: None):
        shown = CliRunner().invoke(lab_command, ["status", "--dir", str(lab.directory)]).output
    assert "station: 1 alarms that were no test" in shown
    assert "harbor-marina: run r-1 until " in shown
