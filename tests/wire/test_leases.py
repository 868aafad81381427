"""One writer of a site at a time: on both targets, by the targets' own clocks, and what the portal says of it."""

from __future__ import annotations

import re
import threading
from datetime import timedelta

import pytest

from ivn_provision.drivers.portal.objects import holding_of
from ivn_provision.errors import IvnError, LeaseHeld
from ivn_provision.model.live import Holding
from ivn_provision.strict_json import WrongShape
from tests.support.benches import SECONDS, SITE, TARGETS, Bench, Tool, moment, ready

# Leases


@pytest.mark.parametrize("target", TARGETS)
def test_one_of_two_writers_gets_the_site(bench: Bench, target: str) -> None:
    first, second = bench.tool(), bench.tool()
    assert bench.lease(target) is None
    first.hold(target)
    with pytest.raises(LeaseHeld) as caught:
        second.hold(target)
    error = caught.value
    held = bench.lease(target)
    assert held is not None
    assert (error.owner, error.run, error.expires_at) == (held.owner, held.run, held.expires_at)
    assert (held.owner, held.run, held.expired) == (first.owner, first.run, False)
    left = moment(held.expires_at) - bench.clock()
    assert timedelta(seconds=SECONDS - 2) <= left <= timedelta(seconds=SECONDS)
    assert first.owner in str(error)
    assert error.next_step
    first.release(target)
    assert bench.lease(target) is None
    second.hold(target)


@pytest.mark.parametrize("target", TARGETS)
def test_a_lease_that_expired_is_shown_and_taken_over(bench: Bench, target: str) -> None:
    first, second = bench.tool(), bench.tool()
    first.hold(target)
    bench.clock.move(SECONDS - 5)
    with pytest.raises(LeaseHeld):
        second.hold(target)
    bench.clock.move(6)
    held = bench.lease(target)
    assert held is not None
    assert (held.run, held.expired) == (first.run, True)
    second.hold(target)
    taken = bench.lease(target)
    assert taken is not None
    assert (taken.run, taken.expired) == (second.run, False)
    with pytest.raises(LeaseHeld, match=re.escape(second.run)):
        first.hold(target)


@pytest.mark.parametrize("target", TARGETS)
def test_the_same_run_renews(bench: Bench, target: str) -> None:
    first = bench.tool()
    first.hold(target)
    before = bench.lease(target)
    bench.clock.move(100)
    first.hold(target)
    after = bench.lease(target)
    assert before is not None
    assert after is not None
    gained = moment(after.expires_at) - moment(before.expires_at)
    assert timedelta(seconds=99) <= gained <= timedelta(seconds=101)


@pytest.mark.parametrize("target", TARGETS)
def test_a_release_never_takes_anothers(bench: Bench, target: str) -> None:
    first, second = bench.tool(), bench.tool()
    second.release(target)
    first.hold(target)
    second.release(target)
    held = bench.lease(target)
    assert held is not None
    assert held.run == first.run
    first.release(target)
    first.release(target)


@pytest.mark.parametrize("target", TARGETS)
def test_of_many_at_once_exactly_one_wins(bench: Bench, target: str) -> None:
    tools = [bench.tool() for _ in range(4)]
    start, ends = threading.Barrier(len(tools)), dict[str, IvnError | None]()

    def try_it(tool: Tool) -> None:
        start.wait()
        try:
            tool.hold(target)
            ends[tool.run] = None
        except IvnError as error:
            ends[tool.run] = error

    threads = [threading.Thread(target=try_it, args=[tool]) for tool in tools]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    (winner,) = [run for run, error in ends.items() if error is None]
    losers = [error for error in ends.values() if error is not None]
    assert [(type(each), each.run) for each in losers if isinstance(each, LeaseHeld)] == [
        (LeaseHeld, winner)
    ] * 3


def test_a_reading_shows_leases_for_free(bench: Bench) -> None:
    """Nothing more on the wire; only for a site that the portal does not have one request more."""
    lab = bench.world.lab
    bench.tool().hold("nvr")
    for target, count in {"nvr": 1, "portal": 3}.items():
        before = (lab.nvr(SITE).counters.processes, lab.portal.counters.requests)
        bench.holding(target)
        after = (lab.nvr(SITE).counters.processes, lab.portal.counters.requests)
        assert sum(after) - sum(before) == count
    bench.tool().apply("portal")
    requests = lab.portal.counters.requests
    assert bench.lease("portal") is None
    assert lab.portal.counters.requests - requests == 2


