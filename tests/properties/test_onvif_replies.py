"""Whatever a device answers, over a real socket: an error of ours or a value, never another exception."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ivn_provision.drivers.onvif.reading import Asked, read_cameras
from ivn_provision.drivers.onvif.seen import OnvifSeen
from ivn_provision.errors import IvnError
from ivn_provision.lab.onvif.device import DEVICE, DEVICEIO, MEDIA, Device
from ivn_provision.lab.onvif.soap import Request, Tokens, envelope, request_of
from ivn_provision.secret import SecretRef
from ivn_provision.spec.onvif import Onvif
from ivn_provision.spec.values import Tls
from tests.support.onvif_cameras import need_library, secret
from tests.wire.raw_server import RawServer, read_request, serving

need_library()
PASSWORD = "s3cret-of-a-camera"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
Spoil = Callable[[str, bytes], bytes]
_TEXT = re.compile(rb">([^<>]+)<")


class Anybody(Tokens):
    """Lets everybody in."""

    def check(self, request: Request, now: datetime) -> None:
        """All tokens are right."""


class Spoiled:
    """A device whose answers are changed on their way by `spoil(operation, answer)`."""

    def __init__(self) -> None:
        self.spoil: Spoil = lambda _, body: body
        self.device = Device("1", "http://127.0.0.1", lambda: NOW, Anybody("", ""))

    def __call__(self, connection: socket.socket) -> None:
        while True:
            request = request_of(read_request(connection).partition(b"\r\n\r\n")[2])
            body = self.spoil(request.operation, envelope(self.device.answer(request)))
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\nContent-Length: %d\r\n\r\n"
            connection.sendall(head % len(body) + body)


@pytest.fixture(scope="module")
def spoiled() -> Spoiled:
    return Spoiled()


@pytest.fixture(scope="module")
def server(spoiled: Spoiled) -> Iterator[RawServer]:
    with serving(spoiled) as running:
        yield running


def read(server: RawServer) -> OnvifSeen | IvnError:
    connect = Onvif(server.host, server.port, Tls("off"), "onvif", SecretRef("env", "X"), "")
    asked = Asked(10, connect, secret(PASSWORD))
    return read_cameras([asked], each=20, together=20, clock=lambda: NOW)[10]


OPERATIONS = (
    "GetSystemDateAndTime",
    "GetDeviceInformation",
    "GetServices",
    "GetProfiles",
    "GetDigitalInputs",
    "GetNTP",
    "GetUsers",
)


def junk() -> st.SearchStrategy[bytes]:
    """Texts in the place of another: numbers that are none, words, entities, markup, what a secret looks like."""
    odd = [
        b"",
        b"-1",
        b"1e999",
        b"99999999999999999999",
        b"NaN",
        b"&amp;",
        b"<a/>",
        b"&boom;",
        b"\xff\xfe",
        b"true",
    ]
    words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="<&>\0"), max_size=20)
    return st.sampled_from(odd) | words.map(str.encode) | st.just(PASSWORD.encode())


@st.composite
def spoils(draw: st.DrawFn) -> Spoil:
    """One way to spoil the answers to one operation, or to all."""
    chosen = draw(st.sampled_from((*OPERATIONS, "")))
    how = draw(st.sampled_from(["cut", "text", "bytes", "drop", "twice", "name"]))
    at, word = draw(st.floats(0, 1, exclude_max=True)), draw(junk())

    def spoil(operation: str, body: bytes) -> bytes:
        return _spoiled(how, at, word, body) if chosen in {"", operation} else body

    return spoil


def _spoiled(how: str, at: float, word: bytes, body: bytes) -> bytes:
    place = int(at * len(body))
    if how == "cut":
        return body[:place]
    if how == "bytes":
        return body[:place] + word + body[place + len(word) :]
    tags = list(re.finditer(rb"<(t\w+:\w+)[^<>]*>([^<>]*)</\1>", body))
    if not tags:
        return body
    tag = tags[int(at * len(tags))]
    start, end = tag.span()
    if how == "text":
        start, end = tag.span(2)
        return body[:start] + word + body[end:]
    instead = {"drop": b"", "twice": tag[0] * 2, "name": tag[0].replace(tag[1], b"tt:Odd")}
    return body[:start] + instead[how] + body[end:]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spoil=spoils())
def test_any_answer_is_a_value_or_an_error_of_ours(spoil: Spoil, spoiled: Spoiled, server: RawServer) -> None:
    spoiled.spoil = spoil
    found = read(server)
    if isinstance(found, IvnError):
        assert found.summary
        assert PASSWORD not in f"{found.summary}{found.where}{found.next_step}"
    else:
        assert isinstance(found, OnvifSeen)
        assert all(isinstance(each, str) and each for each in found.missing.values())


def test_what_is_not_spoiled_is_whole(spoiled: Spoiled, server: RawServer) -> None:
    spoiled.spoil = lambda _, body: body
    found = read(server)
    assert isinstance(found, OnvifSeen)
    assert found.missing == {}


def test_the_services_are_those_of_onvif() -> None:
    from ivn_provision.drivers.onvif.library import namespace_of

    assert [namespace_of(each) for each in ("devicemgmt", "media", "deviceio")] == [DEVICE, MEDIA, DEVICEIO]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>Please log in</body></html>",
        b'<?xml version="1.0" encoding="UTF-16"?><a/>',
        envelope("<tds:GetUsersResponse/>"),
        envelope(""),
        b'<!DOCTYPE a [<!ENTITY b "c">]>' + envelope("").partition(b"?>")[2],
        envelope(
            "<tds:GetDeviceInformationResponse>"
            + "<a>" * 5000
            + "</a>" * 5000
            + "</tds:GetDeviceInformationResponse>"
        ),
    ],
)
def test_another_document(body: bytes, spoiled: Spoiled, server: RawServer) -> None:
    spoiled.spoil = lambda operation, answer: body if operation == "GetDeviceInformation" else answer
    assert isinstance(read(server), IvnError)
