"""A deadline that every wait of one operation shares, and one that all operations on a site share."""

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

    def put_off(self, seconds: float) -> None:
        """It ends so much later."""
        self._end += seconds

    def or_sooner(self, other: Deadline) -> Deadline:
        """The one of the two that ends first."""
        return self if self._end <= other._end else other.earlier(0.0)


@dataclass(slots=True)
class SiteDeadline:
    """Gives the deadlines of the operations on one site: `each` seconds for one, `together` for all of them.

    It begins with the first operation. What a site waits for its turn is no operation: see `waited`.
    """

    each: float
    together: float
    clock: Callable[[], float] = time.monotonic
    _whole: Deadline | None = field(default=None, init=False)

    def __call__(self) -> Deadline:
        """For the next operation."""
        if self._whole is None:
            self._whole = Deadline(self.together, self.clock)
        return Deadline(self.each, self.clock).or_sooner(self._whole)

    def waited(self, seconds: float) -> None:
        """The site did nothing for so long."""
        if self._whole is not None:
            self._whole.put_off(seconds)


def exceeded(seconds: float, *, endpoint: str, doing: str) -> DeadlineExceeded:
    """The error for a wait that took too long."""
    what = f" while {doing}" if doing else ""
    return DeadlineExceeded(
        f"no answer within {seconds:g} s{what}",
        endpoint=endpoint,
        next_step="see whether the machine is overloaded or a firewall swallows the traffic; "
        "a longer --deadline helps only the former",
    )
