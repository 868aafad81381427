"""How fast one portal is asked: shared by all who ask it, so that a refusal of one makes the others wait too.

A portal that has enough answers 429, or 503 where it is overloaded, and says with `Retry-After` when to come back
(RFC 9110, 10.2.3; RFC 6585, 4). Then nobody asks until that time, and from then on more slowly than before.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

from ivn_provision.errors import DeadlineExceeded
from ivn_provision.transports.deadline import Deadline

DEFAULT_SECONDS = 1.0
"""For a 429 without a `Retry-After`."""
LONGEST_SECONDS = 3600.0
SLOWEST = 1.0
_FIRST_GAP = 0.05
_FASTER = 0.9


@dataclass(slots=True)
class Throttle:
    """Gives turns to ask. Thread-safe. `sleep` is called without a lock.

    At most `at_once` have a turn, and at most `per_second` begin one in a second, of which `burst` may come
    together; None for any number. After each refusal turns begin at twice the distance, at most `SLOWEST`
    seconds; with each good answer the distance falls again.
    """

    per_second: float | None = None
    burst: int = 1
    at_once: int | None = None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    refusals: int = field(default=0, init=False)
    _gap: float = field(default=0.0, init=False)
    _next: float = field(default=float("-inf"), init=False)
    _full_at: float = field(default=float("-inf"), init=False)
    _paused_until: float = field(default=float("-inf"), init=False)
    _inside: int = field(default=0, init=False)
    _changed: threading.Condition = field(default_factory=threading.Condition, init=False, repr=False)

    @contextmanager
    def turn(self, deadline: Deadline, endpoint: str = "") -> Iterator[None]:
        """Around one request. Raises DeadlineExceeded where no turn comes before the deadline."""
        self._enter(deadline, endpoint)
        try:
            self._pace(deadline, endpoint)
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify()

    def pause(self, seconds: float) -> None:
        """The portal refused a request: nobody asks for so long."""
        now = self.clock()
        with self._changed:
            self.refusals += 1
            if now >= self._paused_until:  # those that were under way together are one refusal
                self._gap = min(max(2 * self._gap, _FIRST_GAP), SLOWEST)
            self._paused_until = max(self._paused_until, now + seconds)

    def answered(self) -> None:
        """The portal took a request."""
        with self._changed:
            self._gap = self._gap * _FASTER if self._gap > _FIRST_GAP / 10 else 0.0

    def _enter(self, deadline: Deadline, endpoint: str) -> None:
        with self._changed:
            while self.at_once is not None and self._inside >= self.at_once:
                if deadline.over:
                    raise _no_turn(deadline, endpoint)
                self._changed.wait(deadline.left())
            self._inside += 1

    def _pace(self, deadline: Deadline, endpoint: str) -> None:
        """Sleep until it is our time; a pause that comes meanwhile counts too."""
        while (seconds := self._until_our_time()) > 0:
            if deadline.over or seconds > deadline.left():
                raise _no_turn(deadline, endpoint)
            self.sleep(seconds)

    def _until_our_time(self) -> float:
        """0.0 takes the time; anything else is how long to sleep before asking again."""
        now = self.clock()
        with self._changed:
            at = max(self._paused_until, self._next, self._free_at(now))
            if at > now:
                return at - now
            self._next = now + self._gap
            if self.per_second is not None:
                self._full_at = max(self._full_at, now) + 1 / self.per_second
            return 0.0

    def _free_at(self, now: float) -> float:
        """The bucket as a time: it is full again at `_full_at`, and `burst` requests fit into a full one."""
        return now if self.per_second is None else self._full_at - (self.burst - 1) / self.per_second


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds of `Retry-After`, at most an hour; None where it is absent or no time.

    A date is measured by the `Date` of the same answer: both are of the portal's clock.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_SECONDS)
    try:
        then, now = parsedate_to_datetime(text), parsedate_to_datetime(headers.get("date", ""))
        return min(max((then - now).total_seconds(), 0.0), LONGEST_SECONDS)
    except (ValueError, TypeError, OverflowError):
        return None


def _no_turn(deadline: Deadline, endpoint: str) -> DeadlineExceeded:
    return DeadlineExceeded(
        f"no turn to ask within {deadline.seconds:g} s: the portal is asked by too many at once, or refuses requests",
        endpoint=endpoint,
        next_step="run over fewer sites at a time, or with a longer --deadline",
    )
