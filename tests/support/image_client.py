"""A client of the lab's Image Server that shares no code with the product: XML over a raw socket."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Self
from xml.sax.saxutils import escape

from lxml import etree

END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Picture:
    """What came as an image: its header lines, and the bytes that they announced."""

    headers: dict[str, str]
    jpeg: bytes


class ImageClient:
    """One connection. Every wait ends after `timeout` seconds with TimeoutError."""

    def __init__(self, port: int, *, host: str = "127.0.0.1", timeout: float = 5.0) -> None:
        self._socket = socket.create_connection((host, port), timeout=timeout)
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, content: bytes) -> None:
        self._socket.sendall(content)

    def call(self, method: str, content: str = "") -> None:
        text = f'<?xml version="1.0" encoding="utf-8"?><methodcall><requestid>7</requestid><methodname>{method}</methodname>'
        self.send(f"{text}{content}</methodcall>".encode() + END)

    def connect(self, camera: str, username: str, password: str, *, escaped: bool = True) -> tuple[str, str]:
        """`connected` and `errorreason`."""
        user, word = (escape(username), escape(password)) if escaped else (username, password)
        self.call(
            "connect",
            f"<username>{user}</username><password>{word}</password><cameraid>{camera}</cameraid>"
            "<alwaysstdjpeg>yes</alwaysstdjpeg>",
        )
        reply = self.reply()
        assert (reply.tag, reply.findtext("requestid"), reply.findtext("methodname")) == (
            "methodresponse",
            "7",
            "connect",
        )
        return reply.findtext("connected") or "", reply.findtext("errorreason") or ""

    def reply(self) -> etree._Element:
        """One XML text."""
        return etree.fromstring(self._until(END))

    def package(self) -> etree._Element | Picture:
        """A status or an image, as its first byte says."""
        head = self._until(END)
        if head.startswith(b"<"):
            return etree.fromstring(head)
        first, *lines = head.decode("ascii").split("\r\n")
        assert first == "ImageResponse"
        headers = dict(line.split(": ", 1) for line in lines)
        jpeg = self._exactly(int(headers["Content-Length"]))
        assert self._exactly(4) == END
        return Picture(headers, jpeg)

    def picture(self) -> Picture:
        """The next image; at most three statuses before it."""
        for _ in range(4):
            package = self.package()
            if isinstance(package, Picture):
                return package
        raise AssertionError("no image came")

    def is_closed(self) -> bool:
        """Whether the server has ended the connection, and has said nothing before."""
        try:
            return self._socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def _until(self, end: bytes) -> bytes:
        while end not in self._buffer:
            self._more()
        found, _, self._buffer = self._buffer.partition(end)
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._more()
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found

    def _more(self) -> None:
        data = self._socket.recv(65_536)
        if not data:
            raise ConnectionError("the server has gone")
        self._buffer += data
