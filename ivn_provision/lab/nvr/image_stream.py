"""One client of the Image Server who speaks XML instead of HTTP: `connect`, then `live`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container
from dataclasses import dataclass
from datetime import datetime

from ivn_provision.lab.nvr import image_wire
from ivn_provision.lab.nvr.config_active import Unreadable
from ivn_provision.lab.nvr.http_wire import Closed
from ivn_provision.lab.nvr.image_clients import Clients
from ivn_provision.lab.nvr.image_wire import Call
from ivn_provision.lab.nvr.picture import View, draw

_CLIENT_SECONDS = 240.0  # the product's client time-out
_PICTURE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Studio:
    """What pictures are made of. `recording` says whether the Recording Server runs: without it there are none."""

    site: str
    clock: Callable[[], datetime]
    faults: Container[str]
    recording: Callable[[], bool]


class ImageStream:
    """Serves one connection. A client has a place from its `connect` to the end of the connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, clients: Clients, studio: Studio
    ) -> None:
        self._reader, self._writer = reader, writer
        self._clients, self._studio = clients, studio
        self._camera = ""
        self._feed: asyncio.Task[None] | None = None

    async def serve(self, first: bytes) -> None:
        """Answer until the client goes, says nothing for four minutes, or something that is no request."""
        buffer = bytearray(first)
        try:
            while (content := await self._request(buffer)) is not None:
                await self._end_feed()
                await self._answer(image_wire.parse_call(content))
        except (Unreadable, Closed, ConnectionError, TimeoutError):
            return
        finally:
            await self._end_feed()
            self._clients.connected -= bool(self._camera)

    async def _request(self, buffer: bytearray) -> bytes | None:
        """The next request without its end; None when the client is gone. Raises Closed, TimeoutError."""
        while (end := buffer.find(image_wire.END)) < 0:
            if len(buffer) > image_wire.MOST_BYTES:
                raise Closed
            async with asyncio.timeout(_CLIENT_SECONDS):
                data = await self._reader.read(8192)
            if not data:
                return None
            buffer += data
        content = bytes(buffer[:end])
        del buffer[: end + len(image_wire.END)]
        return content

    async def _answer(self, call: Call) -> None:
        if call.method == "connect":
            await self._send(self._connect(call))
        elif call.method == "live" and self._camera:
            self._feed = asyncio.create_task(self._live())
        elif call.method != "stop":
            known = "Not connected" if call.method == "live" else "Unknown method"
            await self._send(image_wire.refusal(call, known))

    def _connect(self, call: Call) -> bytes:
        self._clients.connected -= bool(self._camera)
        self._camera = ""
        refused = self._clients.refusal(call)
        if refused is None:
            self._camera = call.camera
            self._clients.connected += 1
        return image_wire.connected(call, refused)

    async def _live(self) -> None:
        """A status first, then a picture each second, until the client asks for something else or goes."""
        try:
            await self._send(image_wire.status(self._studio.clock()))
            while True:
                await self._send(await self._package())
                await asyncio.sleep(_PICTURE_SECONDS)
        except ConnectionError:
            return

    async def _package(self) -> bytes:
        studio = self._studio
        at = studio.clock()
        if "no-picture" in studio.faults or not studio.recording():
            return image_wire.status(at)
        view = View(self._clients.name_of(self._camera) or "", studio.site, at)
        jpeg = await asyncio.to_thread(draw, view)
        return image_wire.image(jpeg[: len(jpeg) // 2] if "picture-cut" in studio.faults else jpeg, at)

    async def _send(self, content: bytes) -> None:
        self._writer.write(content)
        async with asyncio.timeout(_CLIENT_SECONDS):
            await self._writer.drain()

    async def _end_feed(self) -> None:
        if self._feed is not None:
            self._feed.cancel()
            await asyncio.gather(self._feed, return_exceptions=True)
            self._feed = None
