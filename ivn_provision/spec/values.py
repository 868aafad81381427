"""Values that several parts of a site are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Computed:
    """A `!ref` to a value that a live system generates: known only after reading it."""

    path: str

    def __str__(self) -> str:
        return f"!ref {self.path}"


@dataclass(frozen=True, slots=True)
class Tls:
    """How a server is verified. `value` is the CA file (absolute) or the SHA-256 fingerprint (hex)."""

    mode: Literal["verify", "ca", "fingerprint", "off"] = "verify"
    value: str = ""
