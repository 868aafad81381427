"""The link to a camera: how it logs in, what it sends twice and what never, and what it says of the rest."""

from __future__ import annotations

import hashlib
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ivn_provision.drivers.axis import params
from ivn_provision.errors import (
    AuthenticationFailed,
    DeadlineExceeded,
    ProtocolFault,
    Refused,
    TlsFailed,
    Uncertain,
    Unreachable,
)
from ivn_provision.lab.lab import Lab
from ivn_provision.spec.values import Tls
from ivn_provision.transports.breaker import Breaker
from ivn_provision.transports.vapix import Asked, VapixLink
from tests.support import axis_driver
from tests.support.axis_camera import axis_lab, camera_of, password
from tests.support.axis_driver import PROFILES
from tests.wire.raw_server import serving

LIST = params.LIST.get(params.PATH)
NOTHING = Asked(
    "POST",
    params.PATH,
    b"action=update&root.Time.POSIXTimeZone=UTC0",
    "application/x-www-form-urlencoded",
    True,
)


made: list[VapixLink] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Every link of a test is closed at its end, before the lab."""
    yield
    while made:
        made.pop().close()


def link_to(host: str, port: int, secret: str, **options: Any) -> VapixLink:
    made.append(axis_driver.link_to(host, port, secret, **options))
    return made[-1]


@pytest.fixture
def lab(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Lab]:
    with axis_lab(tmp_path, getattr(request, "param", "10.12")) as running:
        yield running


def link(
    lab: Lab,
    *,
    https: bool = False,
    secret: str | None = None,
    breaker: Breaker | None = None,
    **options: bool,
) -> VapixLink:
    camera = camera_of(lab)
    tls = Tls("ca", str(lab.ca_file)) if https else Tls("off")
    port = camera.https_port if https else camera.http_port
    return link_to(camera.host, port, secret or password(lab), tls=tls, breaker=breaker, **options)


@pytest.mark.parametrize("lab", PROFILES, indirect=True)
@pytest.mark.parametrize("https", [False, True])
def test_logs_in_as_the_camera_asks_and_signs_later_requests_at_once(lab: Lab, https: bool) -> None:
    camera, used = camera_of(lab), link(lab, https=https, basic_over_http=True)
    for _ in range(3):
        assert used.ask(LIST).status == 200
    used.close()
    assert (camera.counters.requests, camera.counters.authentication_failures) == (4, 0)
    assert camera.counters.connections == 1


@pytest.mark.parametrize("lab", ["11.11"], indirect=True)
def test_basic_over_plain_http_must_be_allowed(lab: Lab) -> None:
    used = link(lab)
    with pytest.raises(Refused, match="Basic over plain HTTP") as refusal:
        used.ask(LIST)
    assert "basic_over_http" in refusal.value.next_step
    assert camera_of(lab).counters.authentication_failures == 0


def test_a_refused_login_is_tried_once_and_by_nobody_else(lab: Lab) -> None:
    breaker = Breaker()
    first, second = (
        link(lab, secret="wrong-one", breaker=breaker),
        link(lab, secret="wrong-one", breaker=breaker),
    )
    with pytest.raises(AuthenticationFailed, match="refused root"):
        first.ask(LIST)
    for each in (first, second):
        with pytest.raises(AuthenticationFailed, match="not tried"):
            each.ask(LIST)
    assert camera_of(lab).counters.authentication_failures == 1
    assert "wrong-one" not in repr((first, second))


def test_a_nonce_that_is_too_old_costs_one_more_request(lab: Lab) -> None:
    camera, used = camera_of(lab), link(lab)
    used.ask(LIST)
    camera.expire_nonces()
    assert used.ask(LIST).status == 200
    assert camera.counters.requests == 4
    camera.fault("nonce-once")
    assert [used.ask(LIST).status for _ in range(2)] == [200, 200]


def test_a_login_that_ends_in_between_is_said(lab: Lab) -> None:
    camera, used = camera_of(lab), link(lab)
    used.ask(LIST)
    camera.fault("http-401")
    with pytest.raises(AuthenticationFailed, match=r"let root with .* in before") as refusal:
        used.ask(LIST)
    assert "administrator" in refusal.value.next_step
    assert camera.counters.authentication_failures == 2, "the old nonce, and a new one: not a third time"


def test_a_redirect_is_said_and_not_followed(lab: Lab) -> None:
    camera = camera_of(lab)
    camera.fault("https-only")
    with pytest.raises(Refused, match="over HTTPS only") as refusal:
        link(lab).ask(LIST)
    assert "axis.connect.tls" in refusal.value.next_step
    assert camera.counters.requests == 1


def test_a_camera_that_is_busy_is_said(lab: Lab) -> None:
    camera_of(lab).fault("http-503")
    with pytest.raises(ProtocolFault, match="HTTP 503"):
        link(lab).ask(LIST)


@pytest.mark.parametrize("lab", ["5.50"], indirect=True)
def test_one_request_at_a_time_whoever_asks(lab: Lab) -> None:
    used = link(lab)
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: used.ask(LIST).status, range(12)))
    assert found == [200] * 12
    assert camera_of(lab).counters.connections_refused == 0


def test_a_write_whose_answer_is_lost_is_uncertain_and_not_sent_again(lab: Lab) -> None:
    camera, used = camera_of(lab), link(lab)
    used.ask(LIST)
    camera.fault("lose-write=1")
    with pytest.raises(Uncertain, match="its answer was lost"):
        used.ask(NOTHING)
    assert camera.counters.writes == 1
    assert used.ask(LIST).status == 200


def test_nothing_listens(lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Unreachable, match="nothing listens"):
        link_to("127.0.0.1", port, "x").ask(LIST)
    del lab


def test_a_pinned_certificate(lab: Lab) -> None:
    camera = camera_of(lab)
    seen = ssl.PEM_cert_to_DER_cert(
        ssl.get_server_certificate((camera.host, camera.https_port), ca_certs=str(lab.ca_file))
    )
    right = Tls("fingerprint", hashlib.sha256(seen).hexdigest().upper())
    before = camera.counters.requests
    for tls, fails in ((right, False), (Tls("fingerprint", "0" * 64), True)):
        used = link_to(camera.host, camera.https_port, password(lab), tls=tls)
        if fails:
            with pytest.raises(TlsFailed, match="not the one of the fingerprint"):
                used.ask(LIST)
        else:
            assert used.ask(LIST).status == 200
        used.close()
    assert camera.counters.requests == before + 2, "the other certificate is asked nothing"


def test_an_unknown_authority(lab: Lab) -> None:
    camera = camera_of(lab)
    with pytest.raises(TlsFailed, match="not trusted"):
        link_to(camera.host, camera.https_port, "x", tls=Tls()).ask(LIST)


@pytest.mark.parametrize("offered", ["algorithm=ROT13", 'qop="auth-int"', "realm=\xe9", ""])
def test_a_challenge_that_cannot_be_answered_ends_a_trial_too(offered: str) -> None:
    """The first challenge was sound; that of the trial, which calls it too old, is not."""
    begun = 'Digest realm="r", nonce="n"'
    again = f"Digest stale=true, {begun.removeprefix('Digest ') if offered else ''}, {offered}"
    if "realm=" in offered:
        again = f'Digest stale=true, nonce="n", {offered}'
    answers = [
        f"HTTP/1.1 401 No\r\nWWW-Authenticate: {each}\r\nContent-Length: 0\r\n\r\n".encode("latin-1")
        for each in (begun, again)
    ]
    good = f"{HEAD}Content-Length: 2\r\n\r\nOK".encode()
    for used in _saying(answers[0], good, answers[1]):
        used.ask(LIST)
        with pytest.raises(ProtocolFault, match="cannot be answered"):
            used.try_login("guard", used.password, "/axis-cgi/usergroup.cgi")


HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


def _saying(*answers: bytes) -> Iterator[VapixLink]:
    left = list(answers)

    def handler(stream: socket.socket) -> None:
        while left:
            text = b""
            while b"\r\n\r\n" not in text:
                piece = stream.recv(4096)
                if not piece:
                    return
                text += piece
            answer = left.pop(0)
            if not answer:
                return
            stream.sendall(answer)
            asked.append(text)

    asked.clear()
    with serving(handler) as server:
        yield link_to(server.host, server.port, "pass", seconds=3.0)


asked: list[bytes] = []


def test_nothing_is_written_where_nobody_has_to_log_in() -> None:
    """A change may hold a mail account's password: whoever answers there would have it."""
    open_to_all = f"{HEAD}Content-Length: 2\r\n\r\nOK".encode()
    change = Asked("POST", "/axis-cgi/param.cgi", b"action=update&A=secret", writes=True)
    for used in _saying(open_to_all, open_to_all, open_to_all, open_to_all):
        assert used.ask(LIST).body == b"OK"
        with pytest.raises(Refused, match="lets everybody in without a login"):
            used.ask(change)
        used.close()
    assert not [each for each in asked if b"secret" in each or each.startswith(b"POST")]


