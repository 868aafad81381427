"""TLS: only the site file says whom to trust, and a certificate must be for the host that was asked."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ivn_provision.errors import DeadlineExceeded, TlsFailed
from ivn_provision.lab.clock import system_clock
from ivn_provision.lab.tls import LabTls, prepare_tls
from ivn_provision.secret import Secret, SecretRef
from ivn_provision.spec.site import Connect
from ivn_provision.spec.values import Tls
from ivn_provision.transports import tls as contexts
from ivn_provision.transports.breaker import Account, Breaker
from ivn_provision.transports.deadline import Deadline
from ivn_provision.transports.http import JsonClient
from ivn_provision.transports.winrm import WinRm, settings_of
from tests.wire.raw_server import Handler, RawServer, answering, read_request, serving, trickling

REFERENCE = SecretRef("env", "THE_NAME")
SECRET = Secret("the-password", REFERENCE)


@pytest.fixture(scope="module")
def lab_tls(tmp_path_factory: pytest.TempPathFactory) -> LabTls:
    """A certificate of the lab's kind, for 127.0.0.1, 127.0.0.7 and localhost."""
    return prepare_tls(tmp_path_factory.mktemp("tls"), ["127.0.0.7"], system_clock)


def ask_portal(server: RawServer, tls: Tls, seconds: float = 5.0) -> None:
    client = JsonClient(f"https://{server.host}:{server.port}", tls, lambda: Deadline(seconds))
    try:
        client.request("GET", "/x")
    finally:
        client.close()


def ask_nvr(server: RawServer, tls: Tls, seconds: float = 5.0) -> None:
    connect = Connect("winrm", server.host, server.port, "operator", REFERENCE, tls, "basic")
    settings = settings_of(connect, SECRET)
    with Breaker().guard(Account("account operator", SECRET), server.host) as attempt:
        WinRm(settings, Deadline(seconds)).run("powershell.exe", (), (b"x",), attempt)


Ask = Callable[..., None]
BOTH = pytest.mark.parametrize("ask", [ask_portal, ask_nvr])


