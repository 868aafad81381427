"""The one connection of a client, which a watchdog cuts when the deadline of an operation passes.

A read timeout starts anew with every byte: a peer that sends one now and then would hold us for ever.
Cutting the connection ends every wait on it, whoever waits: TLS, headers, body, or our own sending.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ivn_provision.transports.deadline import Deadline, exceeded
from ivn_provision.transports.watchdog import WATCHDOG

CONNECT_SECONDS = 5.0


@dataclass(slots=True)
class _Watch:
    done: bool = False
    cut: bool = False


class Line:
    """Connects within `until`. `opened` is called with each new connection, before anything is asked on it."""

    def __init__(self, opened: Callable[[], None] = lambda: None) -> None:
        self.opened = opened
        self._deadline = Deadline(0)
        self._lock = threading.Lock()
        self._handle: socket.socket | None = None

    @contextlib.contextmanager
    def until(self, deadline: Deadline) -> Iterator[None]:
        """Whatever uses the connection in here ends at `deadline`, with an error of its own or DeadlineExceeded.

        A cut looks like an end of the answer, and `http.client` takes headers without their end for whole.
        """
        self._deadline = deadline
        watch = _Watch()
        leash = WATCHDOG.watch(deadline.left(), lambda: self._cut(watch))
        try:
            yield
        finally:
            with self._lock:  # a watchdog that wakes right now must not cut the next operation
                watch.done = True
            WATCHDOG.call_off(leash)
        if watch.cut:
            raise exceeded(deadline.seconds, endpoint="", doing="")

    def connect(self, host: str, port: int) -> socket.socket:
        """A new TCP connection, by whatever address of `host` answers. Raises OSError, DeadlineExceeded."""
        failure = OSError(f"{host} has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            seconds = min(CONNECT_SECONDS, self._deadline.left())
            try:
                sock = _dial(socket.socket(family, kind, protocol), address, seconds)
            except OSError as error:
                failure = error
                continue
            self.carry(sock)
            return sock
        raise failure

    def close(self) -> None:
        with self._lock:
            self._drop()

    def carry(self, sock: socket.socket) -> None:
        """Keep a handle of our own: TLS takes `sock` over and hides it for as long as it shakes hands."""
        with self._lock:
            self._drop()
            self._handle = sock.dup()
        self._deadline.left()  # the watchdog may have come before there was anything to cut

    def _drop(self) -> None:
        if self._handle is not None:
            self._handle.close()
            self._handle = None

    def _cut(self, watch: _Watch) -> None:
        with self._lock:
            if self._handle is not None and not watch.done:
                watch.cut = True
                with contextlib.suppress(OSError):
                    self._handle.shutdown(socket.SHUT_RDWR)


def _dial(sock: socket.socket, address: Any, seconds: float) -> socket.socket:
    try:
        sock.settimeout(seconds)
        sock.connect(address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        sock.close()
        raise
    return sock
