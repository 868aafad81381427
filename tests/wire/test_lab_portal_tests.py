"""Test sessions of the lab's portal, over real sockets: how a window opens and ends, and what a mail in it is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from ivn_provision.cli.lab import command as lab_command
from ivn_provision.lab.lab import Lab
from tests.support.world import Hands
from tests.wire.portal_client import (
    FIRE,
    HARBOR,
    NVR,
    SESSIONS,
    authorised,
    create_harbor,
    events,
    open_window,
    problem,
    send,
)


@pytest.fixture
def clock() -> Hands:
    return Hands()


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


def test_the_status_shows_windows_and_alarms(client: httpx.Client, lab: Lab) -> None:
    account = create_harbor(client)
    send(lab, account, "2 H Door")
    open_window(client)
    send(lab, account, "2 H Door")
    with lab.control(lambda: None):
        shown = CliRunner().invoke(lab_command, ["status", "--dir", str(lab.directory)]).output
    assert "station: 1 alarms that were no test" in shown
    assert "harbor-marina: run r-1 until " in shown
