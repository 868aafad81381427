"""One thread that ends what takes too long, for all connections of the process.

A timer of its own for each operation would be a thread for each request, hundreds a second over a fleet.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Watchdog:
    """Calls back once a time has passed, unless it is called off before. Thread-safe.

    What is called must not wait: the others are behind it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._watched: dict[object, tuple[float, Callable[[], None]]] = {}
        self._wakes_at = float("inf")
        self._runs = False

    def watch(self, seconds: float, bark: Callable[[], None]) -> object:
        """Call `bark` in so many seconds; what is returned calls it off."""
        ends, leash = self._clock() + seconds, object()
        with self._changed:
            self._watched[leash] = (ends, bark)
            if not self._runs:
                self._runs = True
                threading.Thread(target=self._run, name="ivn-watchdog", daemon=True).start()
            elif ends < self._wakes_at:
                self._changed.notify()
        return leash

    def call_off(self, leash: object) -> None:
        """It may bark at this very moment all the same."""
        with self._changed:
            self._watched.pop(leash, None)

    def _run(self) -> None:
        while late := self._wait():
            for bark in late:
                bark()

    def _wait(self) -> list[Callable[[], None]]:
        """Whom to bark at; nobody once there is nothing to watch, which ends the thread."""
        with self._changed:
            while self._watched:
                now = self._clock()
                late = [leash for leash, (ends, _) in self._watched.items() if ends <= now]
                if late:
                    return [self._watched.pop(leash)[1] for leash in late]
                self._wakes_at = min(ends for ends, _ in self._watched.values())
                self._changed.wait(self._wakes_at - now)
            self._wakes_at, self._runs = float("inf"), False
            return []


WATCHDOG = Watchdog()
"""The one of this process."""
