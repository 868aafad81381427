"""`tls:` of any connection, as plain data."""

from __future__ import annotations

from typing import Literal, TypedDict


class TlsFile(TypedDict, total=False):
    ca: str
    fingerprint: str


TlsData = Literal["verify", "off"] | TlsFile
