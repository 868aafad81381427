"""Mail servers on loopback for the agent's `smtp` cases; their files name a port `@NAME@`.

`SINK` is the lab's own (aiosmtpd, STARTTLS, AUTH). The others are scripts: what they say is data.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ivn_provision.lab.loopback import listen
from ivn_provision.lab.mail.sink import Account, MailSink
from ivn_provision.lab.tls import LabTls, prepare_tls
from tests.support.tcp_plays import served

USER, PASSWORD = "site-1@portal.example", "p\u00e4ss<word>&1"
_OK = b"250 2.0.0 OK\r\n"
_HELLO = b"250-mail.test greets you\r\n250-SIZE 1000\r\n250-8BITMIME\r\n"
Said = bytes | tuple[bytes, ...] | Callable[[list[bytes]], bytes] | None


@dataclass(frozen=True, slots=True)
class Speaker:
    """Says what `says` holds for a command's first word ("" for the greeting); None closes, b"" is silence.

    A tuple is said in turn, whatever comes. After a 220 to STARTTLS the line goes on in TLS.
    """

    says: Mapping[str, Said] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    at_once: bool = False
    heard: list[bytes] = field(default_factory=list)

    def __call__(self, sock: socket.socket) -> None:
        usual: Mapping[str, Said] = {"": b"220 mail.test ready\r\n", "EHLO": _HELLO + b"250 HELP\r\n"}
        said_of: Mapping[str, Said] = {**usual, "QUIT": b"221 2.0.0 Bye\r\n", **self.says}
        with contextlib.ExitStack() as kept:
            if self.at_once and self.tls:
                sock = kept.enter_context(self.tls.wrap_socket(sock, server_side=True))
            waiting: list[bytes] = []
            heard: list[bytes] = []
            word = ""
            while True:
                said = waiting.pop(0) if waiting else said_of.get(word, _OK)
                if isinstance(said, tuple):
                    said, *waiting = said
                elif callable(said):
                    said = said(heard)
                if said is None:
                    return
                sock.sendall(said)
                if word == "STARTTLS" and said.startswith(b"220") and self.tls:
                    sock = kept.enter_context(self.tls.wrap_socket(sock, server_side=True))
                row = _row(sock)
                if row is None or word == "QUIT":
                    return
                heard.append(row)
                self.heard.append(row)
                word = row.split(b" ")[0].decode("latin-1").upper().strip()


def _row(sock: socket.socket) -> bytes | None:
    row = b""
    while not row.endswith(b"\n"):
        piece = sock.recv(1)
        if not piece:
            return None
        row += piece
    return row


@dataclass(frozen=True, slots=True)
class MailPlaces:
    """Values for a case's text, the authority that the machine trusts, and what the scripted servers heard."""

    values: Mapping[str, str]
    roots: Path
    speakers: Mapping[str, Speaker]


