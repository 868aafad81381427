"""The fault `rate-limit`: more requests than so many a second are refused, as a real API gateway would."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ivn_provision.lab.fault_list import RATE_PER_SECOND


@dataclass(slots=True)
class RateLimit:
    """A token bucket: `per_second` requests, and as many of them at once. `refused` counts the others."""

    per_second: float = RATE_PER_SECOND
    clock: Callable[[], float] = time.monotonic
    refused: int = 0
    _left: float | None = field(default=None, init=False)
    _seen: float = field(default=0.0, init=False)

    def wait(self) -> int:
        """0 for a request that may come in, else the whole seconds after which it may be tried again."""
        now = self.clock()
        before = self.per_second if self._left is None else self._left
        self._left = min(self.per_second, before + (now - self._seen) * self.per_second)
        self._seen = now
        if self._left >= 1:
            self._left -= 1
            return 0
        self.refused += 1
        return math.ceil((1 - self._left) / self.per_second)