def test_digest_behind_basic_in_one_header_and_with_qop() -> None:
    joined = b'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="a, b", Digest realm="x\\"y", qop="auth, auth-int", nonce="n"\r\nContent-Length: 0\r\n\r\n'
    good = f"{HEAD}Content-Length: 2\r\n\r\nOK".encode()
    for used in _saying(joined, good, good):
        assert used.ask(LIST).body == b"OK"
        assert used.ask(LIST).body == b"OK"
        used.close()
    assert [b"Authorization: Digest" in each for each in asked] == [False, True, True]
    assert b"nc=00000001" in asked[1]
    assert b"nc=00000002" in asked[2]
    assert all(b"GET /axis-cgi/param.cgi?action=list HTTP" in each for each in asked[1:])
    assert b"GET /axis-cgi/pwdgrp.cgi?action=get HTTP" in asked[0], "what no camera shows without a login"
    assert b'uri="/axis-cgi/param.cgi?action=list"' in asked[1]


def test_what_reads_is_asked_once_more_when_the_line_breaks() -> None:
    good = f"{HEAD}Content-Length: 2\r\n\r\nOK".encode()
    for used in _saying(good, b"", good):
        assert used.ask(LIST).body == b"OK"
    for used in _saying(good, b"", b"", good):
        with pytest.raises(ProtocolFault, match="broke off"):
            used.ask(LIST)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (f"{HEAD}Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nOK", ProtocolFault, "compresses"),
        (f"{HEAD}Content-Length: 100\r\n\r\nOK", ProtocolFault, "broke off"),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n",
            Refused,
            "sends elsewhere",
        ),
        ("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", Refused, "HTTP 403"),
        ("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", ProtocolFault, "neither Digest nor Basic"),
        (
            "HTTP/1.1 401 No\r\nWWW-Authenticate: Digest qop=x\r\nContent-Length: 0\r\n\r\n",
            ProtocolFault,
            "cannot be answered",
        ),
        (
            "HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm=x, nonce=y, algorithm=ROT13\r\nContent-Length: 0\r\n\r\n",
            ProtocolFault,
            "cannot be answered",
        ),
    ],
)
def test_answers_that_are_none(answer: str, error: type[Exception], words: str) -> None:
    for used in _saying(answer.encode()):
        with pytest.raises(error, match=words):
            used.ask(LIST)


