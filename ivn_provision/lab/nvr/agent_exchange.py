"""The agent's verb `exchange`: short dialogues with one port of the machine, each on a connection of its own."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ivn_provision.lab.nvr.agent_http import http
from ivn_provision.lab.nvr.agent_line import (
    Line,
    LineFailure,
    Route,
    hider,
    latin,
    opened,
    short_text,
    whole_within,
)
from ivn_provision.lab.nvr.agent_machine import Windows
from ivn_provision.lab.nvr.agent_values import (
    AgentRefusal,
    Json,
    Object,
    bad_arguments,
    base64_text,
    items,
    items_value,
    text,
    unbase64,
)

_MOST = 16 * 1024 * 1024
_LONGEST_HEAD = 1024 * 1024
_LONGEST_TEXT = 65536
_SECONDS = 120
_MOST_SKIPPED = 20
_NAME = re.compile(r"[A-Za-z0-9_]{1,40}")
_HEADER = re.compile(r"[A-Za-z0-9-]*")
_PLACE = re.compile(rb"\{\{([A-Za-z0-9_]{1,40})\}\}")


@dataclass(frozen=True, slots=True, repr=False)
class _Secrets:
    """Texts for `{{name}}`, and what hides them in heads and, from four characters on, in bodies."""

    texts: Mapping[bytes, bytes]
    heads: re.Pattern[str] | None
    bodies: re.Pattern[str] | None


@dataclass(frozen=True, slots=True, repr=False)
class _Step:
    send: bytes
    until: bytes
    skip_while: bytes
    then_header: str
    then_extra: int
    max_bytes: int
    keep_body: bool


@dataclass(slots=True)
class _Kept:
    bytes: int = 0


def exchange(step: Object, windows: Windows) -> Object:
    """Verb `exchange`."""
    secrets = _secrets(step)
    port, seconds = whole_within(step, "port", 1, 65535), whole_within(step, "timeout_seconds", 1, 60)
    most = whole_within({"total_seconds": _SECONDS, **step}, "total_seconds", 1, _SECONDS)
    rows = _rows(step, secrets, windows, port, seconds)
    real = windows.local_http(port)
    last, kept = time.monotonic() + most, _Kept()
    outcomes: list[Json] = []
    for match, steps in rows:
        now = time.monotonic()
        named: Object = {} if match is None else {"match": match}
        if now + seconds / 2 > last:
            outcomes.append({"ok": False, "error": "not tried", "replies": [], **named})
            continue
        outcomes.append({**_outcome(real, steps, secrets, kept, min(now + seconds, last)), **named})
    return {"connections": outcomes}


def _rows(
    step: Object, secrets: _Secrets, windows: Windows, port: int, seconds: int
) -> list[tuple[str | None, list[_Step]]]:
    """Connections with what they are for: those of the step, or its only one for each match."""
    connections = [_connection(each, secrets) for each in items(step, "connections")]
    if not 1 <= len(connections) <= 64 or ("for_each" in step and len(connections) != 1):
        raise bad_arguments()
    if "for_each" not in step:
        return [(None, each) for each in connections]
    template = items(step, "connections")[0]
    found: list[tuple[str | None, list[_Step]]] = []
    for match in _matches(step["for_each"], windows, port, seconds):
        texts = {**secrets.texts, b"match": _as_xml(match).encode("ascii")}
        found.append((match, _connection(template, replace(secrets, texts=texts))))
    return found


def _matches(each: Json, windows: Windows, port: int, seconds: int) -> list[str]:
    """What group 1 of the pattern finds in a page of the same port, each once, in order."""
    if not isinstance(each, Mapping):
        raise bad_arguments()
    try:
        matcher = re.compile(text(each, "pattern"))
    except re.error as error:
        raise bad_arguments() from error
    if matcher.groups < 1:
        raise bad_arguments()
    asked: dict[str, Json] = {"port": port, "method": "GET", "headers": {}, "body": "", "max_bytes": 4194304}
    answer = http({**each, **asked, "timeout_seconds": seconds}, windows)
    if answer["status"] != 200:
        raise AgentRefusal("check_failed", f"the status is {answer['status']}, not 200")
    page = unbase64(answer["body"]).decode("utf-8", "replace")
    return list(dict.fromkeys(match[1] for match in matcher.finditer(page)))[:64]


def _secrets(step: Object) -> _Secrets:
    given = step.get("secrets", {})
    if not isinstance(given, Mapping) or len(given) > 32 or not all(map(_NAME.fullmatch, given)):
        raise bad_arguments()
    known = {name: short_text(given, name, 1000) for name in sorted(given)}
    forms = [form for each in known.values() for form in _forms(each)]
    texts = {name.encode("ascii"): _as_xml(each).encode("ascii") for name, each in known.items()}
    return _Secrets(texts, hider(forms), hider([each for each in forms if len(each) >= 4]))


def _as_xml(value: str) -> str:
    """A reference for all but letters and digits: right in every code page (facts/xprotect-e.md, 7.2)."""
    return re.sub(r"[^A-Za-z0-9]", lambda found: f"&#{ord(found[0])};", value)


def _forms(value: str) -> list[str]:
    """How a server may send it back: as it is, as XML, in UTF-8 or in a byte a character."""
    few = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    quoted = few.replace('"', "&quot;")
    spelt = (quoted.replace("'", "&apos;"), quoted, few, value)
    return [_as_xml(value), *(form for each in spelt for form in (latin(each), each))]


def _connection(value: Json, secrets: _Secrets) -> list[_Step]:
    steps = [_step(each, secrets) for each in items_value(value)]
    if not 1 <= len(steps) <= 64:
        raise bad_arguments()
    return steps


def _step(value: Json, secrets: _Secrets) -> _Step:
    if not isinstance(value, Mapping) or "send" not in value:
        raise bad_arguments()
    sent, until, skip = (_content(value, name) for name in ("send", "until", "skip_while"))
    header, keep = short_text(value, "then_header", 64), value.get("keep_body", True)
    if not _HEADER.fullmatch(header) or not isinstance(keep, bool):
        raise bad_arguments()
    extra = whole_within({"then_extra": 0, **value}, "then_extra", 0, 16)
    most = whole_within(value, "max_bytes", 0, _MOST)
    filled = _PLACE.sub(lambda found: secrets.texts.get(found[1], found[0]), sent)
    return _Step(filled, until, skip, header, extra, most, keep)


def _content(step: Object, name: str) -> bytes:
    content = unbase64(step.get(name, ""))
    if len(content) > _LONGEST_TEXT:
        raise bad_arguments()
    return content


def _outcome(
    real: tuple[str, int] | None, steps: Sequence[_Step], secrets: _Secrets, kept: _Kept, deadline: float
) -> Object:
    replies: list[Json] = []
    line: Line | None = None
    said = ""
    try:
        if real is None:
            raise LineFailure("connection refused")
        line = opened(Route(real), deadline)
        for step in steps:
            replies.append(_reply(line, step, secrets, kept))  # noqa: PERF401 - what came before a failure stays
    except LineFailure as failure:
        said = str(failure)
    finally:
        if line is not None:
            line.close()
    return {"ok": not said, "error": said, "replies": replies}


def _reply(line: Line, step: _Step, secrets: _Secrets, kept: _Kept) -> Object:
    line.write(step.send)
    head = _head(line, step) if step.until else b""
    size = _size(head, step)
    body = _hidden(b"" if size is None else _body(line, size, step.then_extra), secrets.bodies)
    kept.bytes += len(head) + (len(body) if step.keep_body else 0)
    if kept.bytes > _MOST:
        raise AgentRefusal("too_large", f"the answer is larger than {_MOST} bytes")
    return {
        "head": base64_text(_hidden(head, secrets.heads)),
        "body_size": len(body),
        "body_sha256": hashlib.sha256(body).hexdigest(),
        "body": base64_text(body) if step.keep_body else "",
    }


def _hidden(content: bytes, hides: re.Pattern[str] | None) -> bytes:
    """Each secret as so many stars: sizes stay."""
    if hides is None:
        return content
    return hides.sub(lambda found: "*" * len(found[0]), content.decode("latin-1")).encode("latin-1")


def _head(line: Line, step: _Step) -> bytes:
    """The first message that is not to be skipped."""
    for _ in range(_MOST_SKIPPED + 1):
        message = _message(line, step)
        if not step.skip_while or not message.startswith(step.skip_while):
            return message
    raise LineFailure("too many messages were skipped")


def _message(line: Line, step: _Step) -> bytes:
    """Up to and with the terminator."""
    most, start = min(step.max_bytes, _LONGEST_HEAD), 0
    while (at := line.received.find(step.until, start)) < 0:
        if len(line.received) > most:
            raise LineFailure("the answer is too large")
        start = max(0, len(line.received) - len(step.until) + 1)
        line.read_more()
    end = at + len(step.until)
    if end > most:
        raise LineFailure("the answer is too large")
    message, line.received = line.received[:end], line.received[end:]
    return message


def _size(head: bytes, step: _Step) -> int | None:
    """What the header says; None without one."""
    if not step.then_header:
        return None
    row = rf"(?:^|\n){re.escape(step.then_header)}[ \t]*:[ \t]*([0-9]{{1,18}})[ \t]*(?=\r?\n|\Z)"
    found = re.search(row.encode("ascii"), head, re.IGNORECASE)
    if found is None:
        return None
    if int(found[1]) > step.max_bytes:
        raise LineFailure("the answer is too large")
    return int(found[1])


def _body(line: Line, size: int, extra: int) -> bytes:
    body, line.received = bytearray(line.received[: size + extra]), line.received[size + extra :]
    while len(body) < size + extra:
        body += line.read(size + extra - len(body))
    return bytes(body[:size])
