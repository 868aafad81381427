"""Runners: every site once, nobody waits for the whole fleet, and no more is ahead than may be."""

from __future__ import annotations

from threading import Event, Lock

import pytest

from ivn_provision.run.fleet.refs import SiteRef
from ivn_provision.run.fleet.runners import Inline, Runner, Threads


def refs(count: int) -> list[SiteRef]:
    return [SiteRef(f"site-{number}", f"site-{number}.yml", ".") for number in range(count)]


@pytest.mark.parametrize("runner", [Inline(), Threads(1), Threads(7)])
@pytest.mark.parametrize("count", [0, 1, 50])
def test_every_site_is_worked_on_once(runner: Runner, count: int) -> None:
    lock, seen = Lock(), list[str]()

    def work(ref: SiteRef) -> str:
        with lock:
            seen.append(ref.name)
        return ref.name

    wanted = sorted(each.name for each in refs(count))
    assert sorted(runner.run(work, refs(count))) == wanted
    assert sorted(seen) == wanted


def test_one_slow_site_holds_up_nobody() -> None:
    free = Event()

    def work(ref: SiteRef) -> str:
        if ref.name == "site-0":
            assert free.wait(30)
        return ref.name

    found = []
    for name in Threads(2).run(work, refs(20)):
        found.append(name)
        if len(found) == 19:
            free.set()
    assert found[-1] == "site-0"


def test_results_that_nobody_takes_do_not_pile_up() -> None:
    lock, begun = Lock(), list[str]()

    def work(ref: SiteRef) -> str:
        with lock:
            begun.append(ref.name)
        return ref.name

    results = Threads(3).run(work, refs(100))
    next(results)
    assert len(begun) <= 12
    assert len(list(results)) == 99
