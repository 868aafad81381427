"""How a recorder looks from where the portal is: real sockets through the router of the site.

The router is the lab's: it forwards ports, and lets nobody but the portal to the event port unless the fault
`event-port-open` is on. A port that a fault closes is a real port at which nothing listens.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from ivn_provision.lab.loopback import is_loopback

STRANGER = "127.0.0.253"
"""An address that is not the portal's."""
CONNECT_SECONDS = 2.0
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def _as_it_is(host: str, port: int) -> tuple[str, int]:
    return host, port


@dataclass(frozen=True, slots=True)
class Recorders:
    """What the lab knows beyond the portal. `reach` is where a site's router forwards a port to; `recorded` is what
    a recorder has of a camera (site, number, time): seconds before and after, None for nothing. `open_to_all` says
    whether the router of a host lets strangers to the event port."""

    reach: Callable[[str, int], tuple[str, int]] = _as_it_is
    open_to_all: Callable[[str], bool] = lambda _: False
    recorded: Callable[[str, int, datetime], tuple[float, float] | None] | None = None


class Shut(Exception):
    """No connection. `status` is `refused`, `timeout` or `not_configured`."""

    def __init__(self, status: str, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


@dataclass(slots=True)
class Vantage:
    """`faults` are the portal's; `source` is the address that it connects from."""

    faults: set[str]
    recorders: Recorders = field(default_factory=Recorders)
    source: str = "127.0.0.1"

    @asynccontextmanager
    async def connected(
        self, door: str, host: str | None, port: int | None, *, stranger: bool = False
    ) -> AsyncIterator[Streams]:
        """A TCP connection to the `web` or `event` port, aborted at the end of the block. Raises Shut."""
        if not host or not port:
            raise Shut(
                "not_configured", f"{'location_address' if not host else f'{door}_server_port'} is not set."
            )
        where = f"{host}:{port}"
        if not is_loopback(host):
            raise Shut("timeout", f"{where}: the lab's portal speaks to loopback addresses only.")
        source = STRANGER if stranger else self.source
        with self._forwarded(door, host, port, stranger=stranger) as target:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    reader, writer = await asyncio.open_connection(*target, local_addr=(source, 0))
            except TimeoutError:
                raise Shut("timeout", f"{where} does not answer.") from None
            except ConnectionRefusedError:
                raise Shut("refused", f"{where}: Connection refused.") from None
            except OSError as error:
                raise Shut("timeout", f"{where}: {error.strerror or error}.") from None
            try:
                yield reader, writer
            finally:
                writer.transport.abort()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    def _forwarded(
        self, door: str, host: str, port: int, *, stranger: bool
    ) -> contextlib.AbstractContextManager[tuple[str, int]]:
        if f"{door}-port-silent" in self.faults:
            return _silent(host)
        is_open = "event-port-open" in self.faults or self.recorders.open_to_all(host)
        if f"{door}-port-closed" in self.faults or (stranger and not is_open):
            return _closed(host)
        return contextlib.nullcontext(self.recorders.reach(host, port))


@contextmanager
def _closed(host: str) -> Iterator[tuple[str, int]]:
    """A port that is taken, and at which nothing listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind((host, 0))
        yield sock.getsockname()


@contextmanager
def _silent(host: str) -> Iterator[tuple[str, int]]:
    """A port whose queue is full: the kernel answers nobody more."""
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        sock.bind((host, 0))
        sock.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            waiting.setblocking(False)
            waiting.connect_ex(sock.getsockname())
        yield sock.getsockname()
