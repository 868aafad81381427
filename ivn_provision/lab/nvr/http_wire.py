"""HTTP/1.1 on one accepted connection: whole requests in, whole responses out in one write."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import h11

_READ = 65_536
_MOST_DISCARDED = 16 * 1024 * 1024  # bytes read past the limit, so that the client hears the answer


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request; header names in lower case, the last of a name wins."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """The Content-Type without parameters, lower case."""
        return self.headers.get("content-type", "").split(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """One response; `headers` go before Server and Content-Length. `close` ends the connection after it."""

    status: int
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    close: bool = False


class TooLarge(Exception):
    """The body exceeds the limit."""


class Closed(Exception):
    """The peer is gone or no longer speaks HTTP."""


class HttpConnection:
    """Requests of one connection, one after the other. `limit` is the largest body in bytes.

    `first` was read already, by somebody who wanted to know what is spoken here. `server` is the header of that
    name; "" sends none.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        limit: int,
        first: bytes = b"",
        server: str = "Microsoft-HTTPAPI/2.0",
    ) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._limit = limit
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=65_536)
        if first:
            self._http.receive_data(first)

    async def request(self) -> HttpRequest:
        """The next request, its body read whole. Raises Closed, TooLarge."""
        try:
            if self._http.our_state is h11.DONE:
                self._http.start_next_cycle()
            return await self._read()
        except (h11.ProtocolError, ConnectionError, asyncio.IncompleteReadError) as error:
            if isinstance(error, h11.RemoteProtocolError) and self._http.our_state in {
                h11.IDLE,
                h11.SEND_RESPONSE,
            }:
                await self.respond(HttpResponse(400, close=True))
            raise Closed from error

    async def _read(self) -> HttpRequest:
        head: h11.Request | None = None
        body, size = bytearray(), 0
        while True:
            event = await self._event()
            if isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                size += len(event.data)
                if size > _MOST_DISCARDED:
                    raise TooLarge
                if size <= self._limit:
                    body += event.data
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                if size > self._limit:
                    raise TooLarge
                return _request(head, bytes(body))
            else:
                raise Closed

    async def _event(self) -> h11.Event | type[h11.PAUSED]:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                self._writer.write(
                    self._http.send(h11.InformationalResponse(status_code=100, headers=[])) or b""
                )
            self._http.receive_data(await self._reader.read(_READ))
        return event  # type: ignore[return-value]

    async def respond(self, response: HttpResponse, *, cut_at: int | None = None) -> None:
        """Send a response in one write: head and body apart cost a delayed ACK each time.

        `cut_at` sends only so many bytes of the body, for the fault `truncate`. Raises Closed.
        """
        headers = [
            *response.headers,
            *([("Server", self._server)] if self._server else []),
            ("Content-Length", str(len(response.body))),
        ]
        if response.close:
            headers.append(("Connection", "close"))
        try:
            head = self._http.send(h11.Response(status_code=response.status, headers=headers, reason=b""))
            data = self._http.send(h11.Data(data=response.body)) or b""
            end = self._http.send(h11.EndOfMessage()) or b""
            self._writer.write((head or b"") + (data + end if cut_at is None else data[:cut_at]))
            await self._writer.drain()
        except (h11.LocalProtocolError, ConnectionError) as error:
            raise Closed from error


def _request(head: h11.Request, body: bytes) -> HttpRequest:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
    return HttpRequest(head.method.decode("ascii", "replace"), head.target.decode("latin-1"), headers, body)