@contextmanager
def recording(lab_tls: LabTls, host: str) -> Iterator[tuple[RawServer, list[bytes]]]:
    """A TLS server with the lab's certificate; what it is asked."""
    asked: list[bytes] = []

    def handler(connection: socket.socket) -> None:
        asked.append(read_request(connection))
        connection.sendall(b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\n{}")

    with serving(handler, host=host, tls=lab_tls.server_context()) as server:
        yield server, asked


def trusting(lab_tls: LabTls) -> Tls:
    return Tls("ca", str(lab_tls.ca_file))


@BOTH
def test_the_right_host_is_spoken_to(ask: Ask, lab_tls: LabTls) -> None:
    with recording(lab_tls, "127.0.0.7") as (server, asked), pytest.raises(Exception, match="500"):
        ask(server, trusting(lab_tls))
    assert asked


@BOTH
def test_a_certificate_for_another_host_is_refused(ask: Ask, lab_tls: LabTls) -> None:
    with recording(lab_tls, "127.0.0.8") as (server, asked), pytest.raises(TlsFailed) as caught:
        ask(server, trusting(lab_tls))
    assert "127.0.0.8" in str(caught.value)
    assert caught.value.next_step
    assert asked == [], "not a byte of a request, least of all the account"


@BOTH
def test_an_authority_that_was_not_named_is_refused(ask: Ask, lab_tls: LabTls, tmp_path: Path) -> None:
    other = prepare_tls(tmp_path, ["127.0.0.7"], system_clock)
    with recording(lab_tls, "127.0.0.7") as (server, asked):
        for tls in (trusting(other), Tls()):
            with pytest.raises(TlsFailed):
                ask(server, tls)
    assert asked == []


def test_a_recorder_may_have_a_certificate_for_another_host_if_it_is_pinned(lab_tls: LabTls) -> None:
    import hashlib

    der = ssl.PEM_cert_to_DER_cert(lab_tls.certificate.read_text(encoding="ascii"))
    with recording(lab_tls, "127.0.0.8") as (server, asked):
        with pytest.raises(TlsFailed, match="pinned"):
            ask_nvr(server, Tls("fingerprint", "0" * 64))
        assert asked == []
        with pytest.raises(Exception, match="500"):
            ask_nvr(server, Tls("fingerprint", hashlib.sha256(der).hexdigest()))
        assert asked


@BOTH
def test_a_pin_does_not_loosen_the_next_connection(ask: Ask, lab_tls: LabTls) -> None:
    """Contexts are shared, and urllib3 changes them."""
    with recording(lab_tls, "127.0.0.8") as (server, asked):
        with pytest.raises(TlsFailed):
            ask_nvr(server, Tls("fingerprint", "0" * 64))
        for tls in (Tls(), trusting(lab_tls), Tls()):
            with pytest.raises(TlsFailed):
                ask(server, tls)
    assert asked == []


@BOTH
def test_the_environment_decides_nothing(
    ask: Ask, lab_tls: LabTls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "keys.log"
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(lab_tls.ca_file))
    monkeypatch.setenv("SSL_CERT_DIR", str(lab_tls.ca_file.parent))
    monkeypatch.setenv("SSLKEYLOGFILE", str(log))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    contexts._system.cache_clear()
    contexts._authority.cache_clear()
    with recording(lab_tls, "127.0.0.7") as (server, asked):
        with pytest.raises(TlsFailed):
            ask(server, Tls())
        assert asked == []
        with pytest.raises(Exception, match="500"):
            ask(server, trusting(lab_tls))
    assert not log.exists()


def test_verify_knows_the_public_authorities() -> None:
    contexts._system.cache_clear()
    context = contexts.context_of(Tls(), endpoint="", field="")
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    places = ssl.get_default_verify_paths()
    by_folder = Path(places.openssl_capath).is_dir() and any(Path(places.openssl_capath).iterdir())
    assert by_folder or context.cert_store_stats()["x509_ca"] > 20


def test_a_changed_authority_is_read_again(lab_tls: LabTls, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(prepare_tls(tmp_path / ".." / tmp_path.name, [], system_clock).ca_file.read_bytes())
    with recording(lab_tls, "127.0.0.7") as (server, _):
        with pytest.raises(TlsFailed):
            ask_portal(server, Tls("ca", str(path)))
        path.write_bytes(lab_tls.ca_file.read_bytes())
        with pytest.raises(Exception, match="500"):
            ask_portal(server, Tls("ca", str(path)))


@BOTH
@pytest.mark.parametrize("text", [None, "", "no certificate"])
def test_an_unreadable_authority(ask: Ask, text: str | None, tmp_path: Path, lab_tls: LabTls) -> None:
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_text(text, encoding="ascii")
    with (
        recording(lab_tls, "127.0.0.7") as (server, asked),
        pytest.raises(TlsFailed, match="CA file") as caught,
    ):
        ask(server, Tls("ca", str(path)))
    assert caught.value.where == str(path)
    assert asked == []


def slow_handshake(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"\x16\x03\x03\x40\x00")  # a record of 16 KiB begins
    while True:
        connection.sendall(b"\x02")
        time.sleep(0.1)


@BOTH
def test_a_trickled_handshake_ends_at_the_deadline(ask: Ask, lab_tls: LabTls) -> None:
    with serving(slow_handshake) as server:
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            ask(server, trusting(lab_tls), 0.8)
        assert time.monotonic() - began < 1.5


@BOTH
@pytest.mark.parametrize(
    "start",
    [b"HTTP/1.1 200 OK\r\nX-A: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"],
    ids=["headers", "body"],
)
def test_a_trickle_within_tls_ends_at_the_deadline(ask: Ask, lab_tls: LabTls, start: bytes) -> None:
    handler: Handler = trickling(start, b" ")
    with serving(handler, tls=lab_tls.server_context()) as server:
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            ask(server, trusting(lab_tls), 0.8)
        assert time.monotonic() - began < 1.5


def test_a_portal_redirect_to_plain_http_is_not_followed(lab_tls: LabTls) -> None:
    with serving(answering("200 OK", b"{}")) as plain:
        redirect = answering("302 Found", b"{}", f"Location: {plain.url}/")
        tls = lab_tls.server_context()
        with serving(redirect, tls=tls) as server, pytest.raises(Exception, match="302"):
            ask_portal(server, trusting(lab_tls))
        assert plain.connections == 0
