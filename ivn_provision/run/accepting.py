"""The end-to-end test of a site, in a test window of the portal: fire each pin, watch its alarm arrive.

The window has an end that the portal keeps, so it closes even if this machine dies (off_watch.py). It is closed
earlier only when everything that was fired has arrived: a mail that comes after it would be a real alarm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo

from ivn_provision.drivers.portal.testing_values import PortalEvent, ReceivedMail
from ivn_provision.errors import DeadlineExceeded, IvnError, Refused, TargetError, Uncertain
from ivn_provision.run.events import Event, Observer, Step
from ivn_provision.run.off_watch import Closed, OffWatch, Windows, opened
from ivn_provision.run.watching import EventLog, Time, Watch, watch
from ivn_provision.spec.site import Site
from ivn_provision.verify.acceptance.record import Record, Terms, entry_delay, judged, read
from ivn_provision.verify.acceptance.results import is_of, of_two, of_window, others, results_of
from ivn_provision.verify.acceptance.shots import Shot
from ivn_provision.verify.result import Found, Result, State

_PERHAPS = (Uncertain, DeadlineExceeded)
"""After these nobody knows whether the recorder was reached: the mail may come."""
SETTLE_SECONDS = 2.0
"""After the last mail, for one too many."""
CLIP_SECONDS = 10.0
"""After the last mail, for the portal to fetch its video."""


class Tester(Windows, EventLog, Protocol):
    """The portal, as an acceptance uses it (drivers/portal/testing.py)."""

    def mail_of(self, event: int) -> ReceivedMail: ...


class Trigger(Protocol):
    """Fires pins. `can` says why it cannot fire one, "" if it can."""

    def can(self, shot: Shot) -> str: ...

    def seconds_for(self, shot: Shot) -> float:
        """How long a person may take to trip it; 0 for what the tool fires itself."""
        ...

    def by(self, shot: Shot) -> str:
        """Who trips the input, for people; "" for a soft trigger."""
        ...

    def fire(self, *shots: Shot) -> None:
        """Returns when they were fired. Raises Uncertain or DeadlineExceeded where nobody knows, and another
        TargetError where they surely were not."""
        ...


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
        """Did at least one alarm arrive, and was nothing wrong or left open?"""
        states = {each.state for each in self.results}
        return not self.stopped and self._arrived and not states & {State.FAIL, State.INCONCLUSIVE}

    @property
    def is_good(self) -> bool:
        """May a change stay that was tested so? At least one alarm arrived, and none failed."""
        return not self.failed and self._arrived

    @property
    def _arrived(self) -> bool:
        good = {State.PASS, State.WARN}
        return any(each.check == "pin" and each.state in good for each in self.results)

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
    """One acceptance of one site. `under_way` counts the mails of each pin that may still come."""

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
    under_way: Counter[str] = field(default_factory=Counter)
    after: dict[str, int] = field(default_factory=dict)
    pair: tuple[Shot, ...] = ()
    pair_after: int = 0
    ended: str = ""
    recorder_down: bool = False
    stopped: bool = False

    def go(self) -> Acceptance:
        """Raises what the portal says where no window is opened: then nothing is fired.

        What goes wrong after that ends the test, and is in its results.
        """
        began = self.time.now()
        if all(self.trigger.can(each) for each in self.shots):
            self.records = [Record(each, skipped=self.trigger.can(each)) for each in self.shots]
            return self._acceptance(began, None)
        window = opened(self.tester, self.run, self._seconds(), self.time.now)
        closed = Closed()
        try:
            self._test(window)
        finally:
            closed = window.close([name for name, count in self.under_way.items() if count > 0])
        return self._acceptance(began, closed)

    def _seconds(self) -> float:
        """The longest that it may take: each pin in turn, two at once, and the clips."""
        waits = sum(map(self._seconds_of, self.shots))
        return waits + self.terms.within_seconds + CLIP_SECONDS + SETTLE_SECONDS

    def _seconds_of(self, shot: Shot) -> float:
        return self.terms.within_seconds + self.trigger.seconds_for(shot)

    def _test(self, window: OffWatch) -> None:
        try:
            seen = watch(self.tester, self.time, window.window.opened_at)
        except TargetError as error:
            self._portal_failed(error)
            self.records = [Record(each, skipped=self.ended) for each in self.shots]
            return
        for shot in self.shots:
            reason = self._why_not(shot, window)
            self.records.append(Record(shot, skipped=reason) if reason else self._one(shot, window, seen))
        try:
            self._fire_two(window, seen)
            self._settle(seen)
        except TargetError as error:
            self._portal_failed(error)

    def _portal_failed(self, error: TargetError) -> None:
        if not any(check == "portal" for check, _ in self.extra):
            self.extra.append(("portal", Found(State.FAIL, error.summary, error.next_step)))
        self.ended = self.ended or "not fired: the portal does not answer"

    def _why_not(self, shot: Shot, window: OffWatch) -> str:
        if self.stopping():
            self.stopped = True
            self.ended = "not fired: the test was stopped before"
        if not self.ended and not window.has_room(self._seconds_of(shot)):
            self.ended = "not fired: the test window would have ended too soon"
        if self.recorder_down and shot.source == "soft":
            return "not fired: the recorder does not answer"
        return self.ended or self.trigger.can(shot)

    def _one(self, shot: Shot, window: OffWatch, seen: Watch) -> Record:
        self.observer.notify(Event(self.site.name, Step.FIRING, text=shot.name))
        self.after[shot.name] = seen.newest
        began, person = self.time.now(), self.trigger.seconds_for(shot)
        record = Record(shot, window.now(), by_person=person > 0, by=self.trigger.by(shot))
        error = self._fire(shot)
        if error is not None:
            record = _failed(record, error)
            if not isinstance(error, _PERHAPS):
                self._note_recorder(shot, down=not isinstance(error, Refused))
                return record
        record = replace(record, fired_until=window.now())
        person -= min(person, (self.time.now() - began).total_seconds())
        try:
            found = self._arrival(shot, seen, self.terms.within_seconds + person)
        except TargetError as lost:
            self._portal_failed(lost)
            return _failed(record, lost)
        if found is None:
            self._note_recorder(shot, down=error is not None)
            return record
        self.under_way[shot.name] -= 1
        self.observer.notify(Event(self.site.name, Step.ARRIVED, text=shot.name))
        return replace(record, events=(found,), error="", remedy="")

    def _note_recorder(self, shot: Shot, *, down: bool) -> None:
        """An input goes through a person or a camera: that says nothing of the recorder."""
        if shot.source == "soft":
            self.recorder_down = down

    def _fire(self, *shots: Shot) -> TargetError | None:
        """Noted as under way first: whatever happens meanwhile, the window outlasts it."""
        names = [each.name for each in shots]
        self.under_way.update(names)
        try:
            self.trigger.fire(*shots)
        except _PERHAPS as error:
            return error
        except TargetError as error:
            self.under_way.subtract(names)
            return error
        return None

    def _arrival(self, shot: Shot, seen: Watch, seconds: float) -> PortalEvent | None:
        """The first new event of the pin, or one that names no pin; at the last, one of a pin that nobody fired."""
        taken = {event.id for record in self.records for event in record.events}
        fresh: list[PortalEvent] = []

        def mine(events: Sequence[PortalEvent]) -> PortalEvent | None:
            fresh[:] = [each for each in events if each.id > self.after[shot.name] and each.id not in taken]
            own = [each for each in fresh if is_of(each, shot)]
            return next(iter([*own, *(each for each in fresh if each.pin is None)]), None)

        by_person = self.trigger.seconds_for(shot) > 0
        found = seen.until(mine, seconds, self.stopping if by_person else lambda: False)
        strange = (each for each in fresh if not any(is_of(each, other) for other in self.shots))
        return found or next(strange, None)

    def _fire_two(self, window: OffWatch, seen: Watch) -> None:
        """Two pins at a time give two mails (row 13): a minimum interval would swallow one of them."""
        self.stopped = self.stopped or self.stopping()
        if self.stopped or self.ended:
            return
        soft = [each.shot for each in self.records if each.shot.source == "soft" and each.events]
        if len(soft) < 2:
            why = "two at once not tried: it takes two soft triggers whose alarms arrive one by one"
            self.extra.append(("two-at-once", Found(State.SKIPPED, why)))
            return
        if not window.has_room(self.terms.within_seconds):
            return
        self.pair_after = seen.newest
        error = self._fire(*soft[:2])
        if error is not None and not isinstance(error, _PERHAPS):
            self.extra.append(("two-at-once", Found(State.FAIL, error.summary, error.next_step)))
            return
        self.pair = tuple(soft[:2])
        names = {each.name for each in self.pair}
        seen.until(lambda events: names <= self._of_pair(events).keys() or None, self.terms.within_seconds)

    def _of_pair(self, events: Sequence[PortalEvent]) -> Counter[str]:
        """How many mails of each of the two came after they were fired together."""
        late = [each for each in events if each.id > self.pair_after]
        return Counter(shot.name for shot in self.pair for each in late if is_of(each, shot))

    def _settle(self, seen: Watch) -> None:
        """Wait for a mail too many and for clips; then every event as it is at the end. What could not be read
        is read once more then."""
        once = [self._read(each) for each in self.records]
        self.records = [
            each if each.mail else before for each, before in zip(once, self.records, strict=True)
        ]
        settled, latest = self.time.now(), seen.newest

        def enough(events: Sequence[PortalEvent]) -> bool | None:
            nonlocal settled, latest
            if seen.newest > latest:
                settled, latest = self.time.now(), seen.newest
            quiet = (self.time.now() - settled).total_seconds() >= SETTLE_SECONDS
            pending = any(clip.status == "pending" for each in events for clip in each.clips)
            return True if quiet and not pending else None

        clips = 0.0 if self.ended else CLIP_SECONDS
        seen.until(enough, SETTLE_SECONDS + clips, self.stopping)
        self._conclude(seen.events())

    def _conclude(self, events: Sequence[PortalEvent]) -> None:
        self.records = [self._read(self._with_events(each, events)) for each in self.records]
        self.extra += [("others", each) for each in others(events, self.records, self.pair)]
        if not self.pair:
            return
        counts = self._of_pair(events)
        self.under_way.subtract({name: min(count, 1) for name, count in counts.items()})
        missing = [each.name for each in self.pair if not counts[each.name]]
        self.extra.append(("two-at-once", of_two(self.pair, counts.total(), missing)))

    def _with_events(self, record: Record, events: Sequence[PortalEvent]) -> Record:
        """All events of the pin until two were fired together; a mail that came too late for its pin included."""
        if record.fired_at is None:
            return record
        first = {each.id for each in record.events}
        mine = [each for each in events if each.id in first or is_of(each, record.shot)]
        if self.pair:
            mine = [each for each in mine if each.id <= self.pair_after or record.shot not in self.pair]
        if not first:
            mine = [each for each in mine if each.id > self.after[record.shot.name]]
            if mine:
                self.under_way[record.shot.name] -= 1
                record = replace(record, error="", remedy="")
        return replace(record, events=tuple(sorted(mine, key=lambda each: each.id)))

    def _read(self, record: Record) -> Record:
        if not record.events or record.mail is not None or record.error:
            return record
        try:
            return read(record, self.tester.mail_of(record.events[0].id), self.terms)
        except TargetError as error:
            return _failed(record, error)

    def _acceptance(self, began: datetime, closed: Closed | None) -> Acceptance:
        """`closed` is None where no window was opened."""
        found = [("pin", one) for record in self.records for one in judged(record, self.terms)]
        found += [("entry-delay", each) for each in entry_delay(self.records)]
        found += self.extra
        if closed is not None:
            found.append(("window", of_window(closed.until, closed.why)))
        results = results_of(self.site.name, found)
        now, until = self.time.now(), closed.until if closed else ""
        return Acceptance(
            self.site.name, self.run, began, now, tuple(self.records), results, until, self.stopped
        )


def _failed(record: Record, error: IvnError) -> Record:
    return replace(record, error=error.summary, remedy=error.next_step)


def zone_of(site: Site) -> tzinfo:
    """The recorder's local time; UTC where the site file says none."""
    return ZoneInfo(site.time_zone) if site.time_zone else UTC
