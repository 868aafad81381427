"""Killed at any moment, an acceptance lets no alarm out: its window outlasts what was fired, and ends by itself."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ivn_provision.errors import Conflict
from ivn_provision.lab.lab import Lab
from ivn_provision.lab.sites import generated_sites
from tests.support.acceptance import SITE, TWO_SOFT, Clock, accepted, no_alarm_but_in_a_window, said, window
from tests.support.command import ivn
from tests.support.crash import moments
from tests.support.world import World, own_addresses, run_id

MAIL_SECONDS = 1.0
"""How long a mail is under way, so that kills meet it there."""
EVENTS = 4
"""Two soft pins: firing and arrived, twice."""
KILLS = 4
"""At random moments; each event has a kill of its own."""


@dataclass
class Hands:
    """The lab's clock, which a test moves ahead."""

    off: float = 0.0

    def __call__(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.off)


@dataclass
class Bench:
    """A site whose acceptances are killed. Everything, the child as well, goes by the lab's clock."""

    world: World
    hands: Hands
    runs: int = 500
    outputs: list[str] = field(default_factory=list)

    def begun(self, kill_at: int = 0) -> subprocess.Popen[str]:
        """A child that has opened its window, or that is over."""
        self.runs += 1
        words = [str(self.world.folder), SITE, run_id(self.runs), str(self.hands.off), str(kill_at)]
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.support.accept_child", *words],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        end = time.monotonic() + 30
        while window(self.world) is None and child.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        return child

    def mails_are_in(self) -> None:
        """Everything that was fired has arrived."""
        time.sleep(MAIL_SECONDS + 0.5)

    def accepted(self) -> str:
        return said(accepted(self.world, clock=Clock(self.hands.off)))

    def end_of_window(self) -> None:
        """The time comes that the killed run had named, and a little more."""
        left = window(self.world)
        assert left is not None
        until = datetime.fromisoformat(left.until)
        assert until > self.hands(), "its end is ahead"
        self.hands.off += (until - self.hands()).total_seconds() + 1


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder, hands = tmp_path_factory.mktemp("crash"), Hands()
    sites = generated_sites(1, own_addresses())
    with Lab(folder / "lab", sites, portal_port=0, mail_port=0, clock=hands) as lab:
        lab.write_sites(folder / "sites")
        world = World(lab, folder / "sites")
        world.edit(SITE, "mail_within_seconds: 30", "mail_within_seconds: 5")
        for old, new in TWO_SOFT:
            world.edit(SITE, old, new)
        assert world.apply(SITE)[0].error is None
        lab.mail.slow_seconds = MAIL_SECONDS
        lab.fault("mail", "slow")
        yield Bench(world, hands)


def killed(bench: Bench, child: subprocess.Popen[str]) -> bool:
    """Did the end of it leave a window? Whatever is left is as it must be, and is over in time."""
    child.kill()
    bench.outputs.append(child.communicate(timeout=20)[0])
    left = window(bench.world)
    bench.mails_are_in()
    no_alarm_but_in_a_window(bench.world)
    if left is not None:
        bench.end_of_window()
        assert window(bench.world) is None, "it ended by itself"
    return left is not None


@pytest.mark.timeout(120)
def test_killed_at_every_event(bench: Bench) -> None:
    for number in range(1, EVENTS + 1):
        child = bench.begun(kill_at=number)
        child.wait(timeout=30)
        assert killed(bench, child), "it was killed with its window open"
        assert child.returncode == -signal.SIGKILL
        assert len(bench.outputs[-1].splitlines()) == number
    assert bench.accepted().count("pass one mail") == 2, "nothing stands in the way of the next one"


@pytest.mark.timeout(240)
def test_killed_at_random_moments(bench: Bench) -> None:
    """Between the opening of the window and a while after its close."""
    found = []
    for seconds in moments(KILLS, 4.0, seed=20261128):
        child = bench.begun()
        time.sleep(seconds)
        found.append(killed(bench, child))
    assert sum(found) >= KILLS // 2, "the kills met an open window"


def test_ctrl_c_waits_for_what_is_under_way_and_closes_the_window(bench: Bench) -> None:
    child = bench.begun()
    assert child.stdout is not None
    assert child.stdout.readline() == "firing 2 S\n"
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=40)
    assert child.returncode == 130, err
    assert "Traceback" not in err
    assert "pass pin 2 S one mail" in out
    assert "skipped pin 5 S not fired: the test was stopped before" in out
    assert "pass window  the test window is closed" in out
    assert window(bench.world) is None
    no_alarm_but_in_a_window(bench.world)


def test_ctrl_c_leaves_the_window_open_for_a_mail_that_does_not_come(bench: Bench) -> None:
    bench.world.lab.mail.slow_seconds = 12.0
    mails = bench.world.lab.portal.counters.mails
    try:
        child = bench.begun()
        assert child.stdout is not None
        assert child.stdout.readline() == "firing 2 S\n"
        child.send_signal(signal.SIGINT)
        out, _ = child.communicate(timeout=40)
        assert child.returncode == 130
        assert "warn window  the test window stays open until" in out
        end = time.monotonic() + 20
        while bench.world.lab.portal.counters.mails == mails and time.monotonic() < end:
            time.sleep(0.05)
        assert bench.world.lab.portal.counters.mails > mails, "it comes in the end"
    finally:
        bench.world.lab.mail.slow_seconds = MAIL_SECONDS
    no_alarm_but_in_a_window(bench.world)
    bench.end_of_window()


def test_twice_ctrl_c_ends_it_at_once(bench: Bench) -> None:
    child = bench.begun()
    assert child.stdout is not None
    assert child.stdout.readline() == "firing 2 S\n"
    child.send_signal(signal.SIGINT)
    time.sleep(0.2)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=20)
    assert child.returncode == 130
    bench.mails_are_in()
    no_alarm_but_in_a_window(bench.world)
    bench.end_of_window()


def test_a_window_that_was_left_says_whose_it_is_and_until_when(bench: Bench) -> None:
    child = bench.begun(kill_at=1)
    child.communicate(timeout=30)
    left = window(bench.world)
    assert left is not None
    before = bench.world.lab.nvr(SITE).counters.events
    with pytest.raises(Conflict, match="another run tests the site") as caught:
        bench.accepted()
    assert left.run in caught.value.summary
    assert left.until[:16] in caught.value.summary
    assert bench.world.lab.nvr(SITE).counters.events == before
    bench.mails_are_in()
    bench.end_of_window()
    assert bench.accepted().count("pass one mail") == 2


def test_the_command_says_it_too(bench: Bench) -> None:
    child = bench.begun(kill_at=1)
    child.communicate(timeout=30)
    done = ivn("verify", SITE, "--fleet", str(bench.world.folder), cwd=bench.world.folder.parent)
    assert done.code == 1
    assert "another run tests the site" in done.err or "/until" in done.err
    bench.mails_are_in()
    bench.end_of_window()
