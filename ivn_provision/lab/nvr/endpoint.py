"""One WS-Man listener: HTTP or HTTPS, connection by connection, with the faults that a test switches on."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from dataclasses import dataclass, field, replace

from ivn_provision.lab.connections import Connections
from ivn_provision.lab.nvr import sealing
from ivn_provision.lab.nvr.counters import Counters
from ivn_provision.lab.nvr.gate import Gate, GateRules
from ivn_provision.lab.nvr.http_wire import Closed, HttpConnection, HttpRequest, HttpResponse, TooLarge
from ivn_provision.lab.nvr.ntlm_seal import BadSeal
from ivn_provision.lab.nvr.verb_faults import VERB_FAULTS, VerbFault, fault_at
from ivn_provision.lab.nvr.wsman import WsmanService

SOAP = "application/soap+xml;charset=UTF-8"
FAULTS = VERB_FAULTS | {
    "hang",
    "hang_receive",
    "http_500",
    "html",
    "truncate",
    "garbage_xml",
    "reset",
    "slow",
}
_HTML = b"<!DOCTYPE html><html><head><title>Router login</title></head><body>Please log in.</body></html>"
_GARBAGE = b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><unclosed attr=</s:Body>'
_CLOSE_SECONDS = 1.0
_LARGEST_BODY = 500 * 1024 + 2048  # MaxEnvelopeSizekb of WinRM 3.0 and later, and the encryption's framing


@dataclass(slots=True)
class Weather:
    """The wire conditions of a machine; changed at run time. Times in seconds."""

    faults: set[str] = field(default_factory=set)
    latency_seconds: float = 0.0
    slow_seconds: float = 2.0


class _Half(HttpResponse):
    """A response of which the client gets the first half."""


class Listener:
    """Accepts on one address until stopped."""

    def __init__(self, rules: GateRules, service: WsmanService, counters: Counters, weather: Weather) -> None:
        self._rules = rules
        self._service = service
        self._counters = counters
        self._weather = weather
        self._connections = Connections(self._connection)

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None) -> int:
        """Listen; the port that was bound (for port 0). Raises OSError."""
        return await self._connections.start(tls, host=host, port=port, backlog=256)

    async def stop(self) -> None:
        """Stop accepting and end every connection."""
        await self._connections.stop()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._counters.connections += 1
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        graceful = False
        try:
            graceful = await self._serve(HttpConnection(reader, writer, _LARGEST_BODY), _subject(writer))
        except Closed:
            pass
        finally:
            await _closed(writer, graceful=graceful)

    async def _serve(self, http: HttpConnection, subject: str) -> bool:
        """Answer until the connection ends; whether what was written last should still reach the client."""
        gate = Gate(self._rules, self._counters, certificate_of=subject)
        while "reset" not in self._weather.faults:
            try:
                request = await http.request()
            except TooLarge:
                await http.respond(HttpResponse(413, close=True))
                return True
            self._counters.requests += 1
            await self._conditions()
            if "reset" in self._weather.faults:
                break
            response = await self._answer(gate, request)
            cut = isinstance(response, _Half) or (
                "truncate" in self._weather.faults and bool(gate.owner) and len(response.body) > 0
            )
            await http.respond(response, cut_at=len(response.body) // 2 if cut else None)
            if cut or response.close:
                return True
        return False

    async def _conditions(self) -> None:
        weather = self._weather
        if "hang" in weather.faults:
            await asyncio.Event().wait()
        delay = weather.latency_seconds + (weather.slow_seconds if "slow" in weather.faults else 0.0)
        if delay > 0:
            await asyncio.sleep(delay)

    async def _answer(self, gate: Gate, request: HttpRequest) -> HttpResponse:
        if "http_500" in self._weather.faults:
            return HttpResponse(500)
        if "html" in self._weather.faults:
            return HttpResponse(200, [("Content-Type", "text/html; charset=utf-8")], _HTML)
        if request.target.split("?")[0].rstrip("/").lower() != "/wsman":
            return HttpResponse(404)
        if request.method != "POST":
            return HttpResponse(405, [("Allow", "POST")])
        refusal, headers = gate.check(request.headers.get("authorization", ""))
        if refusal is not None:
            return refusal
        response = await self._admitted(gate, request)
        return replace(response, headers=[*response.headers, *headers])

    async def _admitted(self, gate: Gate, request: HttpRequest) -> HttpResponse:
        if not request.body:
            return HttpResponse(200)
        self._counters.posts += 1
        self._counters.bytes_in += len(request.body)
        response = await self._answered(gate, request)
        self._counters.bytes_out += len(response.body)
        return response

    async def _answered(self, gate: Gate, request: HttpRequest) -> HttpResponse:
        if sealing.is_sealed(request):
            return await self._sealed(gate, request)
        if not self._rules.tls:
            return HttpResponse(500)
        if request.media_type != "application/soap+xml":
            return HttpResponse(415)
        fault = fault_at(request.body, self._weather.faults)
        status, envelope = await self._soap(gate.owner, request.body, fault)
        return await _spoilt(HttpResponse(status, [("Content-Type", SOAP)], envelope), fault)

    async def _sealed(self, gate: Gate, request: HttpRequest) -> HttpResponse:
        if gate.session is None:
            return HttpResponse(400)
        try:
            protocol, plain = sealing.unseal(request, gate.session)
        except BadSeal:
            return HttpResponse(400)
        fault = fault_at(plain, self._weather.faults)
        status, envelope = await self._soap(gate.owner, plain, fault)
        media_type, body = sealing.seal(protocol, envelope, gate.session)
        return await _spoilt(HttpResponse(status, [("Content-Type", media_type)], body), fault)

    async def _soap(self, owner: str, content: bytes, fault: VerbFault) -> tuple[int, bytes]:
        if fault is VerbFault.LOSE:
            raise Closed
        if "hang_receive" in self._weather.faults and b"/windows/shell/Receive" in content:
            await asyncio.Event().wait()
        status, envelope = await self._service.answer(owner, content)
        return (200, _GARBAGE) if "garbage_xml" in self._weather.faults else (status, envelope)


async def _spoilt(response: HttpResponse, fault: VerbFault) -> HttpResponse:
    """What the client gets of the answer to a request that was carried out. Raises Closed."""
    if fault is VerbFault.DROP:
        raise Closed
    if fault is VerbFault.HANG:
        await asyncio.Event().wait()
    if fault is VerbFault.HTTP_500:
        return HttpResponse(500)
    if fault is VerbFault.CUT:
        return _Half(response.status, response.headers, response.body)
    return response


def _subject(writer: asyncio.StreamWriter) -> str:
    """The common name of the client's certificate, which the TLS context has verified; `` without one."""
    certificate = writer.get_extra_info("peercert") or {}
    names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    return str(names[0]) if names else ""


async def _closed(writer: asyncio.StreamWriter, *, graceful: bool) -> None:
    """Close a connection; without grace (or when the peer takes its time) it is reset."""
    if graceful:
        writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            await asyncio.wait_for(writer.wait_closed(), _CLOSE_SECONDS)
    writer.transport.abort()
    writer.close()
    with contextlib.suppress(OSError, TimeoutError, asyncio.CancelledError):
        await asyncio.wait_for(writer.wait_closed(), _CLOSE_SECONDS)
