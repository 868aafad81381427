"""One thread barks for all: in time, at the right one, and at nobody who was called off."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ivn_provision.transports.watchdog import Watchdog

LONG, PATIENCE = 600.0, 30.0


def said(seconds: float, word: str, words: list[str], dog: Watchdog) -> threading.Event:
    heard = threading.Event()

    def bark() -> None:
        words.append(word)
        heard.set()

    dog.watch(seconds, bark)
    return heard


def test_an_earlier_end_does_not_wait_for_a_later_one() -> None:
    dog, words = Watchdog(), list[str]()
    late = said(LONG, "late", words, dog)
    assert said(0.05, "second", words, dog).wait(PATIENCE)
    assert said(0.0, "third", words, dog).wait(PATIENCE)
    assert words == ["second", "third"]
    assert not late.is_set()


def test_who_is_called_off_is_not_barked_at() -> None:
    dog, words = Watchdog(), list[str]()
    leash = dog.watch(0.2, lambda: words.append("called off"))
    dog.call_off(leash)
    dog.call_off(leash)
    assert said(0.3, "other", words, dog).wait(PATIENCE)
    assert words == ["other"]


def test_all_that_are_late_are_barked_at() -> None:
    now = [0.0]
    dog, words = Watchdog(lambda: now[0]), list[str]()
    waits = [said(seconds, str(seconds), words, dog) for seconds in (3.0, 1.0, 2.0, LONG)]
    now[0] = 5.0
    assert said(0.0, "wakes it", words, dog).wait(PATIENCE)
    assert all(each.wait(PATIENCE) for each in waits[:3])
    assert not waits[3].is_set()


def test_one_thread_for_many_which_ends_with_them() -> None:
    dog, started, before = Watchdog(), threading.Event(), _watchdogs()
    leashes = [dog.watch(LONG, lambda: None) for _ in range(200)]
    assert _watchdogs() <= before + 1  # another test's may have ended meanwhile
    for leash in leashes:
        dog.call_off(leash)
    dog.watch(0.0, started.set)
    assert started.wait(PATIENCE)
    _until(lambda: not dog._runs)
    assert said(0.0, "again", [], dog).wait(PATIENCE)


def _watchdogs() -> int:
    return sum(each.name == "ivn-watchdog" for each in threading.enumerate())


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)
