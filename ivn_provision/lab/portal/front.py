"""The portal's front door: counts, is slow, and fails on demand, before any routing."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter, deque
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ivn_provision.errors import LabError
from ivn_provision.lab.portal.problems import Problem
from ivn_provision.lab.portal.rate_limit import RateLimit

_INSTEAD = ("hang", "html", "http_429", "http_500", "http_503", "reset", "truncate")
"""Faults in the place of an answer, before anything is done."""
_LIMITED = "rate-limit"
"""Refuses what comes too often, before anything is done."""
_AFTER_COMMIT = ("http_500_after_commit", "hang_after_commit")
"""A write of an object or test session is made, and then answered so; leases and reads are spared."""
_INSIDE = (
    "clips-fail",
    "event-port-closed",
    "event-port-open",
    "event-port-silent",
    "events-late",
    "events-old",
    "mail-from-elsewhere",
    "test-session-refused",
    "web-port-closed",
    "web-port-silent",
)
"""What goes wrong behind the door: at the portal itself, or between it and the recorders."""
FAULTS = (*_INSTEAD, _LIMITED, *_INSIDE, *_AFTER_COMMIT, *(f"{each}-once" for each in _AFTER_COMMIT))
_PAGE = b"<!DOCTYPE html><html><head><title>Sorry</title></head><body><h1>%s</h1></body></html>"


@dataclass(frozen=True, slots=True)
class Seen:
    """One request. `status` is 0 where no answer was given."""

    method: str
    path: str
    status: int
    request_id: str


@dataclass(slots=True)
class Counters:
    """What happened since the start. `writes` counts changes, `requests_by_route` only routed requests."""

    requests: int = 0
    requests_by_route: Counter[str] = field(default_factory=Counter)
    writes: int = 0
    auth: int = 0
    auth_failures: int = 0
    fired: int = 0
    mails: int = 0
    events: int = 0


class FrontDoor:
    """ASGI middleware around everything. `faults` and `latency_seconds` may change at any time."""

    def __init__(self, app: ASGIApp, counters: Counters, faults: set[str]) -> None:
        self.app = app
        self.counters = counters
        self.faults = faults
        self.requests: deque[Seen] = deque(maxlen=10_000)
        self.latency_seconds = 0.0
        self.limit = RateLimit()
        self._closing = asyncio.Event()

    def close(self) -> None:
        """Let hanging requests go."""
        self._closing.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        self.counters.requests += 1
        scope["request_id"] = secrets.token_hex(8)
        noted = False

        def note(status: int) -> None:
            nonlocal noted
            noted = True
            query = scope["query_string"].decode("latin-1")
            path = scope["path"] + (f"?{query}" if query else "")
            self.requests.append(Seen(scope["method"], path, status, scope["request_id"]))

        async def noting(message: Message) -> None:
            # before it is sent: who has the answer finds the request noted
            if message["type"] == "http.response.start":
                note(int(message["status"]))
            await send(message)

        try:
            if self.latency_seconds:
                await asyncio.sleep(self.latency_seconds)
            if fault := next((each for each in _INSTEAD if each in self.faults), ""):
                await self._fail(fault, scope, receive, noting, send)
            elif _LIMITED in self.faults and (seconds := self.limit.wait()):
                await _refuse("rate-limited", seconds, scope, receive, noting)
            elif self.faults and _writes_object(scope):
                await self._fail_after(scope, receive, noting, send)
            else:
                await self.app(scope, receive, noting)
        finally:
            if not noted:
                note(0)

    async def _fail(self, fault: str, scope: Scope, receive: Receive, send: Send, raw_send: Send) -> None:
        if fault == "hang":
            await self._hang(fault)
            reset(raw_send)
        elif fault == "reset":
            reset(raw_send)
        elif fault in {"http_429", "http_503"}:
            await _refuse("rate-limited" if fault == "http_429" else "unavailable", 1, scope, receive, send)
        else:
            await _page(fault, send)

    async def _fail_after(self, scope: Scope, receive: Receive, send: Send, raw_send: Send) -> None:
        """Let the portal answer, and pass on a refusal; what was committed is answered by the fault."""
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        await self.app(scope, receive, keep)
        fault = self._after_commit() if int(answer[0]["status"]) < 300 else ""
        if fault.startswith("http_500"):
            await _page("http_500", send)
        elif fault:
            await self._hang_until_gone(fault, receive)
            reset(raw_send)
        for message in () if fault else answer:
            await send(message)

    def _after_commit(self) -> str:
        """The fault of this write, "" for none; one that happens once is switched off."""
        name = next((each for each in _AFTER_COMMIT if {each, f"{each}-once"} & self.faults), "")
        if name and name not in self.faults:
            self.faults.discard(f"{name}-once")
            return f"{name}-once"
        return name

    async def _hang_until_gone(self, fault: str, receive: Receive) -> None:
        gone = asyncio.ensure_future(_disconnected(receive))
        lasts = fault.endswith("-once")
        try:
            while (  # noqa: ASYNC110 - a set has no event
                not gone.done() and not self._closing.is_set() and (lasts or fault in self.faults)
            ):
                await asyncio.sleep(0.05)
        finally:
            gone.cancel()

    async def _hang(self, fault: str) -> None:
        while fault in self.faults and not self._closing.is_set():  # noqa: ASYNC110 - a set has no event
            await asyncio.sleep(0.05)


async def _refuse(kind: str, seconds: int, scope: Scope, receive: Receive, send: Send) -> None:
    problem = Problem(kind, "A fault of the lab.", headers={"Retry-After": str(seconds)})
    answer = problem.response(instance=scope["path"], request_id=scope["request_id"])
    await answer(scope, receive, send)


def _writes_object(scope: Scope) -> bool:
    if scope["method"] == "POST":
        return "/test-sessions" in scope["path"]
    return scope["method"] in {"PUT", "DELETE"} and not scope["path"].endswith("/lease")


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def check_fault(name: str) -> str:
    """The name, if there is such a fault. Raises LabError with those that exist."""
    if name not in FAULTS:
        raise LabError(f"the portal has no fault {name!r}", next_step=f"faults are: {', '.join(FAULTS)}")
    return name


async def _page(fault: str, send: Send) -> None:
    """An HTML page with 200 or 500, or the first half of one."""
    body = _PAGE % (b"Internal Server Error" if fault == "http_500" else b"Maintenance")
    headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    status = 500 if fault == "http_500" else 200
    if fault == "truncate":
        headers[0] = (b"content-type", b"application/json")
        body = body[: len(body) // 2]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": fault == "truncate"})


def reset(send: Send) -> None:
    """Drop the connection without an answer. ASGI has no word for it: uvicorn's `send` is a method of its
    request cycle, which holds the transport."""
    cycle = send.__self__  # type: ignore[attr-defined]
    cycle.transport.abort()
