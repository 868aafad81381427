"""One connection of the mail server: SMTP, or silence."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from aiosmtpd.smtp import SMTP


class Sink(Protocol):
    """What a connection tells its server, and the faults that are on there."""

    faults: set[str]

    def opened(self, session: Any) -> None:
        """It is open."""

    def closed(self, session: Any) -> None:
        """It has ended."""


class Session(SMTP):
    """One connection that its sink can drop."""

    def __init__(self, sink: Sink, **options: Any) -> None:
        super().__init__(sink, **options)
        self._sink = sink

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._sink.opened(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._sink.closed(self)

    async def smtp_STARTTLS(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's hook
        """As without the extension while the fault is on."""
        if "no-starttls" in self._sink.faults:
            await self.push("502 5.5.1 Command not implemented")
        else:
            await super().smtp_STARTTLS(arg)

    def drop(self) -> None:
        """End it at once."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()


class Mute(asyncio.Protocol):
    """A connection on which nothing is said: closed at once (`refuse-connection`), or left open (`stall`)."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._sink.opened(self)
        if "refuse-connection" in self._sink.faults:
            self.drop()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - asyncio's hook
        self._sink.closed(self)

    def drop(self) -> None:
        """End it at once."""
        if isinstance(self._transport, asyncio.Transport):
            self._transport.abort()
