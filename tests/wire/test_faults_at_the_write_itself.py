"""A fault that sets in at one step of an apply: the recorder is fully old or fully new, runs, and the tool says which."""

from __future__ import annotations

import pytest

from ivn_provision.errors import PartlyApplied, TargetError
from tests.support.world import World
from tests.wire.test_safe_write import SITE, apply, configured, ready, states


@pytest.mark.parametrize("verb", ["backup", "service_control", "require_unchanged", "write_files"])
@pytest.mark.parametrize("fault", ["disk-full", "file-locked"])
def test_a_full_disk_or_a_locked_file(world: World, fault: str, verb: str) -> None:
    """The fault comes with the last step of that verb before the file is replaced, and ends with it."""
    before = ready(world)
    running = states(world)
    nvr = world.lab.nvr(SITE)
    writing = False

    def sets_in(step: str, index: int) -> None:
        nonlocal writing
        writing = writing or (step == "backup" and index > 0)
        nvr.fault(fault, on=writing and step == verb)

    nvr.windows.on_step = sets_in
    outcome = apply(world)
    nvr.windows.on_step = lambda step, index: None
    nvr.fault(fault, on=False)
    if outcome.error is None:
        assert b"Other" not in configured(world), "said to be done"
        assert verb != "write_files"
    else:
        assert isinstance(outcome.error, TargetError)
        assert not isinstance(outcome.error, PartlyApplied)
        assert outcome.error.next_step
        assert configured(world) == before, "said not to be done"
    assert states(world) == running
    folder = nvr.configuration_path.parent
    assert not list(folder.glob("*.ivn-*"))
    assert apply(world).error is None
    assert b"Other" not in configured(world)


@pytest.mark.parametrize("seconds", [0.05])
def test_a_slow_line_delays_and_changes_nothing_else(world: World, seconds: float) -> None:
    ready(world)
    world.lab.nvr(SITE).latency_seconds = seconds
    assert apply(world).error is None
    assert b"Other" not in configured(world)
