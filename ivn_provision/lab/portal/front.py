"""The portal's front door: counts, is slow, and fails on demand, before any routing."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter, deque
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ivn_provision.errors import LabError
from ivn_provision.lab.portal.problems import Problem

FAULTS = ("hang", "html", "http_429", "http_500", "http_503", "reset", "truncate")
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

    def __init__(self, app: ASGIApp, counters: Counters) -> None:
        self.app = app
        self.counters = counters
        self.requests: deque[Seen] = deque(maxlen=10_000)
        self.faults: set[str] = set()
        self.latency_seconds = 0.0
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
            if self.faults:
                await self._fail(scope, receive, noting, send)
            else:
                await self.app(scope, receive, noting)
        finally:
            if not noted:
                note(0)

    async def _fail(self, scope: Scope, receive: Receive, send: Send, raw_send: Send) -> None:
        fault = next(each for each in FAULTS if each in self.faults)
        if fault == "hang":
            await self._hang(fault)
            reset(raw_send)
        elif fault == "reset":
            reset(raw_send)
        elif fault in {"http_429", "http_503"}:
            kind = "rate-limited" if fault == "http_429" else "unavailable"
            problem = Problem(kind, "A fault of the lab.", headers={"Retry-After": "1"})
            answer = problem.response(instance=scope["path"], request_id=scope["request_id"])
            await answer(scope, receive, send)
        else:
            await _page(fault, send)

    async def _hang(self, fault: str) -> None:
        while fault in self.faults and not self._closing.is_set():  # noqa: ASYNC110 - a set has no event
            await asyncio.sleep(0.05)


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
