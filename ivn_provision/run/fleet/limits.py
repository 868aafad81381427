"""How hard a run over a fleet works at a time: on a network, and on a portal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Condition

from ivn_provision.errors import DeadlineExceeded

WORKERS = 32
PATIENCE_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class FleetLimits:
    """The most at a time. `per_network`: sites of one network segment; those that name none are not counted.
    `per_portal`: requests to one portal under way; `portal_per_second`: requests that begin, of which one second's
    worth may come together. None: as many as there are.
    """

    workers: int = WORKERS
    per_network: int | None = 8
    per_portal: int | None = 8
    portal_per_second: float | None = 50.0


@dataclass(slots=True)
class NetworkGate:
    """Counts the sites of each network that are worked on. Thread-safe.

    Who hands out work asks `try_enter` and lets another site go first; so nobody waits that could run.
    """

    per_network: int | None = None
    _inside: Counter[str] = field(default_factory=Counter, init=False)
    _changed: Condition = field(default_factory=Condition, init=False, repr=False)

    def try_enter(self, networks: Iterable[str]) -> str | None:
        """The first of the networks that has room, with a place taken in it; None if all are full."""
        with self._changed:
            for name in networks:
                if self._has_room(name):
                    self._inside[name] += 1
                    return name
        return None

    def leave(self, network: str) -> None:
        """Give a place back."""
        with self._changed:
            self._inside[network] -= 1
            if not self._inside[network]:
                del self._inside[network]
            self._changed.notify_all()

    @contextmanager
    def network(self, name: str, *, seconds: float = PATIENCE_SECONDS) -> Iterator[None]:
        """Around work on a target, for who has one site only. Raises DeadlineExceeded without a place in time."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._has_room(name), seconds):
                raise DeadlineExceeded(
                    f"no place among the {self.per_network} sites of network {name} within {seconds:g} s",
                    next_step="see which sites of that network take so long, or allow more of them at a time",
                )
            self._inside[name] += 1
        try:
            yield
        finally:
            self.leave(name)

    def _has_room(self, name: str) -> bool:
        return not name or self.per_network is None or self._inside[name] < self.per_network