def test_hold_release_and_put_back_are_one_process_each(bench: Bench) -> None:
    tool, counters = bench.tool(), bench.world.lab.nvr(SITE).counters
    writer = tool.writers["nvr"]
    for act in (lambda: tool.hold("nvr"), lambda: writer.put_back(tool.run), lambda: tool.release("nvr")):
        before = counters.processes
        act()
        assert counters.processes == before + 1


def test_a_damaged_lease_is_said_and_counts_as_none(bench: Bench) -> None:
    place = r"C:\ProgramData\ivn-provision\lease.json"
    bench.tool().hold("nvr")
    bench.world.lab.nvr(SITE).windows.tree.write(place, b"{")
    reader = bench.tool().writers["nvr"]
    facts = reader.probe()
    assert facts.holding == Holding()
    assert any("damaged" in each for each in facts.notes)
    tool = bench.tool()
    tool.hold("nvr")
    held = bench.lease("nvr")
    assert held is not None
    assert held.run == tool.run


# Writes while a site is held


def test_the_portal_takes_writes_of_the_holder_alone(bench: Bench) -> None:
    holder, other = bench.tool(), bench.tool()
    holder.hold("portal")
    with pytest.raises(LeaseHeld) as caught:
        other.apply("portal")
    assert caught.value.run == holder.run
    assert bench.world.lab.portal.write_log == []
    holder.apply("portal")
    log = bench.world.lab.portal.write_log
    assert {each.run for each in log} == {holder.run}
    assert {(each.site, each.method) for each in log} == {(SITE, "PUT")}
    assert len({(each.path, each.before, each.after) for each in log}) == len(log)
    bench.world.lab.tamper(SITE, "site", fields={"name": "A person is not bound"})
    holder.release("portal")
    bench.tool().apply("portal")
    assert bench.world.lab.portal.write_log[-1].run == "", "nobody held it"


def test_a_recorder_whose_lease_was_taken_over_is_not_written(bench: Bench) -> None:
    slow, other = ready(bench), bench.tool()
    before, written = bench.configured, len(bench.world.lab.nvr(SITE).write_log)
    slow.hold("nvr")
    bench.clock.move(SECONDS + 1)
    other.hold("nvr")
    with pytest.raises(LeaseHeld) as caught:
        slow.apply("nvr")
    assert (caught.value.owner, caught.value.run) == (other.owner, other.run)
    assert bench.configured == before
    assert len(bench.world.lab.nvr(SITE).write_log) == written


def test_a_write_on_the_recorder_renews_the_lease(bench: Bench) -> None:
    tool = ready(bench)
    tool.hold("nvr")
    bench.clock.move(SECONDS - 10)
    tool.apply("nvr")
    held = bench.lease("nvr")
    assert held is not None
    assert moment(held.expires_at) - bench.clock() > timedelta(seconds=SECONDS - 10)


# What the portal says of leases and alarms


def test_armed_and_incident_are_read(bench: Bench) -> None:
    lab = bench.world.lab
    bench.tool().apply("portal")
    assert bench.holding("portal") == Holding()
    lab.portal_state(SITE, armed=True, incident="Door 3 forced")
    assert bench.holding("portal") == Holding(armed=True, incident="Door 3 forced")
    lab.portal_state(SITE, incident="")
    assert bench.holding("portal") == Holding(armed=True)


GOOD = {"owner": "ada@desk", "run": "r-1", "expires_at": "2026-11-24T10:00:00.000Z", "expired": False}


def test_an_older_portal_holds_nothing() -> None:
    assert holding_of({"key": "x"}) == Holding()
    assert holding_of({"lease": None}) == Holding()


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        ({"lease": []}, "/lease"),
        ({"lease": {**GOOD, "owner": "two\nlines"}}, "/lease/owner"),
        ({"lease": {**GOOD, "run": "a b"}}, "/lease/run"),
        ({"lease": {**GOOD, "expires_at": "soon"}}, "/lease/expires_at"),
        ({"lease": {**GOOD, "expired": 0}}, "/lease/expired"),
        ({"lease": {"owner": "ada"}}, "/lease/run"),
        ({"alarm_state": None}, "/alarm_state"),
        ({"alarm_state": {"open_incident": None}}, "/alarm_state/armed"),
        ({"alarm_state": {"armed": False}}, "/alarm_state/open_incident"),
        ({"alarm_state": {"armed": "no", "open_incident": None}}, "/alarm_state/armed"),
        ({"alarm_state": {"armed": True, "open_incident": ""}}, "/alarm_state/open_incident"),
    ],
)
def test_what_is_there_has_its_shape(answer: dict[str, object], place: str) -> None:
    with pytest.raises(WrongShape) as caught:
        holding_of(answer)
    assert caught.value.pointer == place
