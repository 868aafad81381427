"""What a camera counts and remembers, so that tests and `lab status` can say what really happened."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(slots=True)
class CameraCounters:
    """Since the start. `requests` are all that came in, `by_path` those after authentication.

    `writes` are changes that were carried out, by SOAP or otherwise, refused ones not; `soap` counts operations.
    """

    connections: int = 0
    connections_refused: int = 0
    requests: int = 0
    authentication_failures: int = 0
    by_path: Counter[str] = field(default_factory=Counter)
    soap: Counter[str] = field(default_factory=Counter)
    writes: int = 0
    writes_by_operation: Counter[str] = field(default_factory=Counter)
    edges: int = 0
    rules_fired: int = 0
    mails_sent: int = 0
    mails_failed: int = 0

    def write(self, operation: str) -> None:
        """Count one change."""
        self.writes += 1
        self.writes_by_operation[operation] += 1


@dataclass(frozen=True, slots=True)
class RequestEntry:
    """One request: no query, no body, no header, so that no secret can stand in it. `operation` is of SOAP or JSON."""

    at: datetime
    method: str
    path: str
    user: str
    status: int
    operation: str = ""


@dataclass(frozen=True, slots=True)
class CameraMail:
    """One mail that a rule tried to send; `error` is empty when the server took it."""

    at: datetime
    rule: str
    recipients: tuple[str, ...]
    server: str
    subject: str
    error: str = ""
