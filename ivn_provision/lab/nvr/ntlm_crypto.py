"""The old primitives that NTLM needs and OpenSSL 3 no longer offers: MD4 (RFC 1320) and RC4."""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Callable

from cryptography.exceptions import UnsupportedAlgorithm

_MASK = 0xFFFFFFFF
_ROUND_2 = (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)
_ROUND_3 = (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15)
_Mix = Callable[[int, int, int], int]
_ROUNDS: tuple[tuple[_Mix, int, tuple[int, ...], tuple[int, int, int, int]], ...] = (
    (lambda x, y, z: (x & y) | (~x & z), 0, tuple(range(16)), (3, 7, 11, 19)),
    (lambda x, y, z: (x & y) | (x & z) | (y & z), 0x5A827999, _ROUND_2, (3, 5, 9, 13)),
    (lambda x, y, z: x ^ y ^ z, 0x6ED9EBA1, _ROUND_3, (3, 9, 11, 15)),
)


def md4(message: bytes) -> bytes:
    """MD4 of a message."""
    padded = message + b"\x80" + b"\x00" * ((55 - len(message)) % 64) + struct.pack("<Q", len(message) * 8)
    state = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)
    for at in range(0, len(padded), 64):
        state = _md4_block(state, struct.unpack("<16I", padded[at : at + 64]))
    return struct.pack("<4I", *state)


def _md4_block(state: tuple[int, int, int, int], words: tuple[int, ...]) -> tuple[int, int, int, int]:
    a, b, c, d = state
    for mix, constant, order, shifts in _ROUNDS:
        for step, index in enumerate(order):
            total = (a + mix(b, c, d) + words[index] + constant) & _MASK
            shift = shifts[step % 4]
            a, b, c, d = d, (total << shift | total >> (32 - shift)) & _MASK, b, c
    one, two, three, four = state
    return (one + a) & _MASK, (two + b) & _MASK, (three + c) & _MASK, (four + d) & _MASK


KeyStream = Callable[[bytes], bytes]


def rc4(key: bytes) -> KeyStream:
    """A function that encrypts or decrypts the next bytes; a hundred times faster where OpenSSL still has RC4."""
    try:
        from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
        from cryptography.hazmat.primitives.ciphers import Cipher

        return Cipher(ARC4(key), mode=None).encryptor().update
    except (ImportError, UnsupportedAlgorithm):
        return Rc4(key).apply


class Rc4:
    """An RC4 key stream by hand; `apply` both encrypts and decrypts and moves on."""

    __slots__ = ("_box", "_i", "_j")

    def __init__(self, key: bytes) -> None:
        box, j = list(range(256)), 0
        for i in range(256):
            j = (j + box[i] + key[i % len(key)]) & 255
            box[i], box[j] = box[j], box[i]
        self._box, self._i, self._j = box, 0, 0

    def apply(self, data: bytes) -> bytes:
        """The data, combined with the next bytes of the key stream."""
        box, i, j = self._box, self._i, self._j
        out = bytearray(len(data))
        for n, byte in enumerate(data):
            i = (i + 1) & 255
            one = box[i]
            j = (j + one) & 255
            two = box[j]
            box[i], box[j] = two, one
            out[n] = byte ^ box[(one + two) & 255]
        self._i, self._j = i, j
        return bytes(out)


def md5(message: bytes) -> bytes:
    """MD5, which MS-NLMP prescribes."""
    return hashlib.md5(message, usedforsecurity=False).digest()


def hmac_md5(key: bytes, message: bytes) -> bytes:
    """HMAC-MD5, which MS-NLMP prescribes."""
    return hmac.new(key, message, hashlib.md5).digest()
