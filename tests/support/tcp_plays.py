"""TCP servers on loopback that follow a script, and those for the agent's `exchange` cases."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping

Play = Callable[[socket.socket], None]
_SECONDS = 20
_END = b"\r\n\r\n"
STATUS = b"<livepackage><status><statustime>1</statustime></status></livepackage>" + _END
PICTURE = b"\xff\xd8" + bytes(range(256)) * 40 + b"{{user}} hunter2\xff\xd9"


@contextlib.contextmanager
def served(plays: Mapping[str, Play]) -> Iterator[Mapping[str, int]]:
    """A port for each play, for the length of a `with`; each connection has its own thread."""
    sockets = {name: socket.create_server(("127.0.0.1", 0), backlog=50) for name in plays}
    threads = [
        threading.Thread(target=_accept, args=(sockets[name], play), daemon=True)
        for name, play in plays.items()
    ]
    for thread in threads:
        thread.start()
    try:
        yield {name: int(each.getsockname()[1]) for name, each in sockets.items()}
    finally:
        for each in sockets.values():
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in threads:
            thread.join(_SECONDS)


def _accept(listener: socket.socket, play: Play) -> None:
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        sock.settimeout(_SECONDS)
        threading.Thread(target=_played, args=(sock, play), daemon=True).start()


def _played(sock: socket.socket, play: Play) -> None:
    with contextlib.suppress(OSError), sock:
        play(sock)


def _asked(sock: socket.socket) -> bytes:
    """Up to an empty line; b"" at the end."""
    found = b""
    while not found.endswith(_END):
        piece = sock.recv(1)
        if not piece:
            return b""
        found += piece
    return found


def image_server(sock: socket.socket) -> None:
    """As facts/xprotect-e.md, 7.2, in pieces: `connect` with the right login, then an image for each `live`."""
    while asked := _asked(sock):
        if b"<methodname>live<" in asked:
            picture = (
                b"ImageResponse\r\ncontent-length:  %d\r\nCurrent: 1" % len(PICTURE) + _END + PICTURE + _END
            )
            _in_pieces(sock, STATUS + STATUS + picture)
            continue
        good = b"<username>ivnview</username><password>p&#228;&#60;&#128512;1</password>" in asked
        # a careless server: it says who was refused, with what
        reason = b"" if good else asked.partition(b"<username>")[2].partition(b"<cameraid>")[0]
        reply = b"<methodresponse><connected>%s</connected><errorreason>%s</errorreason></methodresponse>"
        _in_pieces(sock, reply % (b"yes" if good else b"no", reason) + _END)


def _in_pieces(sock: socket.socket, content: bytes) -> None:
    for at in range(0, len(content), 700):
        sock.sendall(content[at : at + 700])
        time.sleep(0.002)


def _repeats(sock: socket.socket) -> None:
    """Sends everything back."""
    while piece := sock.recv(65536):
        sock.sendall(piece)


def _talks_for_ever(sock: socket.socket) -> None:
    while True:
        sock.sendall(b"x" * 10000)


def _breaks_off(sock: socket.socket) -> None:
    _asked(sock)
    sock.sendall(b"Content-Length: 100" + _END + b"half")


def _large(sock: socket.socket) -> None:
    while _asked(sock):
        sock.sendall(b"Content-Length: 6000000" + _END + bytes(6_000_000))


PLAYS: Mapping[str, Play] = {
    "IMAGES": image_server,
    "REPEATS": _repeats,
    "TALKS": _talks_for_ever,
    "BREAKS": _breaks_off,
    "LARGE": _large,
}
