"""What undoes a run's writes: the run that asks for it, or the recorder itself by its own clock."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from ivn_provision.model.live import Holding
from tests.support.benches import SITE, TARGETS, Bench, moment, ready
from tests.wire.test_windows import SECTION


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
