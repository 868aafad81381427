"""What a lab recorder counts and remembers, so that tests and `lab status` can say what really happened."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(slots=True)
class Counters:
    """Counted since the start. `posts` are WS-Man messages after authentication, not blank ones; `requests` are
    all that came in over HTTP.

    `bytes_in` and `bytes_out` are those of their bodies, sealed or not, and of their answers'.
    """

    connections: int = 0
    requests: int = 0
    authentications: int = 0
    authentication_failures: int = 0
    posts: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    posts_by_action: Counter[str] = field(default_factory=Counter)
    processes: int = 0
    file_writes: int = 0
    service_restarts: int = 0
    mails_sent: int = 0
    mails_failed: int = 0
    events: int = 0


@dataclass(frozen=True, slots=True)
class EventEntry:
    """One event of the recorder: `kind` is `generic`, `input` or `service`."""

    at: datetime
    kind: str
    name: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class MailEntry:
    """One mail that the recorder tried to send; `error` is empty when the server took it."""

    at: datetime
    event: str
    recipients: tuple[str, ...]
    server: str
    error: str = ""
