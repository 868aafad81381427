"""The alert and generic event port: text over TCP (connect, send, close) and UDP (one packet, one event).

Facts/xprotect-e.md, part 4.4. Plain sockets with readers on the loop: opening and closing need no await, so
that a service starts and stops inside one step of the agent.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Container

_LARGEST_TEXT = 65_536  # bytes; what comes after is not read
_IDLE_SECONDS = 1.0
STRANGER = "127.0.0.253"
"""The address that stands for everybody else: the router lets it through only by a fault."""
Received = Callable[[str, str], None]


class GenericListener:
    """Open from construction to `close`; tells `received(text, "tcp"|"udp")` on the loop.

    `faults` are those of the router in front of it: `event-port-open` lets strangers in.
    """

    def __init__(
        self,
        host: str,
        port: int,
        loop: asyncio.AbstractEventLoop,
        received: Received,
        faults: Container[str] = (),
    ) -> None:
        self._place = (host, port)
        self._loop = loop
        self._received = received
        self._faults = faults
        self._connections: dict[socket.socket, tuple[bytearray, asyncio.TimerHandle]] = {}
        self._sockets: tuple[socket.socket, ...] = ()
        self.open()

    def open(self) -> None:
        """Listen, if it does not yet. Raises OSError."""
        if self._sockets:
            return
        tcp = _bound(*self._place, socket.SOCK_STREAM)
        try:
            udp = _bound(*self._place, socket.SOCK_DGRAM)
        except OSError:
            tcp.close()
            raise
        tcp.listen(128)
        self._loop.add_reader(tcp, self._accept, tcp)
        self._loop.add_reader(udp, self._packet, udp)
        self._sockets = (tcp, udp)

    def close(self) -> None:
        """Stop listening and drop every connection, unread."""
        for sock in self._sockets:
            self._loop.remove_reader(sock)
            sock.close()
        self._sockets = ()
        for sock in list(self._connections):
            self._drop(sock)

    def _bars(self, address: str) -> bool:
        return address == STRANGER and "event-port-open" not in self._faults

    def _accept(self, listening: socket.socket) -> None:
        try:
            sock, peer = listening.accept()
        except OSError:
            return
        if self._bars(peer[0]):
            sock.close()
            return
        sock.setblocking(False)
        timer = self._loop.call_later(_IDLE_SECONDS, self._finish, sock)
        self._connections[sock] = (bytearray(), timer)
        self._loop.add_reader(sock, self._readable, sock)

    def _readable(self, sock: socket.socket) -> None:
        buffer, _ = self._connections[sock]
        try:
            data = sock.recv(8192)
        except BlockingIOError:
            return
        except OSError:
            self._drop(sock)
            return
        buffer += data
        if not data or len(buffer) > _LARGEST_TEXT:
            self._finish(sock)

    def _finish(self, sock: socket.socket) -> None:
        buffer = bytes(self._drop(sock))
        for line in buffer[:_LARGEST_TEXT].replace(b"\0", b"\n").replace(b"\r", b"\n").split(b"\n"):
            if line:
                self._received(line.decode("ascii", "replace"), "tcp")

    def _drop(self, sock: socket.socket) -> bytearray:
        buffer, timer = self._connections.pop(sock)
        timer.cancel()
        self._loop.remove_reader(sock)
        sock.close()
        return buffer

    def _packet(self, udp: socket.socket) -> None:
        with contextlib.suppress(OSError):
            data, peer = udp.recvfrom(_LARGEST_TEXT)
            text = data.rstrip(b"\r\n\0").decode("ascii", "replace")
            if text and not self._bars(peer[0]):
                self._received(text, "udp")


def _bound(host: str, port: int, kind: socket.SocketKind) -> socket.socket:
    sock = socket.socket(socket.AF_INET, kind)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1 if kind == socket.SOCK_STREAM else 0)
        sock.setblocking(False)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock
