"""Secrets: a reference that may be printed, and a value that cannot.

A site file holds only references (`!secret env:NAME`, `file:PATH`, `keyring:SERVICE/USER`). They become
`Secret` values just before a target is spoken to. A `Secret` shows its reference wherever it is printed,
formatted, logged or put into an exception; `reveal()` is called only by drivers and transports.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import NoReturn

SCHEMES = ("env", "file", "keyring")
MASK = "(sensitive value)"
_SHORTEST = 32


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret comes from. `base` is the folder that `file:` paths are relative to."""

    scheme: str
    name: str
    base: str = ""

    def __str__(self) -> str:
        return f"!secret {self.scheme}:{self.name}"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a target reveals of a write-only secret: HMAC-SHA256 of the value under a salt, in hex.

    `digest` may be cut to its first 32 digits or more, where a target has no room for all.
    """

    salt: str = field(repr=False)
    digest: str = field(repr=False)

    def __str__(self) -> str:
        return MASK


class Secret:
    """A value that cannot be shown, compared in time, pickled or copied into text by accident."""

    __slots__ = ("_value", "reference")

    def __init__(self, value: str, reference: SecretRef) -> None:
        self._value = value
        self.reference = reference

    def reveal(self) -> str:
        """The value itself: for the wire only."""
        return self._value

    def matches(self, seen: Fingerprint) -> bool:
        """Is `seen` the fingerprint of this value?"""
        digest = hmac.new(seen.salt.encode(), self._value.encode(), hashlib.sha256).hexdigest()
        return len(seen.digest) >= _SHORTEST and hmac.compare_digest(digest[: len(seen.digest)], seen.digest)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self.reference)

    def __repr__(self) -> str:
        return f"Secret({self.reference})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled")
