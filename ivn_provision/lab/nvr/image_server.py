"""The Image Server: one port for HTTP and for the ImageServer's own XML (facts/xprotect-e.md, parts 6 and 7).

The first byte tells them apart. Opening and closing need no await, so that a service starts within one step.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket

from ivn_provision.lab.nvr.http_wire import Closed, HttpConnection, HttpResponse, TooLarge
from ivn_provision.lab.nvr.image_clients import Clients
from ivn_provision.lab.nvr.image_http import ImageHttp
from ivn_provision.lab.nvr.image_stream import ImageStream, Studio

_LARGEST_BODY = 64 * 1024


class ImageServer:
    """Serves from construction to `close`."""

    def __init__(
        self, sock: socket.socket, clients: Clients, studio: Studio, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._sock, self._loop = sock, loop
        self._clients, self._studio = clients, studio
        self._http = ImageHttp(clients, studio.clock)
        self._tasks: set[asyncio.Task[None]] = set()
        self.address: tuple[str, int] = sock.getsockname()
        loop.add_reader(sock, self._accept)

    def move(self, sock: socket.socket) -> None:
        """Listen on another socket; connections that are open go on."""
        self._hang_up()
        self._sock, self.address = sock, sock.getsockname()
        self._loop.add_reader(sock, self._accept)

    def close(self) -> None:
        """Stop listening and end every connection."""
        self._hang_up()
        for task in self._tasks:
            task.cancel()

    @property
    def busy(self) -> bool:
        """Whether a connection is still open."""
        return bool(self._tasks)

    async def closed(self) -> None:
        """Wait for what `close` ended."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _hang_up(self) -> None:
        self._loop.remove_reader(self._sock)
        self._sock.close()

    def _accept(self) -> None:
        try:
            sock, _ = self._sock.accept()
        except OSError:
            return
        sock.setblocking(False)
        task = self._loop.create_task(self._connection(sock))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connection(self, sock: socket.socket) -> None:
        try:
            reader, writer = await asyncio.open_connection(sock=sock)
        except BaseException:
            sock.close()
            raise
        try:
            with contextlib.suppress(Closed, ConnectionError):
                await self._serve(reader, writer)
        finally:
            writer.transport.abort()
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(8192)
        if first.startswith((b"<", b"\xef\xbb\xbf<")):
            await ImageStream(reader, writer, self._clients, self._studio).serve(first)
        elif first:
            await self._serve_http(HttpConnection(reader, writer, _LARGEST_BODY, first))

    async def _serve_http(self, http: HttpConnection) -> None:
        """Answer until the connection ends. Raises Closed."""
        while True:
            try:
                response = self._http.answer(await http.request())
            except TooLarge:
                response = HttpResponse(413, close=True)
            await http.respond(response)
            if response.close:
                return
