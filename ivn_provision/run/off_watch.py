"""The test window of an acceptance: long enough for every mail that may still come, and never closed over one.

Its end is kept by the portal, so it ends even if this machine dies. Times of the test are the portal's: this
machine's clock may be off by a little, and is corrected by what the portal said when it opened the window.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from ivn_provision.drivers.portal.testing_values import TestWindow
from ivn_provision.errors import IvnError, PlanError, Refused
from ivn_provision.verify.drift import moment

SPARE = timedelta(minutes=10)
"""How long the window outlasts the test, for mails that are late."""
LEAST_LEFT = timedelta(minutes=2)
"""So much of it must be left after a pin's own wait, or the pin is not fired."""
LONGEST = timedelta(hours=4)
"""The longest window of the proposed API."""
MOST_OFF = timedelta(minutes=2)
"""A clock that is off by more could end the window too soon."""


class Windows(Protocol):
    """The portal, as far as it opens and closes windows."""

    def open_window(self, run: str, until: datetime, reason: str) -> TestWindow: ...

    def close_window(self, window: str) -> TestWindow: ...


@dataclass(frozen=True, slots=True)
class Closed:
    """How a window was left: `until` is "" if it is closed, else when it ends by itself, and `why`."""

    until: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class OffWatch:
    """An open window of a site. `off` is the portal's clock minus this machine's."""

    windows: Windows
    window: TestWindow
    off: timedelta
    clock: Callable[[], datetime]

    def now(self) -> datetime:
        """By the portal's clock."""
        return self.clock() + self.off

    def has_room(self, seconds: float) -> bool:
        """May something be fired that is waited for so long? This machine may have slept meanwhile."""
        return self.now() + timedelta(seconds=seconds) + LEAST_LEFT <= self.window.until

    def close(self, under_way: Sequence[str]) -> Closed:
        """Close it, unless something that was fired is still under way: after it, that would be a real alarm."""
        until = moment(self.window.until)
        if under_way:
            return Closed(until, ", ".join(under_way))
        try:
            self.windows.close_window(self.window.id)
        except IvnError as error:
            return Closed(until, f"the portal did not confirm that it is closed: {error.summary}")
        return Closed()


def opened(windows: Windows, run: str, seconds: float, clock: Callable[[], datetime]) -> OffWatch:
    """Open a window for a test of so many seconds at most.

    Raises what the portal says, PlanError for a test that is too long, Refused where the clocks differ too much.
    """
    length = timedelta(seconds=seconds) + SPARE
    if length > LONGEST:
        raise PlanError(
            f"the test could take {length.total_seconds() / 3600:.1f} h; a test window lasts 4 h at most",
            next_step="test fewer pins at a time (acceptance.pins), or give people less time (--hardware-wait)",
        )
    before = clock()
    window = windows.open_window(run, before + length, f"acceptance {run}")
    found = OffWatch(windows, window, _off(window.opened_at, before, clock()), clock)
    if abs(found.off) > MOST_OFF:
        found.close(())
        raise Refused(
            f"this machine's clock and the portal's differ by {abs(found.off).total_seconds():.0f} s: the test"
            " window would not end when it should; nothing was fired",
            next_step="set this machine's clock, then run it again",
        )
    return found


def _off(opened_at: datetime, before: datetime, after: datetime) -> timedelta:
    """0 if the portal opened it while it was asked to, by this machine's clock."""
    if opened_at < before:
        return opened_at - before
    return max(opened_at - after, timedelta())
