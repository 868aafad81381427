"""The product's side of a test at a portal that lies: each answer is understood, or refused at its place."""

from __future__ import annotations

import base64
import copy
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivn_provision.drivers.portal.testing import PortalTesting
from ivn_provision.drivers.portal.testing_values import TestWindow
from ivn_provision.errors import (
    Conflict,
    IvnError,
    ProtocolFault,
    Refused,
    TargetError,
    Unreachable,
)
from ivn_provision.report.errors_text import render_error
from ivn_provision.report.paint import Paint
from tests.support.world import started
from tests.wire.portal_client import in_half_an_hour
from tests.wire.test_hostile_portal import _listening, _moved, mutate

SITE = "lab-0001"
Body = dict[str, Any]

TOKEN = "a-token-that-stands-in-no-answer"
TIME = "2026-11-24T00:00:00.000Z"
WINDOW: Body = {
    "id": "ts-1",
    "run": "r-1",
    "status": "open",
    "opened_at": TIME,
    "until": TIME,
    "reason": "acceptance",
    "closed_at": None,
}
EVENT: Body = {
    "id": 8,
    "site": SITE,
    "device": "recorder",
    "received_at": TIME,
    "mail_time": TIME,
    "offset_seconds": -0.5,
    "pin": 2,
    "source": "soft",
    "camera": 10,
    "event_type": "perimeter",
    "parse_status": "parsed",
    "detail": "",
    "trigger": "2 S",
    "camera_name": "",
    "sender": "a@b.example",
    "recipient": "a@b.example",
    "subject": "S",
    "peer": "127.0.0.1",
    "release": {"status": "immediate", "due_at": None, "released_at": TIME},
    "clips": [{"status": "ready", "pre": 10, "post": 9.5, "bytes": None, "codec": None}],
    "duplicate_of": None,
    "test": True,
    "test_session": "ts-1",
}
PAGE: Body = {"results": [EVENT], "next_page_token": None, "total_size": 1}
PORT: Body = {"status": "open", "endpoint": "127.0.0.1:1234"}
CHECK: Body = {
    "checked_at": TIME,
    "web_port": PORT,
    "event_port": PORT,
    "stranger_event_port": PORT,
    "login": "ok",
    "product": "P",
    "clock_offset_seconds": 1,
    "source_addresses": ["127.0.0.1"],
}
MAIL: Body = {
    "raw": "QQ==",
    "sender": "a",
    "recipients": ["a"],
    "peer": "127.0.0.1",
    "received_at": TIME,
    "tls": True,
    "truncated": False,
}
FIRED: Body = {
    "pin": 2,
    "source": "soft",
    "payload": "2 S",
    "fired_at": TIME,
    "result": "sent",
    "endpoint": "127.0.0.1:1234",
}


@dataclass
class Liar:
    """Answers every request but that for a token by the next of `answers`, and then by the last for ever."""

    portal: PortalTesting | None = None
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    seen: list[tuple[str, str, str]] = field(default_factory=list)

    def says(self, *bodies: object, status: int = 200) -> PortalTesting:
        self.answers = [
            (status, each if isinstance(each, bytes) else json.dumps(each).encode()) for each in bodies
        ]
        self.seen = []
        assert self.portal is not None
        return self.portal

    def refuses(self, kind: str, status: int = 409, **more: object) -> PortalTesting:
        problem = {"type": f"urn:ivn-provision:problem:{kind}", "status": status, "title": "T", **more}
        return self.says(problem, status=status)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    liar: Liar

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = urlsplit(self.path).path
        if path.endswith("/oauth/token"):
            token = {"access_token": TOKEN, "token_type": "bearer", "expires_in": 900}
            self._send(200, json.dumps(token).encode())
            return
        self.liar.seen.append((self.command, path, self.headers.get("Idempotency-Key", "")))
        answers = self.liar.answers
        self._send(*(answers.pop(0) if len(answers) > 1 else answers[0]))

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@pytest.fixture(scope="module")
def liar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Liar]:
    with started(tmp_path_factory.mktemp("liar")) as world, _listening() as server:
        found = Liar()
        server.RequestHandlerClass = type("_Bound", (_Handler,), {"liar": found})
        site = _moved(world, server.server_address[1])
        found.portal = world.opener().testing(site)
        yield found
        found.portal.close()


