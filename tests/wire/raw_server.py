"""A server that says exactly what a test wants, over TCP or TLS on loopback."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Handler = Callable[[socket.socket], None]


@dataclass
class RawServer:
    """Where it listens, and how many connections were made."""

    host: str
    port: int
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


@contextlib.contextmanager
def serving(
    handler: Handler, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> Iterator[RawServer]:
    """Runs `handler` for every connection, each in a thread; connections end with the test."""
    listener = socket.create_server((host, 0))
    server = RawServer(host, listener.getsockname()[1])
    threads: list[threading.Thread] = []
    open_ones: list[socket.socket] = []

    def one(connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            stream = tls.wrap_socket(connection, server_side=True) if tls else connection
            open_ones.append(stream)
            with stream:
                handler(stream)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                server.connections += 1
                open_ones.append(connection)
                threads.append(threading.Thread(target=one, args=(connection,), daemon=True))
                threads[-1].start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()
        for each in open_ones:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in threads:
            thread.join(5)


def read_request(connection: socket.socket) -> bytes:
    """One request with its body. Raises OSError when the client went."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    length = re.search(rb"content-length: (\d+)", data, re.IGNORECASE)
    while len(data.partition(b"\r\n\r\n")[2]) < int(length[1] if length else 0):
        data += _more(connection)
    return data


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise OSError("the client went")
    return data


def answering(status: str, body: bytes, *headers: str, kind: str = "application/json") -> Handler:
    """Answers every request alike."""
    head = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers]

    def handler(connection: socket.socket) -> None:
        while True:
            read_request(connection)
            connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)

    return handler


def trickling(start: bytes, piece: bytes, *, pause: float = 0.1) -> Handler:
    """Starts to answer, then sends a little now and then, for ever."""

    def handler(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(start)
        while True:
            connection.sendall(piece)
            time.sleep(pause)

    return handler