def test_an_answer_that_never_ends_has_a_deadline() -> None:
    def handler(stream: socket.socket) -> None:
        stream.recv(4096)
        stream.sendall(f"{HEAD}Content-Length: 100\r\n\r\nOK".encode())
        stream.recv(1)  # until we hang up

    with serving(handler) as server, pytest.raises(DeadlineExceeded, match="waiting for the camera"):
        link_to(server.host, server.port, "pass", seconds=0.5).ask(LIST)


def test_an_answer_without_end_is_bounded() -> None:
    def handler(stream: socket.socket) -> None:
        stream.recv(4096)
        stream.sendall(f"{HEAD}\r\n".encode())
        while True:
            stream.sendall(b"x" * 65536)

    with serving(handler) as server, pytest.raises(ProtocolFault, match="4 MiB"):
        link_to(server.host, server.port, "pass").ask(LIST)


@pytest.mark.parametrize("name", ['a"b', "a:b", "a\\b", "a\nb", ""])
def test_names_that_no_login_can_have(name: str) -> None:
    with pytest.raises(Refused, match="username"):
        link_to("127.0.0.1", 1, "x", username=name)


@pytest.mark.parametrize("host", ["a/b", "a b", "a@b", "a#b", "a?b", "a\nb", ""])
def test_hosts_that_are_none(host: str) -> None:
    with pytest.raises(Refused, match=r"axis\.connect\.host"):
        link_to(host, 1, "x")
