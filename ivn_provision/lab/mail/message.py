"""A mail as the sink took it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Mail:
    """Envelope, sender's address and login, and the bytes as they came. `account` is the site of the login."""

    received_at: datetime
    peer: str
    username: str
    account: str
    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    tls: bool
