"""Short TCP dialogues with a port of the recorder itself: the agent's verb `exchange`.

For what speaks clear text and is therefore only asked at 127.0.0.1 of the recorder: the image server's XML
protocol (facts/xprotect-e.md, 7.2) and the generic event listener.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ivn_provision.drivers.xprotect_e.agent_link import Answer, Step, failure
from ivn_provision.errors import ProtocolFault
from ivn_provision.secret import Secret
from ivn_provision.strict_json import Node, WrongShape

MOST_BYTES = 16 * 1024 * 1024
MOST_CONNECTIONS = 64
_HASH = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Line:
    """What is sent, and what is read then: up to `until` (b"": nothing), and as many bytes as a header says.

    `{{name}}` in `send` stands for a secret, which the agent fills in as XML text. Messages that begin with
    `skip_while` are passed over. After the body `then_extra` bytes are read and dropped.
    """

    send: bytes
    until: bytes = b""
    max_bytes: int = 64 * 1024
    then_header: str = ""
    then_extra: int = 0
    skip_while: bytes = b""
    keep_body: bool = True


@dataclass(frozen=True, slots=True)
class Said:
    """What came back to a line. `body` is b"" where it was not kept; size and hash are of the whole."""

    head: bytes
    body: bytes
    body_size: int
    body_sha256: str


@dataclass(frozen=True, slots=True)
class Connection:
    """The outcome of one connection: replies up to the first that failed, and why ("" if none did)."""

    replies: tuple[Said, ...]
    error: str

    @property
    def ok(self) -> bool:
        return not self.error


def exchange_step(
    port: int,
    connections: Sequence[Sequence[Line]],
    timeout_seconds: int,
    *,
    secrets: Mapping[str, Secret] | None = None,
) -> Step:
    """The verb: each connection after the other, each at most `timeout_seconds`, all together 120 s."""
    return {
        "verb": "exchange",
        "port": port,
        "timeout_seconds": timeout_seconds,
        "connections": [[_line(each) for each in lines] for lines in connections],
        "secrets": {name: each.reveal() for name, each in (secrets or {}).items()},
    }


def _line(line: Line) -> Step:
    return {
        "send": _base64(line.send),
        "until": _base64(line.until),
        "max_bytes": line.max_bytes,
        "then_header": line.then_header,
        "then_extra": line.then_extra,
        "skip_while": _base64(line.skip_while),
        "keep_body": line.keep_body,
    }


def replies(answer: Answer) -> tuple[Connection, ...]:
    """The answer to `exchange_step`. Raises TargetError for a refused step, ProtocolFault for another shape."""
    refused = failure([answer])
    if refused is not None:
        raise refused
    try:
        return tuple(_connection(each) for each in Node(dict(answer))["connections"].items())
    except WrongShape as error:
        raise ProtocolFault(
            f"the agent's answer about a port of the recorder is off: {error}",
            next_step="is another version of the agent installed there?",
        ) from error


def _connection(node: Node) -> Connection:
    error = node["error"].text()
    if node["ok"].flag() != (not error):
        node["ok"].wrong("not what the error says")
    return Connection(tuple(_said(each) for each in node["replies"].items()), error)


def _said(node: Node) -> Said:
    body, size = _bytes(node["body"]), node["body_size"].integer(0, MOST_BYTES)
    digest = node["body_sha256"].text(_HASH, "a SHA-256")
    if body and (len(body) != size or hashlib.sha256(body).hexdigest() != digest):
        node["body"].wrong("not of the size or hash that was told")
    return Said(_bytes(node["head"]), body, size, digest)


def _bytes(node: Node) -> bytes:
    try:
        return base64.b64decode(node.text(), validate=True)
    except (binascii.Error, ValueError):
        node.wrong("not base64")


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
