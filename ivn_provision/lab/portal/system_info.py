"""The portal logs in to a recorder's web port: `GET /systeminfo.xml` with Basic (facts/xprotect-e.md, part 7)."""

from __future__ import annotations

import base64
import html
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import h11

from ivn_provision.lab.portal.vantage import Streams

_LARGEST = 1024 * 1024
_PRODUCT = re.compile(r"<product>([^<]{1,200})</product>")


@dataclass(frozen=True, slots=True)
class Answer:
    """`login` is `ok`, `refused` or `no_answer`; `date` the recorder's clock by its Date header."""

    login: str
    product: str | None = None
    date: datetime | None = None


async def ask(streams: Streams, username: str, password: str) -> Answer:
    """One request on an open connection. The caller bounds the time; what is no HTTP is no answer."""
    writer = streams[1]
    http = h11.Connection(h11.CLIENT)
    login = base64.b64encode(f"{username}:{password}".encode()).decode()
    headers = [("Host", "recorder"), ("Authorization", f"Basic {login}"), ("Connection", "close")]
    request = h11.Request(method="GET", target="/systeminfo.xml", headers=headers)
    try:
        writer.write((http.send(request) or b"") + (http.send(h11.EndOfMessage()) or b""))
        await writer.drain()
        return await _read(http, streams)
    except (h11.ProtocolError, OSError):
        return Answer("no_answer")


async def _read(http: h11.Connection, streams: Streams) -> Answer:
    head, body = None, bytearray()
    while len(body) <= _LARGEST:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await streams[0].read(65_536))
        elif isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return _answer(head, bytes(body))
        elif not isinstance(event, h11.InformationalResponse):
            break
    return Answer("no_answer")


def _answer(head: h11.Response, body: bytes) -> Answer:
    dates = [value.decode("latin-1") for name, value in head.headers if name == b"date"]
    date = _date(dates[0]) if dates else None
    if head.status_code != 200:
        return Answer("refused" if head.status_code in {401, 403} else "no_answer", date=date)
    found = _PRODUCT.search(body.decode("utf-8", "replace"))
    return Answer("ok", html.unescape(found[1]) if found else None, date)


def _date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None
