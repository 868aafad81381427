"""The raw behaviour of the lab recorder's endpoint: refusals like Windows, switched faults, hostile messages."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
import requests
import spnego

from ivn_provision.errors import LabError
from ivn_provision.lab.nvr import FAULTS, Nvr
from ivn_provision.lab.scenario import LabSite
from tests.wire.nvr_fixture import PASSWORD, LoopThread, Running, ask, make_certificate, recorder

SOAP = "application/soap+xml;charset=UTF-8"
BASIC = {"Authorization": "Basic " + base64.b64encode(f"ivn-provision:{PASSWORD}".encode()).decode()}
SOAP_BASIC = {"Content-Type": SOAP, **BASIC}
ENVELOPE = """<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"
 xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"
 xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
 xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell">
<s:Header><a:Action>{action}</a:Action><a:MessageID>{message_id}</a:MessageID>{resource}{more}</s:Header>
<s:Body>{body}</s:Body></s:Envelope>"""
RESOURCE = "<w:ResourceURI>http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd</w:ResourceURI>"
CREATE = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Create"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Running]:
    with recorder(tmp_path) as running:
        yield running


def envelope(action: str = CREATE, body: str = "<rsp:Shell/>", **more: str) -> bytes:
    parts = {"action": action, "body": body, "message_id": "uuid:1", "resource": RESOURCE, "more": ""}
    return ENVELOPE.format(**{**parts, **more}).encode()


def request(
    lab: Running,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    *,
    tls: bool = True,
    method: str = "POST",
    path: str = "/wsman",
) -> tuple[int, bytes, Mapping[str, str]]:
    connection = connect(lab, tls)
    try:
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        return response.status, response.read(), dict(response.getheaders())
    finally:
        connection.close()


def connect(lab: Running, tls: bool, timeout: float = 5) -> HTTPConnection:
    if not tls:
        return HTTPConnection("127.0.0.1", lab.nvr.http_port, timeout=timeout)
    context = ssl.create_default_context(cafile=str(lab.ca_file))
    return HTTPSConnection("127.0.0.1", lab.nvr.https_port, timeout=timeout, context=context)


def sealed_session(lab: Running) -> tuple[HTTPConnection, Any]:
    """A connection after NTLM over HTTP, and the client's security context."""
    peer = spnego.client(
        "ivn-provision", PASSWORD, protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm, service="HTTP"
    )
    connection = connect(lab, tls=False)
    token = peer.step()
    status = 0
    while token is not None:
        connection.request(
            "POST", "/wsman", b"", {"Authorization": f"Negotiate {base64.b64encode(token).decode()}"}
        )
        response = connection.getresponse()
        response.read()
        status = response.status
        challenge = (response.getheader("WWW-Authenticate") or "").partition(" ")[2]
        token = peer.step(base64.b64decode(challenge)) if challenge else None
    assert status == 200
    return connection, peer


def sealed(connection: HTTPConnection, peer: Any, text: bytes, *, spoil: bool = False) -> HTTPResponse:
    protocol = "application/HTTP-SPNEGO-session-encrypted"
    wrapped = peer.wrap_winrm(text)
    data = wrapped.data[:-1] + bytes([wrapped.data[-1] ^ 1]) if spoil else wrapped.data
    body = (
        f"--Encrypted Boundary\r\n\tContent-Type: {protocol}\r\n"
        f"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length={len(text)}\r\n"
        "--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n"
    ).encode()
    body += len(wrapped.header).to_bytes(4, "little") + wrapped.header + data + b"--Encrypted Boundary--\r\n"
    media_type = f'multipart/encrypted;protocol="{protocol}";boundary="Encrypted Boundary"'
    connection.request("POST", "/wsman", body, {"Content-Type": media_type})
    return connection.getresponse()


def test_a_get_is_not_allowed_and_other_paths_do_not_exist(lab: Running) -> None:
    for tls in (False, True):
        assert request(lab, tls=tls, method="GET")[0] == 405
        assert request(lab, tls=tls, path="/other")[0] == 404


