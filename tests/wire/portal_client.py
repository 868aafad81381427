"""A small portal client for the lab's own tests: httpx, a token, the lab's CA, and mails as a recorder sends them."""

from __future__ import annotations

import smtplib
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from ivn_provision.lab.lab import Lab

SITE = {"name": "Harbor Marina", "location_address": "127.0.0.1", "time_zone": "America/New_York"}
DEVICE = {
    "make": "Milestone",
    "model": "XProtect Professional",
    "event_server_port": 1234,
    "username": "ivnview",
}
PIN = {"camera": 10, "event_type": "perimeter"}
HARBOR = "/sites/harbor-marina"
NVR = HARBOR + "/devices/nvr"
FIRE = NVR + "/alarm-inputs/soft/2:fire"
SESSIONS = HARBOR + "/test-sessions"
URN = "urn:ivn-provision:problem:"
BODY = "Trigger Event : {trigger}\nCamera is : {camera}\nTime: {time}\n"


def secret(lab: Lab, name: str) -> str:
    """The value of one of the lab's secret files."""
    return lab.secret_file(name).read_text().strip()


def anonymous(lab: Lab) -> httpx.Client:
    """A client without a token."""
    context = ssl.create_default_context(cafile=str(lab.ca_file))
    return httpx.Client(base_url=lab.portal_url, verify=context, trust_env=False, timeout=5)


def token(client: httpx.Client, lab: Lab, scope: str = "") -> str:
    """A bearer token."""
    form = {
        "grant_type": "client_credentials",
        "client_id": "northside",
        "client_secret": secret(lab, "portal-client"),
    }
    answer = client.post("/oauth/token", data=form | ({"scope": scope} if scope else {}))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def authorised(lab: Lab, scope: str = "") -> httpx.Client:
    """A client with a token."""
    with anonymous(lab) as asking:
        bearer = token(asking, lab, scope)
    client = anonymous(lab)
    client.headers["Authorization"] = f"Bearer {bearer}"
    return client


def problem(answer: httpx.Response, status: int, kind: str) -> dict[str, object]:
    """The body of a refusal, which has that status and is of that kind."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), (
        answer.text
    )
    body: dict[str, object] = answer.json()
    assert (body["type"], body["status"]) == (URN + kind, status)
    return body


def in_half_an_hour() -> datetime:
    """When a window of a test ends."""
    return datetime.now(UTC) + timedelta(minutes=30)


def open_window(client: httpx.Client, *, key: str = "window", **more: str) -> httpx.Response:
    """Open a test session of harbor-marina, for half an hour."""
    body = {"run": "r-1", "until": in_half_an_hour().isoformat(), "reason": "acceptance"} | more
    return client.post(HARBOR + "/test-sessions", json=body, headers={"Idempotency-Key": key})


def create_harbor(client: httpx.Client, *, event_port: int = 1234) -> str:
    """harbor-marina with a device and pins 2H and 2S; its SMTP account id."""
    assert client.put(HARBOR, json=SITE).status_code == 201
    device = client.put(NVR, json=DEVICE | {"event_server_port": event_port, "password": "first-password"})
    assert device.status_code == 201, device.text
    for source in ("hardware", "soft"):
        assert client.put(f"{NVR}/alarm-inputs/{source}/2", json=PIN).status_code == 201
    return str(device.json()["smtp"]["account_id"])


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
    """A page of harbor-marina's events, the newest first."""
    found: list[dict[str, Any]] = client.get(HARBOR + "/events", params=params).json()["results"]
    return found


def soon(read: Callable[[], Any], seconds: float = 8.0) -> Any:
    """What `read` gives as soon as it gives anything."""
    deadline = time.monotonic() + seconds
    while not (found := read()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert found
    return found
