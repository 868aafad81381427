"""The end-to-end test of a site, in a test window of the portal: fire each pin, watch its alarm arrive.

The window has an end that the portal keeps, so it closes even if this machine dies. It is closed earlier only
when everything that was fired has arrived: a mail that comes after it would be a real alarm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo

from ivn_provision.drivers.portal.testing_values import PortalEvent, ReceivedMail, TestWindow
from ivn_provision.errors import IvnError
from ivn_provision.run.events import Event, Observer, Step
from ivn_provision.spec.site import Site
from ivn_provision.verify.acceptance.record import (
    Record,
    Terms,
    entry_delay,
    judged,
    read,
    still_to_come,
)
from ivn_provision.verify.acceptance.shots import Shot
from ivn_provision.verify.drift import moment
from ivn_provision.verify.result import Found, Result, State

POLL_SECONDS = 0.25
SETTLE_SECONDS = 2.0
"""After the last mail, for one too many."""
CLIP_SECONDS = 10.0
"""Beyond the clip's own end, for the portal to fetch it."""
SPARE = timedelta(minutes=10)
"""How long the window outlasts the test, for mails that are late."""


class Tester(Protocol):
    """The portal, as an acceptance uses it (drivers/portal/testing.py)."""

    def open_window(self, run: str, until: datetime, reason: str) -> TestWindow: ...

    def close_window(self, window: str) -> TestWindow: ...

    def latest_event_id(self) -> int: ...

    def events_after(self, event: int) -> tuple[PortalEvent, ...]: ...

    def mail_of(self, event: int) -> ReceivedMail: ...


class Trigger(Protocol):
    """Fires pins. `fire` returns when it was fired; `can` says why it cannot, "" if it can."""

    def can(self, shot: Shot) -> str: ...

    def seconds_for(self, shot: Shot) -> float:
        """How long a person may take to trip it; 0 for what the tool fires itself."""
        ...

    def fire(self, shot: Shot) -> None: ...


