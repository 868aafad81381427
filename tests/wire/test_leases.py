"""One writer of a site at a time, and what undoes its writes: on both targets, by the targets' own clocks."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from ivn_provision.drivers.base import Hold, Writer
from ivn_provision.drivers.portal.objects import holding_of
from ivn_provision.errors import IvnError, LeaseHeld
from ivn_provision.lab.lab import Lab
from ivn_provision.lab.sites import generated_sites
from ivn_provision.model.live import Holding, Lease
from ivn_provision.plan.order import Batch
from ivn_provision.run.applying import execute
from ivn_provision.run.site_plans import plan_with
from ivn_provision.run.targets import Opener
from ivn_provision.strict_json import WrongShape
from tests.support.world import Events, Hands, World, own_addresses
from tests.wire.test_windows import SECTION

SITE = "lab-0001"
TARGETS = ("nvr", "portal")
SECONDS = 600


class NoLog:
    """A journal that keeps nothing."""

    def intent(self, number: int, batch: Batch) -> None:
        """Nothing is kept."""

    def done(self, number: int, batch: Batch) -> None:
        """Nothing is kept."""

    def failed(self, number: int, batch: Batch, error: IvnError) -> None:
        """Nothing is kept."""


@dataclass
class Tool:
    """One run of the tool on the site, with the drivers that it opened."""

    world: World
    opener: Opener
    writers: Mapping[str, Writer]

    @property
    def run(self) -> str:
        return f"{self.opener.run_id}-{SITE}"

    @property
    def owner(self) -> str:
        return f"ada@{self.opener.run_id[-2:]}"

    def hold(self, target: str, seconds: int = SECONDS, revert: int = 0) -> None:
        self.writers[target].hold(Hold(self.owner, self.run, seconds, revert))

    def release(self, target: str) -> None:
        self.writers[target].release(self.run)

    def apply(self, only: str = "") -> None:
        """Make what differs, on one target or on all, without any guard of the engine."""
        plan = plan_with(self.world.site(SITE), self.writers.values(), self.opener, Events())
        wanted = tuple(each for each in plan.changes if only in {"", each.address.target})
        execute(replace(plan, changes=wanted), self.writers, Events(), NoLog())


@dataclass
class Bench:
    """A lab by a clock of its own, and as many tools as a test wants."""

    world: World
    clock: Hands
    opened: list[Writer] = field(default_factory=list)

    def tool(self) -> Tool:
        opener = self.world.opener()
        opener.clock = self.clock
        writers = opener.writers(self.world.site(SITE))
        self.opened += writers.values()
        return Tool(self.world, opener, writers)

    def holding(self, target: str) -> Holding:
        """As a fresh reading shows it."""
        reader = self.world.opener().readers(self.world.site(SITE))[target]
        try:
            return reader.probe().holding
        finally:
            reader.close()

    def lease(self, target: str) -> Lease | None:
        return self.holding(target).lease

    @property
    def configured(self) -> bytes:
        return self.world.lab.nvr(SITE).configuration_path.read_bytes()

    def later(self, seconds: float, is_so: Callable[[], bool]) -> None:
        """The clock goes on, and what is due then happens."""
        self.clock.move(seconds)
        end = time.monotonic() + 10
        while not is_so():
            assert time.monotonic() < end, "nothing happened"
            time.sleep(0.02)


@contextmanager
def running(folder: Path) -> Iterator[Bench]:
    clock = Hands()
    sites = generated_sites(1, own_addresses())
    with Lab(folder / "lab", sites, portal_port=0, mail_port=0, clock=clock) as lab:
        lab.write_sites(folder / "sites")
        bench = Bench(World(lab, folder / "sites"), clock)
        yield bench
        for each in bench.opened:
            each.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with running(tmp_path) as found:
        yield found


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


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


# What undoes a write


def ready(bench: Bench) -> Tool:
    """The recorder as declared, then with a camera that somebody renamed; and a tool that has not begun."""
    bench.tool().apply()
    bench.world.lab.tamper(SITE, "camera", "10", {"label": "Other"})
    return bench.tool()


def test_a_run_is_put_back_byte_by_byte(bench: Bench) -> None:
    tool = ready(bench)
    before = bench.configured
    tool.hold("nvr")
    tool.apply("nvr")
    assert bench.configured != before
    assert tool.writers["nvr"].put_back(tool.run) is True
    assert bench.configured == before
    assert all(each.state == "Running" for each in bench.world.lab.nvr(SITE).windows.services())
    held = bench.lease("nvr")
    assert held is not None, "the lease stays"
    assert held.run == tool.run
    assert tool.writers["nvr"].put_back(tool.run) is True, "to ask again does no harm"
    assert bench.configured == before


def test_a_persons_edit_since_is_not_put_back(bench: Bench) -> None:
    tool = ready(bench)
    tool.hold("nvr")
    tool.apply("nvr")
    bench.world.lab.tamper(SITE, "camera", "11", {"label": "Somebody was here"})
    edited = bench.configured
    assert tool.writers["nvr"].put_back(tool.run) is False
    assert bench.configured == edited
    assert [each.state for each in bench.holding("nvr").reverts if each.run == tool.run] == ["left"]


@pytest.mark.parametrize("target", TARGETS)
def test_where_nothing_is_kept_nothing_is_put_back(bench: Bench, target: str) -> None:
    tool = bench.tool()
    tool.hold(target)
    assert tool.writers[target].put_back(tool.run) is False


def test_without_a_lease_the_way_back_is_kept_all_the_same(bench: Bench) -> None:
    tool = ready(bench)
    before = bench.configured
    tool.apply("nvr")
    kept = [each for each in bench.holding("nvr").reverts if each.run == tool.run]
    assert [(each.id, each.state, each.due_at) for each in kept] == [(f"{tool.run}-1", "prepared", "")]
    assert bench.lease("nvr") is None
    assert tool.writers["nvr"].put_back(tool.run) is True
    assert bench.configured == before


def test_a_recorder_that_hears_nothing_more_puts_itself_back(bench: Bench) -> None:
    tool = ready(bench)
    before = bench.configured
    tool.hold("nvr", revert=300)
    tool.apply("nvr")
    (armed,) = [each for each in bench.holding("nvr").reverts if each.run == tool.run]
    assert armed.state == "armed"
    assert moment(armed.due_at) - bench.clock() <= timedelta(seconds=300)
    bench.clock.move(290)
    time.sleep(0.3)
    assert bench.configured != before
    bench.later(11, lambda: bench.configured == before and bench.lease("nvr") is None)
    (fired,) = [each for each in bench.holding("nvr").reverts if each.run == tool.run]
    assert fired.state == "reverted"


def test_a_released_run_stays(bench: Bench) -> None:
    tool = ready(bench)
    tool.hold("nvr", revert=60)
    tool.apply("nvr")
    after = bench.configured
    tool.release("nvr")
    assert bench.holding("nvr") == Holding(reverts=bench.holding("nvr").reverts)
    assert not [each for each in bench.holding("nvr").reverts if each.run == tool.run]
    bench.clock.move(120)
    time.sleep(0.3)
    assert bench.configured == after


@pytest.mark.parametrize(("passed", "left"), [(100, 200), (290, 30)])
def test_later_writes_fire_with_the_first(bench: Bench, passed: int, left: int) -> None:
    tool = ready(bench)
    tool.hold("nvr", revert=300)
    tool.apply("nvr")
    bench.world.lab.tamper(SITE, "camera", "10", {"label": "Another"})
    bench.clock.move(passed)
    tool.apply("nvr")
    due = {each.id: each.due_at for each in bench.holding("nvr").reverts if each.run == tool.run}
    assert set(due) == {f"{tool.run}-1", f"{tool.run}-2"}
    until = moment(due[f"{tool.run}-2"]) - bench.clock()
    assert timedelta(seconds=left - 2) <= until <= timedelta(seconds=left)


def test_a_change_of_windows_alone_is_put_back_too(bench: Bench) -> None:
    bench.world.edit(SITE, "  services: {event_server_port", SECTION)
    bench.tool().apply()
    service = "Milestone Recording Server"
    bench.world.lab.tamper(SITE, "windows_service", service, {"start_mode": "manual"})
    tool, written = bench.tool(), len(bench.world.lab.nvr(SITE).write_log)

    def start_mode() -> str:
        rows = bench.world.lab.nvr(SITE).windows.services()
        return next(each.start_mode for each in rows if each.name == service)

    tool.hold("nvr")
    tool.apply("nvr")
    assert start_mode() == "Auto"
    assert len(bench.world.lab.nvr(SITE).write_log) == written, "no file was written"
    assert tool.writers["nvr"].put_back(tool.run) is True
    assert start_mode() == "Manual"


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
