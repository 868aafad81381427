"""Signing and sealing of an NTLM session with extended session security (MS-NLMP 3.4; facts/winrm.md, part 10)."""

from __future__ import annotations

import hmac
import struct

from ivn_provision.lab.nvr.ntlm_crypto import hmac_md5, md5, rc4

_DIRECTIONS = ("client-to-server", "server-to-client")


class BadSeal(ValueError):
    """A signature does not fit: tampered, out of order, or sealed for another connection."""


class _Direction:
    """Keys, key stream and sequence number of one direction."""

    def __init__(self, key: bytes, direction: str, *, key_exchange: bool, strength: int) -> None:
        self._sign = md5(key + f"session key to {direction} signing key magic constant\0".encode())
        self._seal = md5(key[:strength] + f"session key to {direction} sealing key magic constant\0".encode())
        self._key_exchange = key_exchange
        self._stream, self._sequence = rc4(self._seal), 0

    def reset(self) -> None:
        """Start the key stream over, but not the numbers: what both sides do after a SPNEGO mechListMIC."""
        self._stream = rc4(self._seal)

    def crypt(self, data: bytes) -> bytes:
        return self._stream(data)

    def signature(self, plain: bytes) -> bytes:
        """The 16 bytes for the next message; taken after its text went through the key stream."""
        sequence = struct.pack("<I", self._sequence)
        self._sequence += 1
        checksum = hmac_md5(self._sign, sequence + plain)[:8]
        sealed = self._stream(checksum) if self._key_exchange else checksum
        return b"\x01\x00\x00\x00" + sealed + sequence


class NtlmSession:
    """The acceptor's side of an established session: one per connection, in order, not shared."""

    def __init__(self, key: bytes, *, key_exchange: bool, strength: int) -> None:
        incoming, outgoing = (
            _Direction(key, name, key_exchange=key_exchange, strength=strength) for name in _DIRECTIONS
        )
        self._incoming: _Direction = incoming
        self._outgoing: _Direction = outgoing

    def unseal(self, signature: bytes, sealed: bytes) -> bytes:
        """The plain text. Raises BadSeal."""
        plain = self._incoming.crypt(sealed)
        self.verify(plain, signature)
        return plain

    def seal(self, plain: bytes) -> tuple[bytes, bytes]:
        """Signature and sealed bytes."""
        sealed = self._outgoing.crypt(plain)
        return self._outgoing.signature(plain), sealed

    def verify(self, plain: bytes, signature: bytes) -> None:
        """Check a signature over plain text. Raises BadSeal."""
        if not hmac.compare_digest(self._incoming.signature(plain), signature):
            raise BadSeal("the signature does not fit")

    def sign(self, plain: bytes) -> bytes:
        """Signature over plain text."""
        return self._outgoing.signature(plain)

    def reset_incoming(self) -> None:
        """The peer starts its key stream over."""
        self._incoming.reset()

    def reset_outgoing(self) -> None:
        """Our key stream starts over."""
        self._outgoing.reset()
