"""Hostile peers: every operation ends at its deadline, takes a bounded answer, and follows nobody."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from ivn_provision.drivers.portal.tokens import TokenSource
from ivn_provision.errors import (
    AuthenticationFailed,
    DeadlineExceeded,
    IvnError,
    ProtocolFault,
    Refused,
    Unreachable,
)
from ivn_provision.secret import MASK, Secret, SecretRef
from ivn_provision.spec.site import Connect
from ivn_provision.spec.values import Tls
from ivn_provision.transports.breaker import Account, Breaker
from ivn_provision.transports.deadline import Deadline
from ivn_provision.transports.http import MAX_REPLY, JsonClient
from ivn_provision.transports.winrm import WinRm, settings_of
from ivn_provision.transports.winrm_session import MAX_REPLY as MAX_WINRM_REPLY
from tests.wire.raw_server import Handler, RawServer, answering, read_request, serving, trickling

REFERENCE = SecretRef("env", "THE_NAME")
SECRET = Secret('p/w "with" %&+ä\\ <things>', REFERENCE)
SHORT = 0.8
JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
NTLM_CHALLENGE = (
    "WWW-Authenticate: NTLM TlRMTVNTUAACAAAAAAAAADgAAAAFAoqiASNFZ4mrze8AAAAAAAAAAAAAAAA4AAAABgGxHQAAAA8="
)


def portal(server: RawServer, seconds: float = 5.0) -> JsonClient:
    return JsonClient(server.url, Tls(), lambda: Deadline(seconds))


def ask_portal(server: RawServer, seconds: float) -> None:
    client = portal(server, seconds)
    try:
        client.request("GET", "/x")
    finally:
        client.close()


def ask_nvr(server: RawServer, seconds: float) -> None:
    connect = Connect("winrm", server.host, server.port, "operator", REFERENCE, Tls("off"), "ntlm")
    settings = settings_of(connect, SECRET)
    with Breaker().guard(Account("account operator", SECRET), server.host) as attempt:
        WinRm(settings, Deadline(seconds)).run("powershell.exe", (), (b"x",), attempt)


BOTH = pytest.mark.parametrize("ask", [ask_portal, ask_nvr])
Ask = Callable[[RawServer, float], None]


def silent(connection: socket.socket) -> None:
    read_request(connection)
    connection.recv(1)


TRICKLES: dict[str, Handler] = {
    "nothing": silent,
    "status line": trickling(b"HTTP/1.1 200 ", b"O"),
    "one header": trickling(JSON_HEAD + b"X-A: ", b"a"),
    "refusal's header": trickling(b"HTTP/1.1 401 No\r\nX-A: ", b"a"),
    "interim answers": trickling(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": trickling(JSON_HEAD + b"Content-Length: 100000\r\n\r\n", b" "),
    "endless body": trickling(JSON_HEAD + b"\r\n{}", b" "),
    "chunked body": trickling(JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "chunk length": trickling(JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
}


@BOTH
@pytest.mark.parametrize("name", TRICKLES)
def test_a_trickle_ends_at_the_deadline(ask: Ask, name: str) -> None:
    with serving(TRICKLES[name]) as server:
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded) as caught:
            ask(server, SHORT)
        took = time.monotonic() - began
        assert took < SHORT + 0.7, f"took {took:.1f} s"
        assert caught.value.endpoint == f"{server.host}:{server.port}"
        assert caught.value.next_step
    assert not [each for each in threading.enumerate() if isinstance(each, threading.Timer)]


def test_a_connection_is_kept_and_a_late_watchdog_does_not_cut_it() -> None:
    with serving(answering("200 OK", b"{}")) as server:
        client = portal(server, 0.3)
        for _ in range(5):
            assert client.request("GET", "/x").body == {}
            time.sleep(0.12)
        client.close()
        assert server.connections == 1


def cut_after_headers(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(JSON_HEAD + b"X-A: aaa")
    connection.close()


@BOTH
def test_a_cut_answer_is_no_answer(ask: Ask) -> None:
    with serving(cut_after_headers) as server, pytest.raises(ProtocolFault):
        ask(server, 5)


@BOTH
def test_a_compressed_answer_is_refused_before_it_unfolds(ask: Ask) -> None:
    bomb = gzip.compress(gzip.compress(b" " * 50_000_000))
    answer = answering("200 OK", bomb, "Content-Encoding: gzip, gzip")
    with serving(answer) as server, pytest.raises(ProtocolFault, match="not asked for"):
        ask(server, 5)


@BOTH
def test_an_endless_answer_is_cut_off(ask: Ask) -> None:
    sent = 0

    def endless(connection: socket.socket) -> None:
        nonlocal sent
        read_request(connection)
        connection.sendall(JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
            sent += 0x10000

    most = MAX_REPLY if ask is ask_portal else MAX_WINRM_REPLY
    with serving(endless) as server:
        with pytest.raises(ProtocolFault, match="MiB"):
            ask(server, 20)
        time.sleep(0.1)
        assert sent < most + 16 * 1024 * 1024, "the buffers of the system come on top"


@BOTH
@pytest.mark.parametrize("status", ["301 Moved", "303 See Other", "307 Temporary", "308 Permanent"])
def test_a_redirect_is_not_followed(ask: Ask, status: str) -> None:
    with serving(silent, host="127.0.0.9") as other:
        location = f"Location: {other.url}/wsman"
        with serving(answering(status, b"", location)) as server, pytest.raises(ProtocolFault) as caught:
            ask(server, 5)
        assert caught.value.next_step
        assert other.connections == 0


@pytest.mark.parametrize("step", [1, 2])
def test_a_redirect_within_the_ntlm_handshake_is_not_followed(step: int) -> None:
    """Step 1 redirects the first NTLM message, step 2 the proof of the password."""
    with serving(silent, host="127.0.0.9") as other:

        def handler(connection: socket.socket) -> None:
            for answer in ["WWW-Authenticate: NTLM", NTLM_CHALLENGE][:step]:
                read_request(connection)
                connection.sendall(f"HTTP/1.1 401 No\r\n{answer}\r\nContent-Length: 0\r\n\r\n".encode())
            assert b"Authorization: NTLM" in read_request(connection)
            redirect = f"HTTP/1.1 307 T\r\nLocation: {other.url}/\r\nContent-Length: 0\r\n\r\n"
            connection.sendall(redirect.encode())
            connection.recv(1)

        with serving(handler) as server, pytest.raises(ProtocolFault, match="redirects"):
            ask_nvr(server, 5)
        assert other.connections == 0


@BOTH
def test_nobody_listens(ask: Ask) -> None:
    with serving(silent) as server:
        pass
    with pytest.raises(Unreachable, match="nothing listens"):
        ask(server, 5)


def escaped(secret: str) -> str:
    return json.dumps(secret)[1:-1]


ECHOES: dict[str, Callable[[str], object]] = {
    "input, as FastAPI": lambda s: {"detail": [{"loc": ["body"], "input": f"client_secret={quote_plus(s)}"}]},
    "detail an object": lambda s: {"detail": {"client_secret": s}},
    "title": lambda s: {"title": f"bad value {s}!"},
    "form": lambda s: {"detail": f"cannot read grant_type=x&client_secret={quote_plus(s)}&scope=y"},
    "quoted": lambda s: {"message": f"no {quote(s, safe='')} here"},
    "quoted, small letters": lambda s: {"message": f"no {quote(s, safe='').lower()} here"},
    "quoted twice": lambda s: {"message": f"no {quote(quote(s, safe=''), safe='')} here"},
    "JSON in text": lambda s: {"detail": f'cannot use {{"password": "{escaped(s)}"}}'},
    "JSON in JSON": lambda s: {"detail": f"cannot use {escaped(escaped(s))}"},
    "Python": lambda s: {"detail": f"invalid: {s!r}"},
    "at the limit": lambda s: {"detail": "x" * 290 + s},
    "field error": lambda s: {"title": "Invalid", "errors": [{"pointer": f"/{s}", "message": f"not {s}"}]},
    "type": lambda s: {"type": f"https://x.example/{s}"},
    "error": lambda s: {"error": s},
}


def refused(body: object, status: str = "422 Unprocessable", kind: str = "application/json") -> str:
    with serving(answering(status, json.dumps(body).encode(), kind=kind)) as server:
        client = portal(server)
        with pytest.raises(IvnError) as caught:
            client.request("PUT", "/x", json={"password": SECRET.reveal()}, secrets=[SECRET])
        with pytest.raises(IvnError) as in_form:
            client.request("POST", "/x", form={"client_secret": SECRET})
        client.close()
    assert str(caught.value).partition("/x")[2] == str(in_form.value).partition("/x")[2]
    return str(caught.value)


@pytest.mark.parametrize("name", ECHOES)
def test_an_echoed_secret_is_masked(name: str) -> None:
    plain = SECRET.reveal()
    text = refused(ECHOES[name](plain))
    for form in (plain, plain[:8], quote(plain, safe=""), quote_plus(plain), escaped(plain), "%2fw", "p%252"):
        assert form.lower() not in text.lower()
    assert "portal refused" in text


def test_an_echoed_secret_is_masked_in_the_content_type_too() -> None:
    text = refused(["no object"], kind="text/" + quote(SECRET.reveal(), safe=""))
    assert "%22" not in text
    assert MASK in text


def test_an_echoed_token_is_masked() -> None:
    with serving(answering("401 No", b'{"detail": "bad header: Bearer t0ken-value"}')) as server:
        client = portal(server)
        with pytest.raises(AuthenticationFailed) as caught:
            client.request("GET", "/x", headers={"Authorization": "Bearer t0ken-value"})
        client.close()
    assert "t0ken-value" not in str(caught.value)


def test_what_a_server_says_is_short_and_printable() -> None:
    text = refused({"title": "\x1b]0;t\x07 \u202egpj.exe\ud800\n" + "word " * 500})
    assert text.isprintable()
    assert len(text) < 400


@pytest.mark.parametrize(
    "body",
    [
        {"errors": 5, "title": None},
        {"errors": [5, {"pointer": {}}], "detail": 7},
        {"error": []},
        {"type": {}},
    ],
)
def test_a_strange_problem_is_still_a_refusal(body: object) -> None:
    assert "no reason" in refused(body)


@pytest.mark.parametrize("body", [b'{"a": NaN}', b'{"a": Infinity}', b"[1]", b"", b"[" * 100_000])
def test_no_json_object_is_a_fault(body: bytes) -> None:
    with serving(answering("201 Created", body)) as server:
        client = portal(server)
        if body:
            with pytest.raises(ProtocolFault, match="instead of a JSON object"):
                client.request("GET", "/x")
        else:
            assert client.request("GET", "/x").body == {}
        client.close()


def token_of(server: RawServer) -> str:
    client = portal(server)
    try:
        return TokenSource("id", SECRET, "scope", Breaker()).token(client)
    finally:
        client.close()


@pytest.mark.parametrize("token", ["€", "a\r\nX: y", "", "x" * 9000, 5, None, "a b"])
def test_a_token_that_cannot_be_sent_is_a_fault(token: object) -> None:
    body = json.dumps({"access_token": token, "expires_in": 60}).encode()
    with serving(answering("200 OK", body)) as server, pytest.raises(ProtocolFault, match="no token"):
        token_of(server)


@pytest.mark.parametrize("seconds", [10**400, -(10**400), 0, True], ids=["vast", "negative", "none", "flag"])
def test_any_lifetime_of_a_token_will_do(seconds: int) -> None:
    body = json.dumps({"access_token": "t", "expires_in": seconds}).encode()
    with serving(answering("200 OK", body)) as server:
        assert token_of(server) == "t"


def test_an_unknown_client_with_http_400_is_a_refused_account() -> None:
    body = b'{"error": "invalid_client", "error_description": "no"}'
    with serving(answering("400 Bad", body)) as server, pytest.raises(AuthenticationFailed):
        token_of(server)


def test_sites_that_wait_for_one_token_share_its_failure() -> None:
    with serving(silent) as server:
        source = TokenSource("id", SECRET, "scope", Breaker())
        failures: list[IvnError] = []

        def site() -> None:
            client = portal(server, SHORT)
            try:
                source.token(client)
            except IvnError as error:
                failures.append(error)
            client.close()

        began = time.monotonic()
        threads = [threading.Thread(target=site) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert time.monotonic() - began < 2 * SHORT
        assert [type(each) for each in failures] == [DeadlineExceeded] * 6
        assert len({id(each) for each in failures}) == 6, "each site puts its own name into its error"


@pytest.mark.parametrize(
    "host",
    ["evil.example:80", "a..b", "x" * 64 + ".example", "a/b", "u@h", "h#f", "[::1]", "", "a b", "::1]x"],
)
def test_a_host_that_is_none_is_refused(host: str) -> None:
    connect = Connect("winrm", host, 5986, "operator", REFERENCE, Tls(), "ntlm")
    with pytest.raises(Refused, match=r"nvr\.connect\.host"):
        settings_of(connect, SECRET)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("::1", "https://[::1]:5986/wsman"),
        ("NVR-1.site_2.example.", "https://NVR-1.site_2.example.:5986/wsman"),
        ("büro.example", "https://xn--bro-hoa.example:5986/wsman"),
        ("10.0.0.7", "https://10.0.0.7:5986/wsman"),
    ],
)
def test_the_url_of_a_host(host: str, url: str) -> None:
    connect = Connect("winrm", host, 5986, "operator", REFERENCE, Tls(), "ntlm")
    assert settings_of(connect, SECRET).url == url


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:port", "http://", "gopher://127.0.0.1", "http://[::1", "x"]
)
def test_a_portal_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(Refused, match=r"portal\.url"):
        JsonClient(url, Tls(), lambda: Deadline(1))
