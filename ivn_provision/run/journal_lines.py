"""The lines of a journal: canonical JSON, each sealed together with the seal of the line before it.

A line is checked byte for byte: it is rendered again from what was read, under the key and the seal before it,
and has to come out the same (docs/reference/journal.md).
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from ivn_provision.errors import StateError
from ivn_provision.run.state import seal_with
from ivn_provision.strict_json import Node, check_sound, encodable

_EDITED = "it was edited or damaged, or the key is another; look at live with `drift`, and plan from there"


@dataclass(frozen=True, slots=True)
class Record:
    """One line. `at` is RFC 3339, UTC; `data` is what belongs to the event."""

    number: int
    at: str
    event: str
    site: str
    data: Mapping[str, Any]


class Chain(NamedTuple):
    """Verified records, the seal of the last one, and where it ends in the file (bytes)."""

    records: list[Record]
    mac: str
    end: int


class Rendered(NamedTuple):
    """A record as it will be read back, its line, and its seal."""

    record: Record
    line: bytes
    mac: str


def canonical(value: object) -> str:
    """One text for equal JSON values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def stamp(now: datetime) -> str:
    """RFC 3339 in UTC, to the second."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def render(key: bytes, record: Record, previous: str) -> Rendered:
    """The line of a record that follows a line with the seal `previous` (the run's name for the first)."""
    body = {
        "n": record.number,
        "at": record.at,
        "event": record.event,
        "site": record.site,
        "data": _encodable(record.data),
    }
    text = canonical(body)
    mac = seal_with(key, previous + text)
    own = Record(record.number, record.at, record.event, record.site, json.loads(text)["data"])
    return Rendered(own, canonical({**body, "mac": mac}).encode() + b"\n", mac)


def _encodable(value: Any) -> Any:
    """Halves of surrogate pairs, which live names can hold, as escapes: the line must be read again."""
    if isinstance(value, str):
        return value if encodable(value) else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {_encodable(name): _encodable(each) for name, each in value.items()}
    return [_encodable(each) for each in value] if isinstance(value, (list, tuple)) else value


def verified(key: bytes, run: str, path: Path, content: bytes) -> Chain:
    """All lines that end. Raises StateError with the first that is not what the tool wrote there.

    What follows the last line end is a line that a crash tore: it counts as not written.
    """
    end = content.rfind(b"\n") + 1
    records: list[Record] = []
    mac = run
    for number, line in enumerate(content[:end].split(b"\n")[:-1], 1):
        try:
            seen = _record(line)
        except (ValueError, RecursionError) as error:
            raise _off(path, number, "is not a record of a journal") from error
        own = render(key, seen, mac)
        if seen.number != number or not hmac.compare_digest(own.line, line + b"\n"):
            raise _off(path, number, "is not what the tool wrote there")
        records.append(own.record)
        mac = own.mac
    return Chain(records, mac, end)


def _record(line: bytes) -> Record:
    """Raises ValueError (WrongShape is one)."""
    node = Node(json.loads(line.decode("ascii")))
    check_sound(node)
    data = {name: each.value for name, each in node["data"].members()}
    number = node["n"].integer(1, 10**9)
    return Record(number, node["at"].text(), node["event"].text(), node["site"].text(), data)


def _off(path: Path, line: int, what: str) -> StateError:
    return StateError(f"line {line} of the journal {what}", where=f"{path}:{line}", next_step=_EDITED)
