"""The pace of requests to one portal, by a clock that only sleeping moves."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from ivn_provision.errors import DeadlineExceeded
from ivn_provision.transports.deadline import Deadline, SiteDeadline
from ivn_provision.transports.throttle import SLOWEST, Throttle, retry_after


@dataclass
class Time:
    """A clock; who sleeps moves it."""

    now: float = 100.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def deadline(self, seconds: float = 60.0) -> Deadline:
        return Deadline(seconds, self)


@pytest.fixture
def time() -> Time:
    return Time()


def asked(throttle: Throttle, time: Time, count: int, seconds: float = 60.0) -> list[float]:
    """When each of so many requests began."""
    found = []
    for _ in range(count):
        with throttle.turn(time.deadline(seconds)):
            found.append(round(time.now - 100.0, 6))
    return found


def test_without_a_rate_nobody_waits(time: Time) -> None:
    assert asked(Throttle(clock=time, sleep=time.sleep), time, 100) == [0.0] * 100
    assert time.slept == []


def test_a_rate_lets_a_burst_in_and_then_one_after_the_other(time: Time) -> None:
    throttle = Throttle(2.0, 3, clock=time, sleep=time.sleep)
    assert asked(throttle, time, 6) == [0.0, 0.0, 0.0, 0.5, 1.0, 1.5]
    time.now += 60
    assert asked(throttle, time, 4) == [61.5, 61.5, 61.5, 62.0], "the burst is full again, and no fuller"


def test_a_refusal_makes_everybody_wait_and_then_go_more_slowly(time: Time) -> None:
    throttle = Throttle(clock=time, sleep=time.sleep)
    throttle.pause(7.0)
    first, *others = asked(throttle, time, 4)
    assert first == 7.0
    gaps = [later - earlier for earlier, later in zip([first, *others], others, strict=False)]
    assert all(gap > 0 for gap in gaps)
    assert throttle.refusals == 1


def test_refusals_of_requests_that_were_under_way_together_count_as_one_for_the_pace(time: Time) -> None:
    one, many = (Throttle(clock=time, sleep=time.sleep) for _ in range(2))
    one.pause(1.0)
    for _ in range(30):
        many.pause(1.0)
    assert asked(many, time, 3)[-1] - asked(one, time, 3)[-1] < 0.5


def test_good_answers_bring_the_pace_back(time: Time) -> None:
    throttle = Throttle(clock=time, sleep=time.sleep)
    for _ in range(20):
        throttle.pause(1.0)
        time.now += 1.0
    slow = asked(throttle, time, 2)
    assert slow[1] - slow[0] == pytest.approx(SLOWEST)
    for _ in range(200):
        throttle.answered()
    time.now += SLOWEST
    fast = asked(throttle, time, 2)
    assert fast[1] == fast[0]


def test_a_turn_that_would_come_after_the_deadline_is_refused_at_once(time: Time) -> None:
    throttle = Throttle(clock=time, sleep=time.sleep)
    throttle.pause(30.0)
    with pytest.raises(DeadlineExceeded) as caught, throttle.turn(time.deadline(10.0), "portal:443"):
        pass
    assert time.slept == []
    assert caught.value.endpoint == "portal:443"
    assert caught.value.next_step
    assert asked(throttle, time, 1, 40.0) == [30.0], "and its place is free again"


def test_at_most_so_many_ask_at_once() -> None:
    throttle, inside, most = Throttle(at_once=3), 0, 0
    lock = threading.Lock()

    def ask() -> None:
        nonlocal inside, most
        with throttle.turn(Deadline(30)):
            with lock:
                inside += 1
                most = max(most, inside)
            threading.Event().wait(0.01)
            with lock:
                inside -= 1

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert most == 3


def test_without_a_place_in_time_nobody_asks() -> None:
    throttle = Throttle(at_once=1)
    with ExitStack() as outer:
        outer.enter_context(throttle.turn(Deadline(30)))
        with pytest.raises(DeadlineExceeded), throttle.turn(Deadline(0.05)):
            pass
    with throttle.turn(Deadline(30)):
        pass


@pytest.mark.parametrize(
    ("text", "date", "seconds"),
    [
        ("0", "", 0.0),
        ("12", "", 12.0),
        ("99999999999999999999", "", 3600.0),
        ("Wed, 21 Oct 2026 07:28:30 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", 30.0),
        ("Wed, 21 Oct 2026 07:27:00 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2026 07:28:30 GMT", "", None),
        ("", "", None),
        ("-1", "", None),
        ("1.5", "", None),
        ("\u0661", "", None),
        ("soon", "Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("Wed, 21 Oct 2026 07:28:30 -0000", "Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
def test_retry_after(text: str, date: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": text, "date": date}) == seconds


# The deadline of a site


def test_operations_of_a_site_share_its_deadline(time: Time) -> None:
    site = SiteDeadline(10.0, 25.0, time)
    time.now += 1000  # nothing runs before the first operation
    for _ in range(2):
        assert site().left() == pytest.approx(10.0)
        time.now += 10
    assert site().left() == pytest.approx(5.0)
    time.now += 5
    with pytest.raises(DeadlineExceeded, match="within 25 s"):
        site().left()


def test_what_a_site_waits_for_its_turn_is_no_operation(time: Time) -> None:
    site = SiteDeadline(10.0, 15.0, time)
    assert site().left() == pytest.approx(10.0)
    time.now += 100
    site.waited(100.0)
    assert site().left() == pytest.approx(10.0)
    time.now += 10
    assert site().left() == pytest.approx(5.0)
