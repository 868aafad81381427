"""What the lab's portal makes of a mail: holds and releases, duplicates, the list of events, the mail as it came."""

from __future__ import annotations

import base64
from datetime import UTC, timedelta

import httpx
import pytest

from ivn_provision.lab.lab import Lab
from tests.support.world import Hands
from tests.wire.portal_client import (
    HARBOR,
    NVR,
    PIN,
    SESSIONS,
    SITE,
    create_harbor,
    events,
    open_window,
    problem,
    send,
)


@pytest.fixture
def clock() -> Hands:
    return Hands()


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
