"""WinRM message encryption: the multipart framing around sealed envelopes (facts/winrm.md, part 10).

Who seals is a mechanism's business. CredSSP seals at most 16 KiB at a time and repeats the framing.
"""

from __future__ import annotations

import re
import struct
from typing import Protocol

from ivn_provision.lab.nvr.http_wire import HttpRequest
from ivn_provision.lab.nvr.ntlm_seal import BadSeal

CREDSSP = "application/HTTP-CredSSP-session-encrypted"
PROTOCOLS = (
    "application/HTTP-SPNEGO-session-encrypted",
    "application/HTTP-Kerberos-session-encrypted",
    CREDSSP,
)
_SINGLE, _MULTIPLE = "multipart/encrypted", "multipart/x-multi-encrypted"
_CREDSSP_PIECE = 16 * 1024
_LARGEST_SIGNATURE = 256  # bytes; NTLM's has 16, a Kerberos wrap token of AES 60
_BOUNDARY = b"--Encrypted Boundary"
_PROTOCOL = re.compile(r'protocol="([^"]*)"', re.IGNORECASE)
_HEAD = re.compile(
    rb"--Encrypted Boundary\r\n\tContent-Type: ([^\r\n]+)\r\n"
    rb"\tOriginalContent: type=application/soap\+xml;charset=UTF-8;Length=(\d{1,9})\r\n"
    rb"--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n"
)
_END = b"--Encrypted Boundary--\r\n"


class Session(Protocol):
    """The keys of one connection. Raises BadSeal for what is not of them."""

    def seal(self, plain: bytes) -> tuple[bytes, bytes]: ...

    def unseal(self, signature: bytes, sealed: bytes) -> bytes: ...


def is_sealed(request: HttpRequest) -> bool:
    """Whether a request claims to be encrypted."""
    return request.media_type in {_SINGLE, _MULTIPLE}


def unseal(request: HttpRequest, session: Session) -> tuple[str, bytes]:
    """The protocol's name as the client says it, and the plain envelope. Raises BadSeal."""
    named = _PROTOCOL.search(request.headers.get("content-type", ""))
    heads = list(_HEAD.finditer(request.body))
    whole = bool(heads) and heads[0].start() == 0 and request.body.endswith(_END)
    if named is None or named.group(1) not in PROTOCOLS or not whole:
        raise BadSeal("not the framing of MS-WSMV 2.2.9.1")
    if len(heads) > 1 and request.media_type != _MULTIPLE:
        raise BadSeal("several parts where one was announced")
    ends = [*(head.start() for head in heads[1:]), len(request.body) - len(_END)]
    return named.group(1), b"".join(
        _part(request.body[head.end() : end], int(head.group(2)), session, named.group(1))
        for head, end in zip(heads, ends, strict=True)
    )


def _part(part: bytes, announced: int, session: Session, protocol: str) -> bytes:
    if len(part) < 20:
        raise BadSeal("no signature")
    (size,) = struct.unpack_from("<I", part)
    if protocol == CREDSSP:
        size = 0  # the number is that of TLS' trailer, which is within
    elif not 16 <= size <= min(_LARGEST_SIGNATURE, len(part) - 4):
        raise BadSeal("no signature of its length")
    plain = session.unseal(part[4 : 4 + size], part[4 + size :])
    if len(plain) != announced:
        raise BadSeal("the announced length is another")
    return plain


def seal(protocol: str, envelope: bytes, session: Session) -> tuple[str, bytes]:
    """Content-Type and body of a sealed reply. Clients compare these bytes literally."""
    step = _CREDSSP_PIECE if protocol == CREDSSP else len(envelope) or 1
    pieces = [envelope[at : at + step] for at in range(0, len(envelope), step)] or [b""]
    body = b"".join(_framed(protocol, piece, session) for piece in pieces) + _END
    kind = _SINGLE if len(pieces) == 1 else _MULTIPLE
    return f'{kind};protocol="{protocol}";boundary="Encrypted Boundary"', body


def _framed(protocol: str, piece: bytes, session: Session) -> bytes:
    signature, sealed = session.seal(piece)
    head = (
        f"\tContent-Type: {protocol}\r\n"
        f"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length={len(piece)}\r\n"
    ).encode("ascii")
    octets = b"\tContent-Type: application/octet-stream\r\n" + struct.pack("<I", len(signature))
    return b"".join([_BOUNDARY, b"\r\n", head, _BOUNDARY, b"\r\n", octets, signature, sealed])
