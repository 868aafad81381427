"""A real web server on loopback for the agent's `http` cases; their files name its port `@PORT@`."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CAMERAS = "<systeminfo><camera name='Küche'/><camera name='Hof 1'/></systeminfo>".encode()


@dataclass(frozen=True, slots=True)
class Ports:
    """`open` answers, `closed` belongs to us and does not listen, `silent` takes connections and says nothing."""

    open: int
    closed: int
    silent: int

    def fill(self, text: str) -> str:
        """A case's text with its ports."""
        known = {"PORT": self.open, "CLOSED": self.closed, "SILENT": self.silent}
        for name, port in known.items():
            text = text.replace(f'"@{name}@"', str(port)).replace(f"@{name}@", str(port))
        return text


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/systeminfo.xml":
            self._guarded()
        elif self.path == "/elsewhere":
            self._send(302, b"go", "text/plain", ("Location", "/systeminfo.xml"))
        elif self.path == "/large":
            self._send(200, b"x" * 5000, "text/plain")
        elif self.path == "/plain":
            self._send(200, b"", "")
        elif self.path == "/slow":
            time.sleep(3)
            self._send(200, b"late", "text/plain")
        else:
            self._send(404, b"<no/>", "text/html; charset=utf-8")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        kept = [self.headers.get(each, "-") for each in ("Content-Type", "SOAPAction", "Accept", "X-One")]
        self._send(200, "|".join(kept).encode() + b"|" + body, "text/xml; charset=utf-8")

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""

    def _guarded(self) -> None:
        pair = base64.b64encode("kamera:pässword".encode()).decode()
        if self.headers.get("Authorization") == f"Basic {pair}":
            self._send(200, CAMERAS, "text/xml")
        else:
            self._send(401, b"who?", "text/html", ("WWW-Authenticate", 'Basic realm="x"'))

    def _send(self, status: int, body: bytes, kind: str, *more: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (*more, *([("Content-Type", kind)] if kind else [])):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)


@contextlib.contextmanager
def web_server() -> Iterator[Ports]:
    """The ports for the length of a `with`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    with socket.socket() as closed, socket.socket() as silent:
        closed.bind(("127.0.0.1", 0))
        silent.bind(("127.0.0.1", 0))
        silent.listen(50)
        try:
            yield Ports(server.server_port, closed.getsockname()[1], silent.getsockname()[1])
        finally:
            server.shutdown()
            server.server_close()