@dataclass(frozen=True, slots=True)
class Time:
    """The machine's clock (UTC), and a wait in seconds."""

    now: Callable[[], datetime]
    sleep: Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What came of it. `window_until` is set where the window stays open for mails that may still come.
    `stopped`: a person ended it before every pin was fired."""

    site: str
    run: str
    began: datetime
    ended: datetime
    records: tuple[Record, ...]
    results: tuple[Result, ...]
    window_until: str = ""
    stopped: bool = False

    @property
    def passed(self) -> bool:
        """Did at least one pin pass, and nothing fail or stay open?"""
        states = {each.state for each in self.results}
        return not self.stopped and State.PASS in states and not states & {State.FAIL, State.INCONCLUSIVE}

    @property
    def is_good(self) -> bool:
        """May a change stay that was tested so? At least one alarm arrived, and none failed."""
        return not self.failed and any(
            each.state is State.PASS and each.check == "pin" for each in self.results
        )

    @property
    def why(self) -> str:
        """The first thing that is wrong, in words."""
        if not self.failed:
            return "no pin could be fired"
        first, more = self.failed[0], len(self.failed) - 1
        text = f"{first.found.subject} {first.found.evidence}".strip()
        return f"{text} (and {more} more)" if more else text

    @property
    def failed(self) -> tuple[Result, ...]:
        return tuple(each for each in self.results if each.state is State.FAIL)


@dataclass(slots=True)
class Accepting:
    """One acceptance of one site."""

    site: Site
    run: str
    shots: Sequence[Shot]
    terms: Terms
    tester: Tester
    trigger: Trigger
    time: Time
    observer: Observer
    stopping: Callable[[], bool] = lambda: False
    records: list[Record] = field(default_factory=list)
    extra: list[tuple[str, Found]] = field(default_factory=list)
    fired_twice: set[str] = field(default_factory=set)
    stopped: bool = False

    def go(self) -> Acceptance:
        """Raises what the portal says where no window is opened: then nothing is fired."""
        began = self.time.now()
        window = self.tester.open_window(self.run, self._until(began), f"acceptance {self.run}")
        stays = ""
        try:
            self._fire_all(self.tester.latest_event_id())
        finally:
            stays = self._close(window)
        return self._acceptance(began, stays)

    def _until(self, now: datetime) -> datetime:
        waits = sum(self.terms.within_seconds + self.trigger.seconds_for(each) for each in self.shots)
        return now + timedelta(seconds=waits + CLIP_SECONDS + SETTLE_SECONDS) + SPARE

    def _close(self, window: TestWindow) -> str:
        """Until when the window stays open; "" if it is closed."""
        if still_to_come(self.records):
            return moment(window.until)
        try:
            self.tester.close_window(window.id)
        except IvnError:
            return moment(window.until)  # the portal ends it then
        return ""

    def _fire_all(self, baseline: int) -> None:
        for shot in self.shots:
            self.stopped = self.stopped or self.stopping()
            self.records.append(
                Record(shot, skipped="the test was stopped before it was fired")
                if self.stopped
                else self._one(shot, baseline)
            )
        try:
            if not self.stopped:
                self._at_once(baseline)
            self._settle(baseline)
        except IvnError as error:
            self.extra.append(("portal", Found(State.FAIL, error.summary, error.next_step)))

    def _one(self, shot: Shot, baseline: int) -> Record:
        if reason := self.trigger.can(shot):
            return Record(shot, skipped=reason)
        self.observer.notify(Event(self.site.name, Step.FIRING, text=shot.name))
        fired_at = self.time.now()
        seconds = self.terms.within_seconds + self.trigger.seconds_for(shot)
        record = Record(shot, fired_at)
        try:
            self.trigger.fire(shot)
            event = self._wait_for(shot, baseline, seconds)
            if event is None:
                return record
            self.observer.notify(Event(self.site.name, Step.ARRIVED, text=shot.name))
            return self._read(replace(record, events=(event,)))
        except IvnError as error:
            return replace(record, error=error.summary)

    def _read(self, record: Record) -> Record:
        if record.shot.source == "hardware" and self.trigger.seconds_for(record.shot):
            # a person tripped it at some time: its arrival is what is known, and the mail's time is judged by that
            record = replace(record, fired_at=record.events[0].received_at, by_person=True)
        return read(record, self.tester.mail_of(record.events[0].id), self.terms)

    def _wait_for(self, shot: Shot, baseline: int, seconds: float) -> PortalEvent | None:
        """The first new event of the pin; or one that cannot be anything else: it names no pin at all."""
        end = self.time.now() + timedelta(seconds=seconds)
        taken = {event.id for record in self.records for event in record.events}
        while True:
            fresh = [each for each in self.tester.events_after(baseline) if each.id not in taken]
            mine = [each for each in fresh if _is_of(each, shot)] or [
                each for each in fresh if each.pin is None
            ]
            if mine:
                return min(mine, key=lambda each: each.id)
            if self.time.now() >= end:
                return None
            self.time.sleep(POLL_SECONDS)

    def _at_once(self, baseline: int) -> None:
        """Two pins at a time give two mails (row 13): a minimum interval would swallow one of them."""
        pair = [
            each.shot for each in self.records if each.events and not self.trigger.seconds_for(each.shot)
        ][:2]
        if len(pair) < 2 or pair[0].pin == pair[1].pin:
            return
        try:
            last = max((each.id for each in self.tester.events_after(baseline)), default=baseline)
            for shot in pair:
                self.trigger.fire(shot)
                self.fired_twice.add(shot.name)
            missing = [shot.name for shot in pair if self._later(shot, last) is None]
        except IvnError as error:
            self.extra.append(("two-at-once", Found(State.FAIL, error.summary, "run it again")))
            return
        names = " and ".join(each.name for each in pair)
        self.extra.append(
            (
                "two-at-once",
                Found(
                    State.FAIL,
                    f"of {names}, fired together, there is no mail for {', '.join(missing)}",
                    _INTERVAL,
                )
                if missing
                else Found(State.PASS, f"{names} fired together gave two mails"),
            )
        )

    def _later(self, shot: Shot, last: int) -> PortalEvent | None:
        end = self.time.now() + timedelta(seconds=self.terms.within_seconds)
        while True:
            found = next((each for each in self.tester.events_after(last) if _is_of(each, shot)), None)
            if found is not None or self.time.now() >= end:
                return found
            self.time.sleep(POLL_SECONDS)

    def _settle(self, baseline: int) -> None:
        """Wait for a mail too many and for clips; then every event as it is at the end."""
        self.time.sleep(SETTLE_SECONDS)
        end = self.time.now() + timedelta(seconds=CLIP_SECONDS)
        while True:
            events = self.tester.events_after(baseline)
            pending = any(clip.status == "pending" for each in events for clip in each.clips)
            if not pending or self.time.now() >= end:
                break
            self.time.sleep(POLL_SECONDS)
        self.records = [self._with_events(each, events) for each in self.records]

    def _with_events(self, record: Record, events: Sequence[PortalEvent]) -> Record:
        """All events of the pin; one that was fired a second time has one more."""
        if not record.events:
            return record
        mine = [each for each in events if each.id == record.events[0].id or _is_of(each, record.shot)]
        mine.sort(key=lambda each: each.id)
        if record.shot.name in self.fired_twice and len(mine) > 1:
            mine.pop()
        return replace(record, events=tuple(mine))

    def _acceptance(self, began: datetime, stays: str) -> Acceptance:
        found = [("pin", one) for record in self.records for one in judged(record, self.terms)]
        found += [("entry-delay", each) for each in entry_delay(self.records)]
        found += self.extra
        if stays:
            names = ", ".join(still_to_come(self.records)) or "the portal did not close it"
            found.append(
                ("window", Found(State.WARN, f"the test window stays open until {stays}: {names}", _STAYS))
            )
        else:
            found.append(("window", Found(State.PASS, "the test window is closed")))
        results = tuple(
            Result(self.site.name, check, _TITLES[check], _REFS[check], "site", one) for check, one in found
        )
        now = self.time.now()
        return Acceptance(
            self.site.name, self.run, began, now, tuple(self.records), results, stays, self.stopped
        )


_TITLES = {
    "pin": "The pin's alarm arrives",
    "two-at-once": "Two alarms at a time both arrive",
    "entry-delay": "A perimeter alarm ends the hold of an entry delay",
    "portal": "The portal answers to the end",
    "window": "The test window is closed",
}
_REFS: dict[str, tuple[str, ...]] = {
    "pin": ("R-53", "R-83"),
    "two-at-once": ("row 13",),
    "entry-delay": ("R-80", "R-81", "R-82"),
    "portal": ("row 10",),
    "window": ("row 38",),
}
_INTERVAL = "is a minimum time between mails set on the recorder (`Ignore similar messages for`), or does a relay limit them?"
_STAYS = "a mail that comes later is no real alarm until then; find out where it stays"


def _is_of(event: PortalEvent, shot: Shot) -> bool:
    return event.pin == shot.pin and event.source == shot.source


def zone_of(site: Site) -> tzinfo:
    """The recorder's local time; UTC where the site file says none."""
    return ZoneInfo(site.time_zone) if site.time_zone else UTC
