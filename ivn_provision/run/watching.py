"""Looks for events of a site in the portal, again and again, for a limited time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from ivn_provision.drivers.portal.testing_values import PortalEvent
from ivn_provision.errors import AuthenticationFailed, TargetError

POLL_SECONDS = 0.2
T = TypeVar("T")
Events = tuple[PortalEvent, ...]


class EventLog(Protocol):
    """The portal, as far as it lists events."""

    def latest_event_id(self) -> int: ...

    def events_after(self, event: int) -> Events: ...


@dataclass(frozen=True, slots=True)
class Time:
    """The machine's clock (UTC), and a wait in seconds."""

    now: Callable[[], datetime]
    sleep: Callable[[float], None]


@dataclass(slots=True)
class Watch:
    """`began` is the newest event before the test, `newest` the newest that was seen. What arrived before `since`
    is of no interest: a portal may show an event late."""

    portal: EventLog
    time: Time
    since: datetime
    began: int
    newest: int

    def until(
        self, enough: Callable[[Events], T | None], seconds: float, stop: Callable[[], bool] = lambda: False
    ) -> T | None:
        """What `enough` makes of the events since the test began, as soon as that is something; None after so
        many seconds, or once `stop` says so.

        A portal that does not answer is asked again. Raises TargetError if it did not at the last.
        """
        end = self.time.now() + timedelta(seconds=seconds)
        for _ in range(int(seconds / POLL_SECONDS) + 2):  # a clock that is set back lengthens nothing
            is_last = self.time.now() >= end or stop()
            try:
                found = enough(self.events())
            except AuthenticationFailed:
                raise
            except TargetError:
                if is_last:
                    raise
                found = None
            if found is not None or is_last:
                return found
            self.time.sleep(POLL_SECONDS)
        return None

    def events(self) -> Events:
        """Those since the test began, oldest first. Raises TargetError."""
        found = tuple(each for each in self.portal.events_after(self.began) if each.received_at >= self.since)
        self.newest = max((self.newest, *(each.id for each in found)))
        return found


def watch(portal: EventLog, time: Time, since: datetime) -> Watch:
    """From now on. Raises TargetError."""
    newest = portal.latest_event_id()
    return Watch(portal, time, since, newest, newest)
