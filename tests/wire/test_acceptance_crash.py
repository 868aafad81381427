"""Killed at any moment, an acceptance lets no alarm out: the window outlasts what was fired, and ends by itself."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest

from ivn_provision.errors import Conflict
from ivn_provision.lab.portal.sessions import Session
from tests.support.acceptance import SITE, accepted
from tests.support.world import World


@pytest.fixture
def site(world: World) -> World:
    world.edit(SITE, "mail_within_seconds: 30", "mail_within_seconds: 5")
    assert world.apply(SITE)[0].error is None
    return world


def started_verify(world: World) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ivn_provision", "verify", SITE, "--sites", str(world.folder)],
        cwd=world.folder.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )


def window(world: World) -> Session | None:
    """The one that is open now."""
    return world.lab.portal.core.sessions.running(SITE)


@pytest.mark.timeout(240)
def test_no_alarm_gets_out_wherever_it_is_killed(site: World) -> None:
    """A mail is 1 s under way, so that kills meet it there."""
    site.lab.mail.slow_seconds = 1.0
    site.lab.fault("mail", "slow")
    chance = random.Random(6)
    opened = 0
    for _ in range(8):
        child = started_verify(site)
        _wait_for_window(site, child)
        time.sleep(chance.uniform(0, 3.0))
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=20)
        left = window(site)
        time.sleep(1.5)  # what was fired arrives
        assert site.lab.portal.alarms() == []
        if left is not None:
            opened += 1
            assert datetime.fromisoformat(left.until) > datetime.now(UTC)
            site.lab.portal.core.sessions.close(SITE, left.id)  # as its own end does
    assert opened >= 4, "the kills met an open window"
    site.lab.fault("mail", "slow", on=False)
    assert accepted(site).is_good, "and nothing stands in the way of the next one"


def test_ctrl_c_closes_the_window_and_tells_what_was_seen(site: World) -> None:
    child = started_verify(site)
    _wait_for_window(site, child)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=40)
    assert child.returncode in {130, 0}, err
    assert "Traceback" not in err
    assert SITE in out
    assert window(site) is None
    assert site.lab.portal.alarms() == []


def test_a_window_that_was_left_says_whose_it_is_and_until_when(site: World) -> None:
    child = started_verify(site)
    _wait_for_window(site, child)
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=20)
    left = window(site)
    assert left is not None
    with pytest.raises(Conflict, match="another run tests the site") as caught:
        accepted(site)
    assert left.run in caught.value.summary
    assert left.until[:16] in caught.value.summary


def _wait_for_window(world: World, child: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 20
    while window(world) is None and child.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