def test_the_challenge_offers_basic_only_over_tls(lab: Running) -> None:
    for tls, offers in ((False, ["Negotiate"]), (True, ["Negotiate", 'Basic realm="WSMAN"'])):
        connection = connect(lab, tls)
        connection.request("POST", "/wsman", envelope())
        response = connection.getresponse()
        assert (response.status, response.read()) == (401, b"")
        assert response.headers.get_all("WWW-Authenticate") == offers
        connection.close()
    assert request(lab, headers=BASIC, tls=False)[0] == 401


def test_a_blank_post_is_answered_blank(lab: Running) -> None:
    assert request(lab, headers=BASIC)[:2] == (200, b"")


def test_an_unencrypted_message_over_http_is_a_bare_500(lab: Running) -> None:
    connection, _ = sealed_session(lab)
    connection.request("POST", "/wsman", envelope(), {"Content-Type": SOAP})
    response = connection.getresponse()
    assert (response.status, response.read()) == (500, b"")
    connection.close()


def test_a_message_that_cannot_be_decrypted_is_a_bare_400(lab: Running) -> None:
    connection, peer = sealed_session(lab)
    response = sealed(connection, peer, envelope(), spoil=True)
    assert (response.status, response.read()) == (400, b"")
    connection.close()


def test_a_sealed_message_for_another_connection_is_a_bare_400(lab: Running) -> None:
    first, peer = sealed_session(lab)
    second, _ = sealed_session(lab)
    response = sealed(second, peer, envelope())
    assert (response.status, response.read()) == (400, b"")
    for connection in (first, second):
        connection.close()


def test_faults_are_encrypted_too(lab: Running) -> None:
    connection, peer = sealed_session(lab)
    response = sealed(connection, peer, b"<not xml")
    body = response.read()
    assert response.status == 500
    assert (response.getheader("Content-Type") or "").startswith("multipart/encrypted;protocol=")
    part = body.split(b"application/octet-stream\r\n")[1].removesuffix(b"--Encrypted Boundary--\r\n")
    plain = peer.unwrap_winrm(part[4:20], part[20:])
    assert b"SchemaValidationError" in plain
    assert b"2150858817" in plain
    connection.close()


def test_an_envelope_over_the_limit_is_a_bare_413(lab: Running) -> None:
    status, body, _ = request(lab, b"x" * 3_000_000, BASIC)
    assert (status, body) == (413, b"")


@pytest.mark.parametrize(
    "body",
    [
        b"<",
        b"\xff\xfe<\0a\0/\0>\0",
        b"<a/>",
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b'<?xml version="1.0"?><!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<a>" * 100_000,
        b"<a>&nbsp;</a>",
        b"nonsense",
        envelope().replace(b"<s:Body>", b"<s:Boody>").replace(b"</s:Body>", b"</s:Boody>"),
        envelope(more="<w:OperationTimeout>soon</w:OperationTimeout>"),
        envelope(more="<w:MaxEnvelopeSize>-1</w:MaxEnvelopeSize>"),
        envelope(body=""),
    ],
)
def test_hostile_xml_is_a_schema_fault(lab: Running, body: bytes) -> None:
    status, answer, headers = request(lab, body, SOAP_BASIC)
    assert status == 500
    assert headers["Content-Type"] == SOAP
    assert b"2150858817" in answer


@pytest.mark.parametrize(
    ("message", "subcode"),
    [
        (envelope("http://example.test/Format"), b"a:ActionNotSupported"),
        (
            envelope(resource="<w:ResourceURI>http://example.test/</w:ResourceURI>"),
            b"a:DestinationUnreachable",
        ),
        (envelope(more="<w:MaxEnvelopeSize>8191</w:MaxEnvelopeSize>"), b"w:EncodingLimit"),
    ],
)
def test_unknown_things_are_faults(lab: Running, message: bytes, subcode: bytes) -> None:
    status, answer, _ = request(lab, message, SOAP_BASIC)
    assert status == 500
    assert subcode in answer
    assert b"<a:RelatesTo>uuid:1</a:RelatesTo>" in answer


def test_the_message_id_is_only_text(lab: Running) -> None:
    message = envelope(message_id="&lt;/a:RelatesTo&gt;&lt;evil/&gt;")
    status, answer, _ = request(lab, message, SOAP_BASIC)
    assert status == 200
    assert b"<evil" not in answer


