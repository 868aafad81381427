"""A small NTLMv2 acceptor: challenge, proof, MIC, channel binding, session key (MS-NLMP; facts/winrm.md, part 10)."""

from __future__ import annotations

import hmac
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from ivn_provision.lab.nvr.ntlm_crypto import hmac_md5, md4, md5, rc4
from ivn_provision.lab.nvr.ntlm_seal import NtlmSession

SIGNATURE = b"NTLMSSP\x00"
_UNICODE, _REQUEST_TARGET, _SIGN, _SEAL, _NTLM = 0x1, 0x4, 0x10, 0x20, 0x200
_ALWAYS_SIGN, _TARGET_SERVER, _ESS, _TARGET_INFO = 0x8000, 0x20000, 0x80000, 0x800000
_VERSION, _128, _KEY_EXCH, _56 = 0x2000000, 0x20000000, 0x40000000, 0x80000000
_OURS = _UNICODE | _REQUEST_TARGET | _NTLM | _ALWAYS_SIGN | _TARGET_SERVER | _TARGET_INFO | _VERSION
_CLIENTS_CHOICE = _SIGN | _SEAL | _ESS | _128 | _56 | _KEY_EXCH
_AV_END, _AV_COMPUTER, _AV_DOMAIN, _AV_DNS_COMPUTER, _AV_DNS_DOMAIN = 0, 1, 2, 3, 4
_AV_FLAGS, _AV_TIMESTAMP, _AV_BINDING = 6, 7, 10
_WINDOWS_2012_R2 = bytes([6, 3]) + struct.pack("<H", 9600) + b"\0\0\0\x0f"
_MIC_AT = 72


class Refused(Exception):
    """No logon: malformed message, wrong account or password, wrong MIC or channel binding."""


@dataclass(frozen=True, slots=True)
class Account:
    """The one account that may log on."""

    username: str
    password: str = field(repr=False)
    computer_name: str


@dataclass(frozen=True, slots=True)
class Handshake:
    """What has been sent so far; `challenge` is the 8 random bytes in `challenge_message`."""

    negotiate_message: bytes
    challenge_message: bytes
    challenge: bytes


def begin(negotiate: bytes, account: Account, *, challenge: bytes, filetime: int) -> Handshake:
    """Answer a NEGOTIATE message. `filetime` is 100 ns since 1601. Raises Refused."""
    if len(negotiate) < 16 or negotiate[:12] != SIGNATURE + b"\x01\0\0\0":
        raise Refused("not a NEGOTIATE message")
    (offered,) = struct.unpack_from("<I", negotiate, 12)
    if not offered & _ESS:
        raise Refused("the client does not offer extended session security")
    flags = _OURS | (offered & _CLIENTS_CHOICE)
    name = account.computer_name.encode("utf-16-le")
    info = _target_info(name, filetime)
    fields = struct.pack("<HHI", len(name), len(name), 56) + struct.pack("<I", flags) + challenge + bytes(8)
    fields += struct.pack("<HHI", len(info), len(info), 56 + len(name)) + _WINDOWS_2012_R2
    return Handshake(negotiate, SIGNATURE + b"\x02\0\0\0" + fields + name + info, challenge)


def finish(shake: Handshake, authenticate: bytes, account: Account, *, binding: bytes | None) -> NtlmSession:
    """Check an AUTHENTICATE message and set up the session.

    `binding` is the MD5 over the TLS end point (None without TLS). A client that sends none is let pass,
    as by Windows' default hardening level, which is inferred. Raises Refused.
    """
    message = _Authenticate(authenticate)
    if len(message.nt_response) <= 44:
        raise Refused("not an NTLMv2 response")
    if message.user.casefold() != account.username.casefold():
        raise Refused("unknown account")
    if not _own_domain(message.domain, account):
        raise Refused("unknown domain")
    key = _response_key(message, account)
    proof, blob = message.nt_response[:16], message.nt_response[16:]
    if not hmac.compare_digest(proof, hmac_md5(key, shake.challenge + blob)):
        raise Refused("wrong password")
    base = hmac_md5(key, proof)
    exchanged = bool(message.flags & _KEY_EXCH)
    if exchanged and len(message.session_key) != 16:
        raise Refused("no session key")
    session_key = rc4(base)(message.session_key) if exchanged else base
    pairs = dict(_pairs(blob[28:]))
    _check_mic(shake, authenticate, session_key, pairs.get(_AV_FLAGS, bytes(4)))
    _check_binding(pairs.get(_AV_BINDING, bytes(16)), binding)
    strength = 16 if message.flags & _128 else 7 if message.flags & _56 else 5
    return NtlmSession(session_key, key_exchange=exchanged, strength=strength)


def channel_binding(certificate_hash: bytes) -> bytes:
    """The MD5 that AV pair 10 carries for `tls-server-end-point` (RFC 5929 in a GSS structure)."""
    data = b"tls-server-end-point:" + certificate_hash
    return md5(bytes(16) + struct.pack("<I", len(data)) + data)


class _Authenticate:
    """The fields of an AUTHENTICATE message. Raises Refused when they lie outside of it."""

    def __init__(self, message: bytes) -> None:
        if len(message) < 64 or message[:12] != SIGNATURE + b"\x03\0\0\0":
            raise Refused("not an AUTHENTICATE message")
        self._message = message
        self.nt_response = self._field(20)
        self.domain = self._text(28)
        self.user = self._text(36)
        self.session_key = self._field(52)
        (self.flags,) = struct.unpack_from("<I", message, 60)

    def _field(self, at: int) -> bytes:
        length, _, offset = struct.unpack_from("<HHI", self._message, at)
        if offset + length > len(self._message):
            raise Refused("a field lies outside the message")
        return self._message[offset : offset + length]

    def _text(self, at: int) -> str:
        return self._field(at).decode("utf-16-le", "replace")


def _response_key(message: _Authenticate, account: Account) -> bytes:
    secret = md4(account.password.encode("utf-16-le"))
    return hmac_md5(secret, (message.user.upper() + message.domain).encode("utf-16-le", "replace"))


def _own_domain(domain: str, account: Account) -> bool:
    return domain.casefold() in {"", ".", "workgroup", account.computer_name.casefold()}


def _target_info(name: bytes, filetime: int) -> bytes:
    named = (_AV_DOMAIN, _AV_COMPUTER, _AV_DNS_DOMAIN, _AV_DNS_COMPUTER)
    pairs = [(each, name) for each in named] + [(_AV_TIMESTAMP, struct.pack("<Q", filetime)), (_AV_END, b"")]
    return b"".join(struct.pack("<HH", kind, len(value)) + value for kind, value in pairs)


def _pairs(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(data):
        kind, length = struct.unpack_from("<HH", data, at)
        if kind == _AV_END:
            return
        yield kind, data[at + 4 : at + 4 + length]
        at += 4 + length


def _check_mic(shake: Handshake, authenticate: bytes, key: bytes, flags: bytes) -> None:
    if len(flags) != 4 or not struct.unpack("<I", flags)[0] & 2:
        return
    sent = authenticate[_MIC_AT : _MIC_AT + 16]
    zeroed = authenticate[:_MIC_AT] + bytes(16) + authenticate[_MIC_AT + 16 :]
    if not hmac.compare_digest(
        sent, hmac_md5(key, shake.negotiate_message + shake.challenge_message + zeroed)
    ):
        raise Refused("wrong MIC")


def _check_binding(sent: bytes, binding: bytes | None) -> None:
    if binding is not None and any(sent) and not hmac.compare_digest(sent, binding):
        raise Refused("wrong channel binding")