def _speakers(trusted: ssl.SSLContext, other: ssl.SSLContext) -> dict[str, Speaker]:
    offers = _HELLO + b"250-STARTTLS\r\n250 AUTH PLAIN LOGIN\r\n"
    login = _HELLO + b"250-auth=login\r\n250-AUTH LOGIN CRAM-MD5\r\n250 X_ODD\r\n"
    many = b"".join(b"250-X-%d\r\n" % number for number in range(99))
    return {
        "PLAIN": Speaker({"EHLO": _HELLO + b"250 AUTH LOGIN PLAIN\r\n", "AUTH": b"235 2.7.0 welcome\r\n"}),
        "LOGIN": Speaker(
            {"EHLO": login, "AUTH": (b"334 VXNlcm5hbWU6\r\n", b"334 UGFzc3dvcmQ6\r\n", b"235 ok\r\n")}
        ),
        "LOGINREFUSED": Speaker({"EHLO": login, "AUTH": (b"334 VXNlcm5hbWU6\r\n", b"504 no\r\n")}),
        "NOLOGIN": Speaker({"EHLO": _HELLO + b"250 AUTH CRAM-MD5 XPLAIN\r\n"}),
        "ECHO": Speaker({"EHLO": _HELLO + b"250 AUTH PLAIN\r\n", "AUTH": _told_on}),
        "TLS": Speaker({"EHLO": offers, "AUTH": b"235 ok\r\n"}, trusted, at_once=True),
        "STRANGER": Speaker({"EHLO": offers, "STARTTLS": b"220 go\r\n", "AUTH": b"235 ok\r\n"}, other),
        "LABORATORY": Speaker({"EHLO": offers, "STARTTLS": b"220 go\r\n", "AUTH": b"235 ok\r\n"}, other),
        "FAR": Speaker({"EHLO": _HELLO + b"250 AUTH LOGIN PLAIN\r\n"}),
        "INJECTED": Speaker({"EHLO": offers, "STARTTLS": b"220 go\r\n250 behind\r\n"}),
        "NOTLS": Speaker({"EHLO": offers, "STARTTLS": b"454 4.7.0 not now\r\n"}),
        "BADTLS": Speaker({"EHLO": offers, "STARTTLS": (b"220 go\r\n", b"what?\r\n")}),
        "OLD": Speaker({"EHLO": b"502 5.5.1 what?\r\n"}),
        "BUSY": Speaker({"": b"421-4.3.2 too\r\n421 4.3.2 many\r\n"}),
        "WEB": Speaker({"": b"HTTP/1.1 400 Bad Request\r\n\r\n"}),
        "LONG": Speaker({"": b"220 " + b"x" * 1995 + b"\r\n", "EHLO": b"250 " + b"x" * 1996 + b"\r\n"}),
        "ENDLESS": Speaker({"": b"2" * 3000}),
        "MANY": Speaker({"EHLO": many + b"250 HELP\r\n", "MAIL": many + b"250-x\r\n250 y\r\n"}),
        "MIXED": Speaker({"EHLO": b"250-a\r\n251 b\r\n"}),
        "SHORT": Speaker({"": b"220\r\n", "EHLO": b"250\n", "MAIL": b"250 \x1b[2J\xc3\xa9\x00\ttab\r\n"}),
        "REFUSES": Speaker({"RCPT": (_OK, b"550 5.1.1 <x> no such user\r\n")}),
        "GONE": Speaker({"RCPT": None}),
        "GONEATONCE": Speaker({"": None}),
        "STALLS": Speaker({"MAIL": b""}),
        "RUDE": Speaker({"QUIT": None}),
    }


def _told_on(heard: list[bytes]) -> bytes:
    """Repeats the login in every form."""
    sent = heard[-1].split()[-1]
    user, password = USER.encode(), PASSWORD.encode()
    latin = PASSWORD.encode("latin-1")
    return b"535-" + sent + b" " + password + b"\r\n535 " + latin + b", " + user + b"!\r\n"


@contextlib.contextmanager
def mail_servers(directory: Path) -> Iterator[MailPlaces]:
    """All of them for the length of a `with`."""
    known, unknown = (_tls(directory / each) for each in ("known", "unknown"))
    speakers = _speakers(known.server_context(), unknown.server_context())
    with served(speakers) as ports, _sink(known.server_context()) as sink:
        values = {name: str(port) for name, port in ports.items()}
        values |= {"SINK": str(sink), "SHA": _hash(known), "STRANGER_SHA": _hash(unknown)}
        values["ROOTS"] = known.ca_file.read_text().replace("\n", "\\n")
        yield MailPlaces(values, known.ca_file, speakers)


def _tls(directory: Path) -> LabTls:
    directory.mkdir(parents=True)
    return prepare_tls(directory, [], lambda: datetime.now(UTC))


def _hash(tls: LabTls) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(tls.certificate.read_text())).hexdigest()


@contextlib.contextmanager
def _sink(tls: ssl.SSLContext) -> Iterator[int]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    sink = MailSink({USER: Account("site-1", PASSWORD)}, tls, lambda _: None, lambda: datetime.now(UTC))
    sock = listen("127.0.0.1", 0, "a test")
    try:
        asyncio.run_coroutine_threadsafe(sink.start(sock), loop).result(10)
        yield int(sock.getsockname()[1])
    finally:
        asyncio.run_coroutine_threadsafe(sink.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
