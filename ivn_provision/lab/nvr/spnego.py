"""Just enough SPNEGO (RFC 4178) to carry NTLM: read NegTokenInit and NegTokenResp, write NegTokenResp."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

NTLM_OID = bytes.fromhex("060a2b06010401823702020a")
_SPNEGO_OID = bytes.fromhex("06062b0601050502")
_ACCEPT_COMPLETED, _ACCEPT_INCOMPLETE, _REQUEST_MIC = 0, 1, 3


class BadToken(ValueError):
    """Not a SPNEGO token."""


@dataclass(frozen=True, slots=True)
class Token:
    """What a client sent. `mech_types` is the raw DER list that mechListMIC signs (first token only)."""

    mech_token: bytes
    mech_types: bytes = b""
    mech_list_mic: bytes = b""
    prefers_ntlm: bool = True


def read(data: bytes) -> Token:
    """A client's token. Raises BadToken."""
    tag, body = _only(data)
    if tag == 0x60:
        return _read_init(body)
    if tag == 0xA1:
        return _read_response(body)
    raise BadToken(f"unknown tag {tag:#x}")


def challenge(token: bytes, *, preferred: bool) -> bytes:
    """NegTokenResp with the NTLM challenge, or asking for it (empty) when another mechanism came first."""
    state = _ACCEPT_INCOMPLETE if preferred else _REQUEST_MIC
    return _response(state, _wrap(0xA1, NTLM_OID) + (_wrap(0xA2, _wrap(0x04, token)) if token else b""))


def completed(mech_list_mic: bytes) -> bytes:
    """The last NegTokenResp."""
    return _response(_ACCEPT_COMPLETED, _wrap(0xA3, _wrap(0x04, mech_list_mic)) if mech_list_mic else b"")


def _read_init(body: bytes) -> Token:
    if not body.startswith(_SPNEGO_OID):
        raise BadToken("not SPNEGO")
    fields = _fields(body[len(_SPNEGO_OID) :], 0xA0)
    types = fields.get(0xA0, b"")
    listed = [_tlv(tag, content) for tag, content in _each(_only(types)[1])] if types else []
    if NTLM_OID not in listed:
        raise BadToken("NTLM is not offered")
    first = listed[0] == NTLM_OID
    token = _octets(fields.get(0xA2)) if first else b""
    return Token(token, types, _octets(fields.get(0xA3)), prefers_ntlm=first)


def _read_response(body: bytes) -> Token:
    fields = _fields(_wrap(0xA1, body), 0xA1)
    token, mic = _octets(fields.get(0xA2)), _octets(fields.get(0xA3))
    return Token(token, mech_list_mic=b"" if mic == token else mic)


def _fields(data: bytes, expected: int) -> dict[int, bytes]:
    tag, body = _only(data)
    if tag != expected:
        raise BadToken("unexpected choice")
    tag, sequence = _only(body)
    if tag != 0x30:
        raise BadToken("no sequence")
    return dict(_each(sequence))


def _octets(data: bytes | None) -> bytes:
    return _only(data)[1] if data else b""


def _only(data: bytes) -> tuple[int, bytes]:
    found = next(_each(data), None)
    if found is None:
        raise BadToken("empty")
    return found


def _each(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        if at + 2 > len(data):
            raise BadToken("cut")
        tag, size, at = data[at], data[at + 1], at + 2
        if size & 0x80:
            width = size & 0x7F
            size, at = int.from_bytes(data[at : at + width], "big"), at + width
        if at + size > len(data):
            raise BadToken("cut")
        yield tag, data[at : at + size]
        at += size


def _response(state: int, rest: bytes) -> bytes:
    return _wrap(0xA1, _wrap(0x30, _wrap(0xA0, bytes([0x0A, 1, state])) + rest))


def _tlv(tag: int, content: bytes) -> bytes:
    return _wrap(tag, content)


def _wrap(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    width = (size.bit_length() + 7) // 8
    return bytes([tag, 0x80 | width]) + size.to_bytes(width, "big") + content
