"""The agent's verbs `http` and `require_http`: the emulated machine asks a web server of its own."""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException

from ivn_provision.lab.nvr.agent_machine import Windows
from ivn_provision.lab.nvr.agent_values import (
    AgentRefusal,
    Object,
    bad_arguments,
    base64_text,
    text,
    texts,
    unbase64,
    whole,
)

_PATH = re.compile(r"/[A-Za-z0-9._~/?&=%+,:;@!$()*-]*")
_HEADER = re.compile(
    r"(?:accept|content-type|soapaction|user-agent|x-[a-z0-9-]{1,40})", re.IGNORECASE | re.ASCII
)
_VALUE = re.compile(r"[ -~]*")
_PAUSE = 0.5
_MOST_BYTES = 64 * 1024 * 1024
_MOST_SECONDS = 600


@dataclass(frozen=True, slots=True, repr=False)
class _Asked:
    """One request; its credentials are in the headers and are never shown."""

    port: int
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    seconds: int
    most: int


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    content_type: str


def http(step: Object, windows: Windows) -> Object:
    """Verb `http`."""
    answer = _ask(_asked(step), windows)
    return {
        "status": answer.status,
        "body": base64_text(answer.body),
        "content_type": answer.content_type,
    }


def require_http(step: Object, windows: Windows) -> Object:
    """Verb `require_http`: tried again, half a second apart, until it is as wanted or the time is over."""
    asked, status, contains = _asked(step), whole(step, "status"), texts(step, "contains")
    waited = 0.0
    while True:
        try:
            _check(_ask(asked, windows), status, contains)
        except AgentRefusal:
            if waited >= asked.seconds:
                raise
        else:
            return {"status": status}
        windows.pause(_PAUSE)
        waited += _PAUSE


def _check(answer: _Answer, status: int, contains: list[str]) -> None:
    if answer.status != status:
        raise AgentRefusal("check_failed", f"the status is {answer.status}, not {status}")
    body = answer.body.decode("utf-8", "replace")
    for each in contains:
        if each not in body:
            raise AgentRefusal("check_failed", f"the answer lacks: {each}")


def _asked(step: Object) -> _Asked:
    port, method, path = whole(step, "port"), text(step, "method"), text(step, "path")
    headers, body = _headers(step), unbase64(step.get("body"))
    username, password = text(step, "username"), text(step, "password")
    seconds, most = whole(step, "timeout_seconds"), whole(step, "max_bytes")
    if not (1 <= port <= 65535 and method in {"GET", "POST"} and _PATH.fullmatch(path)):
        raise bad_arguments()
    if ":" in username or not (1 <= seconds <= _MOST_SECONDS and 0 <= most <= _MOST_BYTES):
        raise bad_arguments()
    if username:
        pair = f"{username}:{password}".encode("utf-8", "replace")
        headers = {**headers, "Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return _Asked(port, method, path, headers, body, seconds, most)


def _headers(step: Object) -> dict[str, str]:
    value = step.get("headers")
    if not isinstance(value, dict):
        raise bad_arguments()
    for name in value:
        if not _HEADER.fullmatch(name):
            raise bad_arguments()
        if not _VALUE.fullmatch(text(value, name)):
            raise bad_arguments()
    return value


def _ask(asked: _Asked, windows: Windows) -> _Answer:
    nobody = AgentRefusal("unreachable", f"no HTTP answer at port {asked.port}")
    address = windows.local_http(asked.port)
    if address is None or not ipaddress.ip_address(address[0]).is_loopback:
        raise nobody
    connection = HTTPConnection(*address, timeout=asked.seconds)
    try:
        connection.request(asked.method, asked.path, asked.body or None, dict(asked.headers))
        response = connection.getresponse()
        body = response.read(asked.most + 1)
    except TimeoutError as error:
        raise AgentRefusal("timeout", f"no HTTP answer in time at port {asked.port}") from error
    except (OSError, HTTPException) as error:
        raise nobody from error
    finally:
        connection.close()
    if len(body) > asked.most:
        raise AgentRefusal("too_large", f"the answer is larger than {asked.most} bytes")
    return _Answer(response.status, body, response.headers.get("Content-Type") or "")
