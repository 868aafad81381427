"""The web server of a camera: one address with or without TLS, and what goes wrong there."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from ivn_provision.lab.camera.calls import LARGEST_BODY, html
from ivn_provision.lab.camera.mishaps import Cut, Mishaps
from ivn_provision.lab.connections import Connections
from ivn_provision.lab.nvr.http_wire import Closed, HttpConnection, HttpRequest, HttpResponse, TooLarge

_SLOW_SECONDS = 2.0
_CLOSE_SECONDS = 1.0
Answer = Callable[[HttpRequest, bool], Awaitable[HttpResponse]]


@dataclass(slots=True, eq=False)
class _Line:
    """One connection; `busy` while a request of it is under way."""

    writer: asyncio.StreamWriter
    busy: bool = False


@dataclass(slots=True)
class Wire:
    """What both listeners of a camera share. `single` is one request at a time, by profile or fault."""

    mishaps: Mishaps
    single: Callable[[], bool]
    service_seconds: float
    latency_seconds: float = 0.0
    slow_seconds: float = _SLOW_SECONDS
    lines: set[_Line] = field(default_factory=set)


class CameraListener:
    """`answer(request, tls)` is called for each request that gets that far."""

    def __init__(self, wire: Wire, answer: Answer, *, tls: ssl.SSLContext | None) -> None:
        self._wire, self._answer, self._tls = wire, answer, tls
        self._connections = Connections(self._connection)

    async def start(self, sock: socket.socket) -> None:
        """Serve until `stop`."""
        await self._connections.start(self._tls, sock=sock)

    async def stop(self) -> None:
        """Stop accepting and end every connection."""
        await self._connections.stop()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line, wire = _Line(writer), self._wire
        wire.mishaps.counters.connections += 1
        graceful = False
        try:
            if self._admitted():
                wire.lines.add(line)
                graceful = await self._serve(HttpConnection(reader, writer, LARGEST_BODY, server=""), line)
            else:
                wire.mishaps.counters.connections_refused += 1
        except (Closed, Cut):
            pass
        finally:
            wire.lines.discard(line)
            await _end(writer, graceful=graceful)

    def _admitted(self) -> bool:
        """Whether a new connection may stay; where there can be one only, an idle one goes for it."""
        wire = self._wire
        if wire.mishaps.has("dead") or wire.mishaps.has("cut-after-writes=N"):
            return False
        if wire.single():
            if any(each.busy for each in wire.lines):
                return False
            for each in tuple(wire.lines):
                each.writer.transport.abort()
        return True

    async def _serve(self, http: HttpConnection, line: _Line) -> bool:
        """Answer until the connection ends; whether the last answer should still reach the client. Raises Cut."""
        while True:
            try:
                request = await http.request()
            except TooLarge:
                await http.respond(HttpResponse(413, close=True))
                return True
            self._wire.mishaps.counters.requests += 1
            if self._wire.single() and any(each.busy for each in self._wire.lines):
                raise Cut
            line.busy = True
            try:
                response = await self._answered(request)
                await http.respond(response)
            finally:
                line.busy = False
            if response.close:
                return True

    async def _answered(self, request: HttpRequest) -> HttpResponse:
        wire, mishaps = self._wire, self._wire.mishaps
        slow = wire.slow_seconds if mishaps.has("slow") else 0.0
        await asyncio.sleep(wire.service_seconds + wire.latency_seconds + slow)
        if mishaps.has("dead") or mishaps.has("cut-after-writes=N"):
            raise Cut
        if mishaps.has("http-503"):
            return html(503, "503 Service Unavailable")
        return await self._answer(request, self._tls is not None)


async def _end(writer: asyncio.StreamWriter, *, graceful: bool) -> None:
    """Close a connection; without grace (or when the peer takes its time) it is cut."""
    if graceful:
        writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            await asyncio.wait_for(writer.wait_closed(), _CLOSE_SECONDS)
    writer.transport.abort()
    writer.close()
    with contextlib.suppress(OSError, TimeoutError, asyncio.CancelledError):
        await asyncio.wait_for(writer.wait_closed(), _CLOSE_SECONDS)
