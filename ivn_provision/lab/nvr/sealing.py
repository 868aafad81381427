"""WinRM message encryption: the multipart framing around sealed envelopes (facts/winrm.md, part 10)."""

from __future__ import annotations

import re
import struct

from ivn_provision.lab.nvr.http_wire import HttpRequest
from ivn_provision.lab.nvr.ntlm_seal import BadSeal, NtlmSession

PROTOCOLS = ("application/HTTP-SPNEGO-session-encrypted", "application/HTTP-Kerberos-session-encrypted")
_BOUNDARY = b"--Encrypted Boundary"
_PROTOCOL = re.compile(r'protocol="([^"]*)"', re.IGNORECASE)
_HEAD = re.compile(
    rb"--Encrypted Boundary\r\n\tContent-Type: ([^\r\n]+)\r\n"
    rb"\tOriginalContent: type=application/soap\+xml;charset=UTF-8;Length=(\d{1,9})\r\n"
    rb"--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n"
)
_END = b"--Encrypted Boundary--\r\n"


def is_sealed(request: HttpRequest) -> bool:
    """Whether a request claims to be encrypted."""
    return request.media_type == "multipart/encrypted"


def unseal(request: HttpRequest, session: NtlmSession) -> tuple[str, bytes]:
    """The protocol's name as the client says it, and the plain envelope. Raises BadSeal."""
    named = _PROTOCOL.search(request.headers.get("content-type", ""))
    head = _HEAD.match(request.body)
    if named is None or named.group(1) not in PROTOCOLS or head is None or not request.body.endswith(_END):
        raise BadSeal("not the framing of MS-WSMV 2.2.9.1")
    part = request.body[head.end() : -len(_END)]
    if len(part) < 20 or struct.unpack_from("<I", part)[0] != 16:
        raise BadSeal("no signature of 16 bytes")
    plain = session.unseal(part[4:20], part[20:])
    if len(plain) != int(head.group(2)):
        raise BadSeal("the announced length is another")
    return named.group(1), plain


def seal(protocol: str, envelope: bytes, session: NtlmSession) -> tuple[str, bytes]:
    """Content-Type and body of a sealed reply. Clients compare these bytes literally."""
    signature, sealed = session.seal(envelope)
    head = (
        f"\tContent-Type: {protocol}\r\n"
        f"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length={len(envelope)}\r\n"
    ).encode("ascii")
    octets = (
        b"\tContent-Type: application/octet-stream\r\n"
        + struct.pack("<I", len(signature))
        + signature
        + sealed
    )
    body = b"".join([_BOUNDARY, b"\r\n", head, _BOUNDARY, b"\r\n", octets, _END])
    return f'multipart/encrypted;protocol="{protocol}";boundary="Encrypted Boundary"', body
