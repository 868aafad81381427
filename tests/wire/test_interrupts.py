"""Ctrl-C and SIGTERM: the first ends the step and puts back, the second stops at once; `resume` can go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ivn_provision.run.journal import read_run, runs_of
from tests.support.command import ivn_here
from tests.support.world import World

SITE = "lab-0001"
SECONDS = 60.0


@pytest.fixture
def slow(world: World) -> World:
    """Applied once; then a change is declared, and everything takes its time."""
    world.attest_all(SITE)
    assert world.apply(SITE)[0].error is None
    world.edit(SITE, "label: Main Entrance", "label: Front Door")
    world.lab.set_latency(0.1)
    return world


def begun(world: World, *options: str) -> subprocess.Popen[str]:
    """An apply that has come to its first write."""
    child = subprocess.Popen(
        [sys.executable, "-m", "ivn_provision", "apply", SITE, "--auto-approve", *options],
        cwd=world.folder.parent,
        env={**os.environ, "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    known = {each.run for each in runs_of(world.state)}
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and child.poll() is None:
        new = {each.name for each in (world.state.path / "runs").iterdir()} - known
        if any("intent" in _text(world.state.path / "runs" / run) for run in new):
            return child
        time.sleep(0.02)
    raise AssertionError(f"it never came to a write: {child.communicate()}")


def _text(run: Path) -> str:
    file = run / "journal.jsonl"
    return file.read_text() if file.exists() else ""


def ended(child: subprocess.Popen[str]) -> tuple[int, str]:
    out, err = child.communicate(timeout=SECONDS)
    assert "Traceback" not in out + err
    return child.returncode, out + err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_puts_back(slow: World, number: signal.Signals) -> None:
    before = slow.lab.nvr(SITE).configuration_path.read_bytes()
    child = begun(slow)
    child.send_signal(number)
    code, text = ended(child)
    assert code == 130, text
    assert "put back as it was before" in text
    assert slow.lab.nvr(SITE).configuration_path.read_bytes() == before
    assert runs_of(slow.state)[0].sites == {SITE: "reverted"}


def test_the_first_stops_where_asked(slow: World) -> None:
    before = slow.lab.nvr(SITE).configuration_path.read_bytes()
    child = begun(slow, "--on-failure", "stop")
    child.send_signal(signal.SIGINT)
    code, text = ended(child)
    assert code == 130, text
    assert slow.lab.nvr(SITE).configuration_path.read_bytes() != before
    run = runs_of(slow.state)[0]
    assert run.sites == {SITE: "stopped"}
    slow.lab.set_latency(0)
    done = ivn_here("resume", run.run, cwd=slow.folder.parent)
    assert done.code == 0, done.err
    assert runs_of(slow.state)[0].sites == {SITE: "applied"}


def test_the_second_stops_at_once(slow: World) -> None:
    child = begun(slow)
    child.send_signal(signal.SIGINT)
    time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    code, text = ended(child)
    assert code == 130, text
    run = runs_of(slow.state)[0]
    assert run.sites == {SITE: "unfinished"}
    slow.lab.set_latency(0)
    done = ivn_here("resume", run.run, cwd=slow.folder.parent)
    assert done.code == 0, done.err
    assert read_run(slow.state, run.run)[-1].data["standing"] in {"applied", "reverted"}
