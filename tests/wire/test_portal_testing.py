"""The product's side of a test at the portal, against the lab and against a portal that lies."""

from __future__ import annotations

import base64
import copy
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivn_provision.drivers.portal.testing import PortalTesting
from ivn_provision.drivers.portal.testing_values import PortalEvent, TestWindow
from ivn_provision.errors import (
    AuthenticationFailed,
    Conflict,
    IvnError,
    ProtocolFault,
    Refused,
    TargetError,
    Unreachable,
)
from ivn_provision.report.errors_text import render_error
from ivn_provision.report.paint import Paint
from ivn_provision.run.targets import READ_SCOPE, TEST_SCOPE
from tests.support.world import World, started
from tests.wire.test_hostile_portal import _listening, _moved, mutate

SITE = "lab-0001"
RUN = "20261124T000001Z-00000001"
Body = dict[str, Any]


def in_half_an_hour() -> datetime:
    return datetime.now(UTC) + timedelta(minutes=30)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A site that was applied."""
    with started(tmp_path_factory.mktemp("testing")) as world:
        (outcome,) = world.apply(SITE)
        assert outcome.error is None, outcome.error
        yield world


@pytest.fixture
def portal(world: World) -> Iterator[PortalTesting]:
    made = world.opener().testing(world.site(SITE))
    yield made
    for each in world.lab.portal.core.sessions.all_running():
        made.close_window(each.id)
    made.close()


def soon(read: Callable[[], Any], seconds: float = 8.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := read()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert found
    return found


def test_a_window_is_opened_once_and_closed_as_often_as_one_likes(
    portal: PortalTesting, world: World
) -> None:
    until = in_half_an_hour()
    window = portal.open_window(RUN, until, "acceptance")
    assert (window.run, window.status, window.reason, window.closed_at) == (RUN, "open", "acceptance", None)
    assert abs((window.until - until).total_seconds()) < 0.002
    assert portal.open_window(RUN, until, "acceptance") == window
    assert portal.open_window(RUN, until + timedelta(minutes=1), "again") == window, (
        "the run's own is adopted"
    )
    assert portal.window(window.id) == window
    closed = portal.close_window(window.id)
    assert closed.status == "closed"
    assert portal.close_window(window.id) == closed == portal.window(window.id)
    assert len(world.lab.portal.core.sessions.all_running()) == 0
    with pytest.raises(Refused, match="it is closed"):
        portal.open_window(RUN, until, "acceptance")


def test_another_runs_window_is_in_the_way(portal: PortalTesting) -> None:
    portal.open_window("r-1", in_half_an_hour(), "theirs")
    with pytest.raises(Conflict, match="another run tests the site: r-1, until 2"):
        portal.open_window("r-2", in_half_an_hour(), "ours")


def test_what_the_portal_will_not_do_is_said(portal: PortalTesting, world: World) -> None:
    with pytest.raises(Refused, match="/until"):
        portal.open_window(RUN, datetime.now(UTC) + timedelta(hours=5), "too long")
    with pytest.raises(Refused, match="fires nothing"):
        portal.fire("recorder", 2)
    with pytest.raises(Refused, match="no such test session"):
        portal.close_window("ts-none")
    with pytest.raises(Refused, match="mail of such an event"):
        portal.mail_of(987_654)
    world.lab.fault("portal", "test-session-refused")
    try:
        with pytest.raises(Refused, match="does not take the site off watch"):
            portal.open_window("r-9", in_half_an_hour(), "refused")
    finally:
        world.lab.fault("portal", "test-session-refused", on=False)
    with pytest.raises(Refused, match="declares no portal"):
        world.opener().testing(replace(world.site(SITE), portal=None))
    with pytest.raises(ValueError, match="no id of a run"):
        portal.open_window("a b", in_half_an_hour(), "x")


def test_the_recorder_is_not_reached(portal: PortalTesting, world: World) -> None:
    portal.open_window(RUN, in_half_an_hour(), "closed port")
    world.lab.fault("portal", "event-port-closed")
    try:
        with pytest.raises(Unreachable, match="does not reach the recorder"):
            portal.fire("recorder", 2)
        assert portal.connectivity().event_port.status == "refused"
    finally:
        world.lab.fault("portal", "event-port-closed", on=False)


def test_a_trigger_is_fired_and_comes_back(portal: PortalTesting, world: World) -> None:
    before = portal.latest_event_id()
    window = portal.open_window("r-fire", in_half_an_hour(), "acceptance")
    fired = portal.fire("recorder", 2, key="once")
    assert (fired.pin, fired.payload) == (2, "2 S")
    assert portal.fire("recorder", 2, key="once") == fired
    (event,) = soon(lambda: portal.events_after(before))
    host = world.lab.site(SITE).host
    assert (event.pin, event.source, event.parse_status, event.test) == (2, "soft", "parsed", True)
    assert (event.camera, event.peer, event.test_session) == (10, host, window.id)
    assert event.release is not None
    assert event.release.status == "immediate"
    assert event.mail_time is not None

    def final() -> PortalEvent | None:
        (now,) = portal.events_after(before)
        return now if all(each.is_final for each in now.clips) else None

    seen = soon(final)
    assert [(each.status, each.pre, each.post) for each in seen.clips] == [("ready", 10.0, 10.0)]
    mail = portal.mail_of(event.id)
    assert (mail.sender, mail.recipients, mail.peer) == (event.sender, (event.recipient,), host)
    assert (mail.tls, mail.truncated) == (True, False)
    assert b"Trigger Event : 2 S" in mail.raw
    assert portal.events_after(event.id) == ()
    assert portal.latest_event_id() == event.id
    world.lab.fire_input(SITE, world.lab.site(SITE).cameras[1].address, 1)
    (gate,) = soon(lambda: portal.events_after(event.id))
    assert (gate.source, gate.event_type) == ("hardware", "entry_delay")
    assert gate.release is not None
    assert (gate.release.status, gate.release.released_at) == ("held", None)
    assert gate.release.due_at == gate.received_at + timedelta(seconds=45)
    assert world.lab.portal.alarms() == []


def test_the_portal_sees_an_applied_site_as_it_should(portal: PortalTesting, world: World) -> None:
    seen = portal.connectivity()
    site = world.lab.site(SITE)
    assert (seen.web_port.status, seen.event_port.status) == ("open", "open")
    assert seen.web_port.endpoint == f"{site.host}:8080"
    assert (seen.stranger_event_port.status, seen.login, seen.product) == ("refused", "ok", site.product)
    assert seen.clock_offset_seconds is not None
    assert abs(seen.clock_offset_seconds) <= 2
    assert seen.source_addresses == ("127.0.0.1",)


def test_a_broken_line_opens_no_second_window_and_is_asked_again(portal: PortalTesting, world: World) -> None:
    counters = world.lab.portal.counters.requests_by_route
    route = "POST /sites/{site_key}/test-sessions"
    before = counters[route]
    world.lab.fault("portal", "http_503")
    with closing(world.opener(3.0).testing(world.site(SITE))) as hasty, pytest.raises(ProtocolFault):
        hasty.open_window("r-broken", in_half_an_hour(), "broken")
    world.lab.fault("portal", "http_503", on=False)
    assert counters[route] == before
    until = in_half_an_hour()
    first = portal.open_window("r-broken", until, "broken")
    assert portal.open_window("r-broken", until, "broken") == first
    assert len(world.lab.portal.core.sessions.all_running()) == 1


@pytest.mark.parametrize("fault", ["http_500_after_commit-once", "http_500_after_commit"])
def test_a_window_whose_answer_is_lost_is_found_again(
    portal: PortalTesting, world: World, fault: str
) -> None:
    run, until = f"r-{fault}", in_half_an_hour()
    world.lab.fault("portal", fault)
    try:
        if fault.endswith("-once"):
            assert portal.open_window(run, until, "lost").status == "open"
        else:
            with pytest.raises(ProtocolFault):
                portal.open_window(run, until, "lost")
    finally:
        world.lab.fault("portal", fault, on=False)
    window = portal.open_window(run, until, "lost")
    (only,) = world.lab.portal.core.sessions.all_running()
    assert (window.id, window.status) == (only.id, "open")


def test_a_reading_token_may_not_test(world: World) -> None:
    assert set(READ_SCOPE.split()) < set(TEST_SCOPE.split())
    assert "sites:write" not in TEST_SCOPE
    opener, site = world.opener(), world.site(SITE)
    assert site.portal is not None
    read_only = PortalTesting(
        SITE, site.portal.account, opener._client(site.portal), opener._token(site.portal, READ_SCOPE)
    )
    with pytest.raises(AuthenticationFailed, match="tests:run"):
        read_only.open_window(RUN, in_half_an_hour(), "x")
    read_only.close()


# A portal that lies

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