def said(error: IvnError) -> str:
    text = render_error(error, Paint(on=False))
    assert "defect" not in text
    assert error.next_step
    assert all(line.isprintable() for line in text.splitlines())
    assert TOKEN not in text
    assert len(text) < 1200
    return text


def refused(ask: Callable[[], object]) -> str:
    with pytest.raises(ProtocolFault) as caught:
        ask()
    return said(caught.value)


def test_sound_answers_are_understood(liar: Liar) -> None:
    window = liar.says(WINDOW).open_window("r-1", in_half_an_hour(), "x")
    assert window.until == datetime(2026, 11, 24, tzinfo=UTC)
    (event,) = liar.says(PAGE).events_after(7)
    assert (event.id, event.offset_seconds, event.clips[0].post) == (8, -0.5, 9.5)
    assert liar.says(CHECK).connectivity().clock_offset_seconds == 1.0
    assert liar.says(MAIL).mail_of(8).raw == b"A"
    assert "raw" not in repr(liar.says(MAIL).mail_of(8))
    assert liar.says(FIRED).fire("recorder", 2).endpoint == "127.0.0.1:1234"


READS: dict[str, tuple[Body, Callable[[PortalTesting], object]]] = {
    "window": (WINDOW, lambda portal: portal.window("ts-1")),
    "open": (WINDOW, lambda portal: portal.open_window("r-1", in_half_an_hour(), "x")),
    "close": (WINDOW | {"status": "closed"}, lambda portal: portal.close_window("ts-1")),
    "events": (PAGE, lambda portal: portal.events_after(7)),
    "latest": (PAGE, lambda portal: portal.latest_event_id()),
    "mail": (MAIL, lambda portal: portal.mail_of(8)),
    "check": (CHECK, lambda portal: portal.connectivity()),
    "fire": (FIRED, lambda portal: portal.fire("recorder", 2)),
}
WRONG: list[tuple[str, str, object, str]] = [
    ("window", "id", "ts-2", "/id is not the test session that was asked for"),
    ("window", "id", "../x", "/id is not the id of a test session"),
    ("window", "status", "ajar", "/status is not one of open, closed, expired"),
    ("window", "until", "soon", "/until is not a time"),
    ("window", "until", "2026-11-24T00:00:00", "/until is not a time"),
    ("window", "opened_at", None, "/opened_at is not text"),
    ("window", "reason", "a\nb", "/reason is not one line"),
    ("open", "run", "r-2", "/run is not the run that was asked for"),
    ("close", "status", "open", "/status says that the window is still open"),
    ("events", "results", {}, "/results is not a list"),
    ("events", "results", [EVENT, EVENT], "/results is not in the order of ids"),
    ("events", "results", [EVENT | {"id": 7}], "/results has an event that was not asked for"),
    ("events", "results", [EVENT | {"id": 0}], "/results/0/id is not from 1"),
    ("events", "results", [EVENT | {"site": "other"}], "/results/0/site is not the site"),
    ("events", "results", [EVENT | {"pin": True}], "/results/0/pin is not a whole number"),
    ("events", "results", [EVENT | {"test": 1}], "/results/0/test is not true or false"),
    ("events", "results", [EVENT | {"offset_seconds": True}], "/results/0/offset_seconds is not a number"),
    ("events", "results", [EVENT | {"offset_seconds": 1e99}], "/results/0/offset_seconds is not from"),
    ("events", "results", [EVENT | {"parse_status": "fine"}], "/results/0/parse_status is not one of"),
    ("events", "results", [EVENT | {"release": {"status": "held"}}], "/results/0/release/due_at is missing"),
    ("events", "results", [EVENT | {"clips": [{"status": "ready"}]}], "/results/0/clips/0/pre is missing"),
    ("events", "results", [EVENT | {"trigger": "\ud800"}], "/results/0/trigger holds half"),
    ("events", "next_page_token", "a b", "/next_page_token is not a page token"),
    ("latest", "results", [EVENT | {"id": "8"}], "/results/0/id is not a whole number"),
    ("mail", "raw", "Q", "/raw is not base64"),
    ("mail", "raw", "Q\u00e9==", "/raw is not base64"),
    ("mail", "raw", base64.b64encode(b"x" * 262_145).decode(), "/raw is longer than 256 KiB"),
    ("mail", "recipients", "a", "/recipients is not a list"),
    ("check", "login", "maybe", "/login is not one of"),
    ("check", "web_port", None, "/web_port is not an object"),
    ("check", "clock_offset_seconds", "1", "/clock_offset_seconds is not a number"),
    ("fire", "pin", 3, "/pin is not the pin that was asked for"),
    ("fire", "payload", "3 S", "/payload is not what such a pin sends"),
]