def test_bytes_that_are_not_http_close_the_connection(lab: Running) -> None:
    with socket.create_connection(("127.0.0.1", lab.nvr.http_port), timeout=5) as raw:
        raw.sendall(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 400")
        assert raw.recv(100) == b""


def test_fault_hang(lab: Running) -> None:
    lab.nvr.fault("hang")
    connection = connect(lab, tls=False, timeout=0.3)
    connection.request("POST", "/wsman", b"")
    with pytest.raises(TimeoutError):
        connection.getresponse()
    connection.close()


def test_fault_hang_receive(lab: Running) -> None:
    lab.nvr.fault("hang_receive")
    protocol = lab.protocol(operation_timeout_sec=1, read_timeout_sec=2)
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "hostname")
    with pytest.raises(requests.exceptions.ReadTimeout):
        protocol.get_command_output_raw(shell, command)
    protocol.transport.close_session()


def test_fault_http_500(lab: Running) -> None:
    lab.nvr.fault("http_500")
    assert request(lab, headers=BASIC)[:2] == (500, b"")


def test_fault_html(lab: Running) -> None:
    lab.nvr.fault("html")
    status, body, headers = request(lab, envelope(), SOAP_BASIC)
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert body.startswith(b"<!DOCTYPE html>")


def test_fault_truncate(lab: Running) -> None:
    lab.nvr.fault("truncate")
    with pytest.raises(HTTPException) as cut:
        request(lab, envelope(), SOAP_BASIC)
    assert b"<s:Envelope" in getattr(cut.value, "partial", b"")


def test_fault_garbage_xml(lab: Running) -> None:
    lab.nvr.fault("garbage_xml")
    status, body, _ = request(lab, envelope(), SOAP_BASIC)
    assert status == 200
    assert b"<unclosed" in body


def test_fault_reset(lab: Running) -> None:
    lab.nvr.fault("reset")
    with pytest.raises((ConnectionError, HTTPException)):
        request(lab, tls=False)


def test_fault_slow_and_latency(lab: Running) -> None:
    lab.nvr.fault("slow")
    lab.nvr.weather.slow_seconds = 0.3
    lab.nvr.latency_seconds = 0.1
    start = time.monotonic()
    assert request(lab, headers=BASIC)[0] == 200
    assert 0.4 <= time.monotonic() - start < 3


def test_faults_can_be_switched_off_again(lab: Running) -> None:
    lab.nvr.fault("http_500")
    lab.nvr.fault("http_500", on=False)
    assert ask(lab.protocol(), {"verb": "facts"})["steps"][0]["ok"] is True
    with pytest.raises(LabError, match="no fault"):
        lab.nvr.fault("earthquake")
    assert len(FAULTS) == 8 + 5 * 6 * 2


def test_a_taken_port_is_named(lab: Running, tmp_path: Path) -> None:
    _, context = make_certificate(tmp_path)
    site = LabSite("second", http_port=0, https_port=lab.nvr.https_port, event_port=0)
    second = Nvr(site, tmp_path / "second", context)
    with pytest.raises(LabError, match=f"127.0.0.1:{lab.nvr.https_port}"):
        lab.loop.run(second.start())


def test_only_loopback_is_served(tmp_path: Path) -> None:
    _, context = make_certificate(tmp_path)
    for host in ("0.0.0.0", "192.168.10.52", "localhost", "::"):
        nvr = Nvr(LabSite("far", host=host), tmp_path / "far", context)
        with pytest.raises(LabError, match="loopback"):
            asyncio.run(nvr.start())


def test_many_recorders_on_one_loop(tmp_path: Path) -> None:
    pem, context = make_certificate(tmp_path)
    thread = LoopThread()
    sites = [
        LabSite(f"site-{n}", host=f"127.0.1.{n}", http_port=0, https_port=0, password=PASSWORD)
        for n in range(1, 11)
    ]
    nvrs = [Nvr(site, tmp_path / site.key, context) for site in sites]
    for nvr in nvrs:
        thread.run(nvr.start())
    for nvr in nvrs:
        running = Running(nvr, thread, pem)
        endpoint = f"http://{nvr.site.host}:{nvr.http_port}/wsman"
        facts = ask(running.protocol(endpoint=endpoint), {"verb": "facts"})["steps"][0]
        assert facts["computer_name"] == f"IVN-LAB-{nvr.site.key}".upper()
        assert nvr.event_port == 1234
    for nvr in nvrs:
        thread.run(nvr.stop())
    thread.close()
