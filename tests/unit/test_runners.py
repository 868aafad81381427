"""Runners: every site once, nobody waits for the whole fleet, and no more is ahead than may be."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from threading import Event, Lock
from time import sleep

import pytest

from ivn_provision.run.fleet.limits import FleetLimits
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


# Networks


@dataclass
class Segments:
    """How many sites of each network were worked on at once at most."""

    lock: Lock = field(default_factory=Lock)
    inside: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)

    def enter(self, network: str) -> None:
        with self.lock:
            self.inside[network] += 1
            self.most[network] = max(self.most[network], self.inside[network])

    def leave(self, network: str) -> None:
        with self.lock:
            self.inside[network] -= 1


def in_network(name: str, network: str) -> SiteRef:
    return SiteRef(name, f"{name}.yml", ".", network=network)


def test_a_network_is_worked_on_by_as_many_as_it_bears() -> None:
    seen = Segments()

    def work(ref: SiteRef) -> str:
        seen.enter(ref.network)
        sleep(0.002)
        seen.leave(ref.network)
        return ref.name

    sites = [in_network(f"s{number}", "abc"[number % 3] if number % 4 else "") for number in range(120)]
    runner = Threads(12, limits=FleetLimits(per_network=2))
    assert sorted(runner.run(work, sites)) == sorted(each.name for each in sites)
    assert all(seen.most[name] <= 2 for name in "abc")
    assert seen.most[""] > 2, "who names no network is not counted"


def test_a_full_network_holds_up_no_other() -> None:
    """A hundred sites of a stuck network come first; the others run by nobody's leave but a free worker's."""
    free = Event()
    stuck = [in_network(f"stuck-{number}", "slow") for number in range(100)]
    others = [in_network(f"other-{number}", "") for number in range(50)]

    def work(ref: SiteRef) -> str:
        if ref.network:
            assert free.wait(30)
        return ref.name

    found = []
    for name in Threads(4, limits=FleetLimits(per_network=2)).run(work, [*stuck, *others]):
        found.append(name)
        if len(found) == 50:
            free.set()
    assert all(name.startswith("other") for name in found[:50])
    assert len(found) == 150


def test_the_network_is_asked_for_shortly_before_a_sites_turn() -> None:
    asked, lock = list[str](), Lock()

    def network(ref: SiteRef) -> str:
        with lock:
            asked.append(ref.name)
        return ""

    results = Threads(2, network=network).run(lambda ref: ref.name, refs(100))
    next(results)
    assert len(asked) <= 8
    assert len(list(results)) == 99
