"""Stops a run from trying a refused account again: a fleet would lock it out in seconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock

from ivn_provision.errors import AuthenticationFailed


@dataclass(slots=True)
class Breaker:
    """Remembers refused credentials by a name of theirs (never their value). Thread-safe."""

    limit: int = 1
    _refused: dict[str, int] = field(default_factory=dict, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    @contextmanager
    def guard(self, credential: str, endpoint: str) -> Iterator[None]:
        """Run a use of `credential`; refuse it without a try once it was refused `limit` times."""
        with self._lock:
            refused = self._refused.get(credential, 0)
        if refused >= self.limit:
            raise AuthenticationFailed(
                f"not tried: {credential} was refused before in this run",
                endpoint=endpoint,
                next_step="correct the account or its secret, then run again",
            )
        try:
            yield
        except AuthenticationFailed:
            with self._lock:
                self._refused[credential] = self._refused.get(credential, 0) + 1
            raise