@pytest.mark.parametrize(("read", "name", "value", "words"), WRONG)
def test_a_wrong_value_is_refused_at_its_place(
    liar: Liar, read: str, name: str, value: object, words: str
) -> None:
    body, ask = READS[read]
    assert words in refused(lambda: ask(liar.says(body | {name: value})))


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b"{}", b"\xff", b'{"id": NaN}', b"[" * 100_000])
def test_what_is_no_answer_at_all(liar: Liar, read: str, raw: bytes) -> None:
    refused(lambda: READS[read][1](liar.says(raw)))


def test_a_portal_that_pages_in_a_circle_is_found_out(liar: Liar) -> None:
    circle = PAGE | {"next_page_token": "abc"}
    assert "order of ids" in refused(lambda: liar.says(circle).events_after(7))
    endless = [PAGE | {"results": [], "next_page_token": "abc"}]
    assert "more than" in refused(lambda: liar.says(*endless).events_after(7))
    assert len(liar.seen) == 50


def test_another_runs_words_are_made_safe(liar: Liar) -> None:
    portal = liar.refuses("test-session-open", run=f"\x1b[2J\u202e{TOKEN}", until="x\ny", session="ts-1")
    with pytest.raises(Conflict) as caught:
        portal.open_window("r-1", in_half_an_hour(), "x")
    assert "another run tests the site" in said(caught.value)
    portal = liar.refuses("device-unreachable", detail=f"\x9b2J {TOKEN}")
    with pytest.raises(Unreachable) as unreached:
        portal.fire("recorder", 2)
    said(unreached.value)
    assert "is missing" in refused(
        lambda: liar.refuses("test-session-open", run="r-2").open_window("r-1", in_half_an_hour(), "x")
    )


def test_the_runs_own_window_is_adopted_only_if_it_is_open(liar: Liar) -> None:
    problem = {
        "type": "urn:ivn-provision:problem:test-session-open",
        "run": "r-1",
        "until": TIME,
        "session": "ts-1",
    }
    portal = liar.says(problem, WINDOW | {"status": "expired"})
    liar.answers[0] = (409, liar.answers[0][1])
    with pytest.raises(Refused, match="it is expired"):
        portal.open_window("r-1", in_half_an_hour(), "x")


@pytest.mark.parametrize(
    ("read", "times"), [("open", 2), ("fire", 2), ("check", 2), ("close", 3), ("window", 1)]
)
def test_what_is_safe_is_asked_again_with_the_same_key(liar: Liar, read: str, times: int) -> None:
    problem = {"type": "urn:ivn-provision:problem:unavailable", "status": 503}
    portal = liar.says(problem, status=503)
    with pytest.raises(ProtocolFault):
        READS[read][1](portal)
    assert len(liar.seen) == times
    assert len(set(liar.seen)) == 1
    body = READS[read][0]
    liar.says(*[problem] * (times - 1), body)
    liar.answers[: times - 1] = [(503, raw) for _, raw in liar.answers[: times - 1]]
    READS[read][1](portal)
    assert len(liar.seen) == times


def test_each_firing_has_a_key_of_its_own(liar: Liar) -> None:
    portal = liar.says(FIRED)
    for _ in range(2):
        portal.fire("recorder", 2)
    keys = [key for _, _, key in liar.seen]
    assert len(set(keys)) == 2
    assert all(re.fullmatch(r"[A-Za-z0-9._:-]{1,255}", key) for key in keys)


@settings(max_examples=200, deadline=None)
@given(read=st.sampled_from(sorted(READS)), data=st.data())
def test_any_change_of_an_answer_is_understood_or_refused(liar: Liar, read: str, data: st.DataObject) -> None:
    body = copy.deepcopy(READS[read][0])
    for _ in range(data.draw(st.integers(1, 3))):
        mutate(body, data)
    try:
        found = READS[read][1](liar.says(body))
    except TargetError as error:
        said(error)
        return
    repr(found).encode()
    if isinstance(found, TestWindow):
        assert found.until.tzinfo is not None
