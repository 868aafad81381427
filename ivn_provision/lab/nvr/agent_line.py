"""A TCP line of the emulated agent: one deadline, and failures in the words that `agent.ps1` uses."""

from __future__ import annotations

import ipaddress
import re
import socket
import time
from dataclasses import dataclass

from ivn_provision.lab.nvr.agent_values import Object, bad_arguments, text, whole

_PIECE = 65536
_LONGEST_READ = 60.0


@dataclass(frozen=True, slots=True)
class Route:
    """The real address behind a host of the machine, the one to come from ("": any), and whether it is the machine itself."""

    real: tuple[str, int]
    source: str = ""
    is_own: bool = True


class LineFailure(Exception):
    """The line broke; its text is part of an answer."""


class Line:
    """A connection. `received` is what came and was not taken yet."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self.sock = sock
        self.deadline = deadline
        self.received = b""

    def read(self, most: int = _PIECE) -> bytes:
        """At least one byte. Raises LineFailure at its end."""
        try:
            self.sock.settimeout(left(self.deadline))
            piece = self.sock.recv(min(most, _PIECE))
        except OSError as error:
            raise failure(error) from error
        if not piece:
            raise LineFailure("the server closed the line")
        return piece

    def read_more(self) -> None:
        """Add what came to `received`."""
        self.received += self.read()

    def write(self, content: bytes) -> None:
        """Send all of it. Raises LineFailure."""
        try:
            self.sock.settimeout(left(self.deadline))
            self.sock.sendall(content)
        except OSError as error:
            raise failure(error) from error

    def close(self) -> None:
        """Let go of it."""
        self.sock.close()


def opened(route: Route, deadline: float) -> Line:
    """Connect, to loopback only. Raises LineFailure."""
    if not ipaddress.ip_address(route.real[0]).is_loopback:
        raise LineFailure("the host cannot be reached")
    try:
        sock = socket.create_connection(
            route.real, left(deadline), source_address=(route.source, 0) if route.source else None
        )
    except OSError as error:
        raise failure(error) from error
    return Line(sock, deadline)


def left(deadline: float) -> float:
    """Seconds; there are always some, or LineFailure is raised."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise LineFailure("no answer in time")
    return min(seconds, _LONGEST_READ)


def failure(error: OSError) -> LineFailure:
    """What went wrong, in words that are no system's."""
    if isinstance(error, TimeoutError):
        return LineFailure("no answer in time")
    if isinstance(error, ConnectionRefusedError):
        return LineFailure("connection refused")
    return LineFailure("the server closed the line")


def plain(value: str, longest: int) -> str:
    """Printable ASCII, cut; one `?` for each UTF-16 unit that is none, as .NET counts."""
    return re.sub(r"[^ -~]", lambda found: "?" if found[0] <= "\uffff" else "??", value)[:longest]


def short_text(step: Object, name: str, longest: int) -> str:
    """An optional text of so many UTF-8 bytes at most, without NUL and half surrogate pairs."""
    if name not in step:
        return ""
    found = text(step, name)
    try:
        size = len(found.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise bad_arguments() from error
    if size > longest or "\0" in found:
        raise bad_arguments()
    return found


def whole_within(step: Object, name: str, least: int, most: int) -> int:
    """A number of a range."""
    number = whole(step, name)
    if not least <= number <= most:
        raise bad_arguments()
    return number


def hider(secrets: list[str]) -> re.Pattern[str] | None:
    """Matches any of these texts; None for none."""
    parts = [re.escape(each) for each in secrets if each]
    return re.compile("|".join(parts)) if parts else None


def latin(value: str) -> str:
    """The UTF-8 bytes of a text, one character each: how it stands in what a server sends."""
    return value.encode("utf-8").decode("latin-1")
