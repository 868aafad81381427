"""A deadline that every wait of one operation shares."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ivn_provision.errors import DeadlineExceeded


@dataclass(slots=True)
class Deadline:
    """Counts from its making. `clock` gives seconds and never goes back."""

    seconds: float
    clock: Callable[[], float] = time.monotonic
    _end: float = field(init=False)

    def __post_init__(self) -> None:
        self._end = self.clock() + self.seconds

    @property
    def over(self) -> bool:
        return self.clock() >= self._end

    def left(self, *, endpoint: str = "", doing: str = "") -> float:
        """Seconds left, at least 0.1. Raises DeadlineExceeded when they are used up."""
        left = self._end - self.clock()
        if left <= 0:
            raise exceeded(self.seconds, endpoint=endpoint, doing=doing)
        return max(left, 0.1)

    def earlier(self, seconds: float) -> Deadline:
        """The same deadline, that many seconds before: what must end first leaves room for the rest."""
        other = Deadline(self.seconds, self.clock)
        other._end = self._end - seconds
        return other


def exceeded(seconds: float, *, endpoint: str, doing: str) -> DeadlineExceeded:
    """The error for a wait that took too long."""
    what = f" while {doing}" if doing else ""
    return DeadlineExceeded(
        f"no answer within {seconds:g} s{what}",
        endpoint=endpoint,
        next_step="see whether the machine is overloaded or a firewall swallows the traffic; "
        "a longer --deadline helps only the former",
    )
