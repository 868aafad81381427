"""The failure table where only the end-to-end test sees it: the lab makes each failure, and `verify` finds it.

All against the embedded lab, which is no real recorder.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from ivn_provision.run.accepting import Acceptance
from ivn_provision.run.verifying import Verifying
from ivn_provision.run.watching import Time
from ivn_provision.verify.acceptance.shots import Shot
from ivn_provision.verify.result import Result, State
from tests.support.checked_site import SITE, CheckedSite, checked_site
from tests.support.failure_table import Shown, shown_by
from tests.support.world import Events, utc_now


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CheckedSite]:
    with checked_site(tmp_path_factory.mktemp("table")) as running:
        running.world.edit(SITE, "mail_within_seconds: 30", "mail_within_seconds: 2")
        yield running


def verify(site: CheckedSite) -> Acceptance:
    """Fires all pins; the lab trips the inputs. A window that stays open for late mails is closed."""
    world = site.world

    def trip(shot: Shot) -> None:
        camera = next(each for each in world.site(SITE).cameras or () if each.number == shot.camera)
        world.lab.fire_input(SITE, camera.hardware.address, 1)

    verifying = Verifying(world.opener(), Events(), Time(utc_now, time.sleep), ask=trip, hardware_seconds=0.1)
    try:
        return verifying.site(world.site(SITE))
    finally:
        running = world.lab.portal.core.sessions.running(SITE)
        if running is not None:
            with closing(world.opener().testing(world.site(SITE))) as testing:
                testing.close_window(running.id)


def failed(acceptance: Acceptance) -> list[Result]:
    return [each for each in acceptance.results if each.state is State.FAIL]


@pytest.mark.parametrize("shown", shown_by("verify"), ids=lambda each: each.name)
def test_verify_finds_what_no_check_sees(site: CheckedSite, shown: Shown) -> None:
    alarms = site.world.lab.portal.alarms(SITE)
    try:
        for command in shown.lab:
            site.words.do(command)
        assert site.bad(site.check()) == {}
        found = failed(verify(site))
    finally:
        site.words.undo(shown.lab, shown.undo)
    assert {each.check for each in found} == {shown.check, *shown.also}
    assert any(shown.remedy in each.found.remedy for each in found), [each.found.remedy for each in found]
    assert site.world.lab.portal.alarms(SITE) == alarms  # all of it was a test


def test_at_last_every_alarm_arrives(site: CheckedSite) -> None:
    acceptance = verify(site)
    assert failed(acceptance) == []
    assert acceptance.passed
