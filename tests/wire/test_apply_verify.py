"""`apply --verify`: the alarms are tested before the change may stay; if one does not arrive, the site goes back."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from ivn_provision.errors import PartlyApplied
from ivn_provision.run.engine import apply_sites
from ivn_provision.run.journal import Journal, read_run
from ivn_provision.run.outcomes import SiteOutcome
from ivn_provision.run.resuming import Way, as_the_run, resume_sites, was_to_verify
from ivn_provision.run.verifying import Verifying
from ivn_provision.run.watching import Time
from tests.support.command import ivn_here
from tests.support.world import Events, World, utc_now

SITE = "lab-0001"


@pytest.fixture
def applied(world: World) -> World:
    world.edit(SITE, "mail_within_seconds: 30", "mail_within_seconds: 5")
    assert world.apply(SITE)[0].error is None
    return world


def verified(world: World, **options: object) -> SiteOutcome:
    opener, observer = world.opener(), Events()
    accept = Verifying(opener, observer, Time(lambda: datetime.now(UTC), time.sleep)).site
    guards = world.guards(accept=accept, **options)
    (outcome,) = apply_sites([world.site(SITE)], opener, observer, guards=guards)
    return outcome


def other_name(world: World) -> None:
    world.edit(SITE, "label: Main Entrance", "label: Front Door")


def test_the_alarms_arrive_and_the_change_stays(applied: World) -> None:
    other_name(applied)
    outcome = verified(applied)
    assert outcome.error is None, outcome.error
    assert outcome.acceptance is not None
    assert outcome.acceptance.is_good
    (record,) = [each for each in outcome.acceptance.records if each.shot.source == "soft"]
    assert record.latency_seconds is not None
    records = read_run(applied.state, outcome.run)
    (noted,) = [each for each in records if each.event == "acceptance"]
    assert noted.data["passed"] is True
    events = [each.event for each in records]
    assert events.index("proof") < events.index("acceptance") < events.index("release")
    assert applied.lab.portal.alarms() == []


def test_an_alarm_does_not_arrive_and_the_site_goes_back(applied: World) -> None:
    before = applied.lab.nvr(SITE).configuration_path.read_bytes()
    other_name(applied)
    applied.lab.fault("mail", "refuse-login")
    outcome = verified(applied, confirm_within=300)
    assert isinstance(outcome.error, PartlyApplied), outcome.error
    assert outcome.reverted
    assert "2 S no mail arrived within" in outcome.error.summary
    assert outcome.acceptance is not None
    assert not outcome.acceptance.is_good
    assert applied.lab.nvr(SITE).configuration_path.read_bytes() == before
    assert applied.lab.nvr(SITE).windows.tasks.all() == []
    assert applied.lab.portal.alarms() == []


def test_no_window_no_change(applied: World) -> None:
    """The portal does not take the site off watch: nothing is fired, and the change does not stay."""
    before = applied.lab.nvr(SITE).configuration_path.read_bytes()
    other_name(applied)
    applied.lab.fault("portal", "test-session-refused")
    outcome = verified(applied)
    assert isinstance(outcome.error, PartlyApplied), outcome.error
    assert "could not be tested" in outcome.error.summary
    assert applied.lab.nvr(SITE).configuration_path.read_bytes() == before


def test_a_resumed_run_is_tested_too(applied: World) -> None:
    """It stopped after its proof and before its test; the journal says that it was to be tested."""
    other_name(applied)

    class Stops(Events):
        proving = False

    opener = applied.opener()

    def dies(_site: object) -> object:
        raise KeyboardInterrupt

    guards = applied.guards(accept=dies)
    with pytest.raises(KeyboardInterrupt):
        apply_sites([applied.site(SITE)], opener, Stops(), guards=guards)
    run = opener.run_id
    again = applied.opener()
    again.run_id = run
    journal = Journal.reopen(applied.state, run, utc_now)
    try:
        assert was_to_verify(journal)
        accept = Verifying(again, Events(), Time(lambda: datetime.now(UTC), time.sleep)).site
        guards = as_the_run(applied.guards(accept=accept), journal)
        (outcome,) = resume_sites([applied.site(SITE)], again, Events(), guards, journal, way=Way.FINISH)
    finally:
        journal.close()
    assert outcome.error is None, outcome.error
    assert outcome.acceptance is not None
    assert outcome.acceptance.is_good


def test_at_the_command_line(applied: World) -> None:
    applied.attest_all(SITE)
    other_name(applied)
    ran = ivn_here("apply", SITE, "--auto-approve", "--verify", cwd=applied.folder.parent)
    assert ran.code == 0, ran.out + ran.err
    assert "one mail after" in ran.out
    assert "Accepted: 1 pin fired, 2 not fired" in ran.out
    assert ran.out.index("Proof:") < ran.out.index("Accepted:")
    assert "fires 2 S" in ran.err
