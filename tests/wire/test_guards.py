"""What stands in the way of an apply, end to end: another writer, the moment, the limits. And what guards cost."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ivn_provision.errors import LimitExceeded
from ivn_provision.lab.lab import Lab
from ivn_provision.lab.sites import generated_sites
from ivn_provision.run.engine import apply_sites
from ivn_provision.run.events import Event, Step
from ivn_provision.run.journal import read_run
from tests.support.command import ivn_here
from tests.support.world import Events, World, own_addresses

SITE = "lab-0001"


@pytest.fixture
def applied(world: World) -> World:
    assert world.apply(SITE)[0].error is None
    return world


def other_name(world: World) -> None:
    world.edit(SITE, "label: Main Entrance", "label: Front Door")


def other_pin(world: World) -> None:
    """Two writes on the recorder, and the portal in between."""
    world.edit(SITE, "generic_events:\n  - {pin: 2,", "generic_events:\n  - {pin: 4,")
    world.edit(SITE, "{pin: 2, source: soft,", "{pin: 4, source: soft,")


def writes(world: World) -> tuple[int, int, int]:
    nvr = world.lab.nvr(SITE).counters
    return nvr.file_writes, nvr.service_restarts, world.lab.portal.counters.writes


# Two tools at once


def test_of_two_tools_one_writes_and_the_other_says_who(world: World, tmp_path: Path) -> None:
    """Two processes, with journals of their own: two machines."""
    world.attest_all(SITE)
    world.lab.set_latency(0.1)
    command = [sys.executable, "-m", "ivn_provision", "apply", SITE, "--auto-approve"]
    command += ["--fleet", str(world.folder)]
    folders = [tmp_path / "one", tmp_path / "two"]
    for each in folders:
        each.mkdir()
    both = [
        subprocess.Popen(command, cwd=each, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for each in folders
    ]
    said = [each.communicate(timeout=90) for each in both]
    codes = sorted(each.returncode for each in both)
    assert codes == [0, 1], said
    (_, lost), *_ = [one for one, each in zip(said, both, strict=True) if each.returncode == 1]
    winner = next(one for one, each in zip(folders, both, strict=True) if each.returncode == 0)
    (run,) = [path.name for path in (winner / ".ivn" / "runs").iterdir()]
    assert run in lost
    assert "until 20" in lost
    assert {each.run for each in world.lab.portal.write_log} == {f"{run}-{SITE}"}


# The moment


def test_an_armed_site_and_an_open_incident_are_left_alone(applied: World) -> None:
    other_name(applied)
    applied.lab.portal_state(SITE, armed=True, incident="Door 3 forced")
    before = writes(applied)
    (outcome,) = applied.apply(SITE)
    assert isinstance(outcome.error, LimitExceeded), outcome.error
    assert "armed" in outcome.error.summary
    assert "Door 3 forced" in outcome.error.summary
    assert outcome.error.next_step == "wait; or give --override armed --override incident, which is logged"
    assert writes(applied) == before
    (outcome,) = applied.apply(SITE, overrides=frozenset({"armed", "incident"}))
    assert outcome.error is None, outcome.error
    kinds = [each.data["kind"] for each in read_run(applied.state, outcome.run) if each.event == "override"]
    assert kinds == ["armed", "incident"]


def test_outside_of_the_maintenance_window(applied: World) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    applied.edit(
        SITE, "site: lab-0001\n", f"site: lab-0001\nmaintenance: {{window: '{yesterday:%a} 09:00-09:01'}}\n"
    )
    other_name(applied)
    before = writes(applied)
    (outcome,) = applied.apply(SITE)
    assert isinstance(outcome.error, LimitExceeded), outcome.error
    assert "maintenance.window" in outcome.error.summary
    assert writes(applied) == before
    (outcome,) = applied.apply(SITE, overrides=frozenset({"window"}))
    assert outcome.error is None, outcome.error


# The limits of a whole run


def test_a_run_may_not_touch_more_sites_than_the_fleet_allows(tmp_path: Path) -> None:
    sites = generated_sites(3, own_addresses())
    with Lab(tmp_path / "lab", sites, portal_port=0, mail_port=0) as lab:
        lab.write_sites(tmp_path / "sites")
        world = World(lab, tmp_path / "sites")
        for each in sites:
            world.attest_all(each.key)
        with (tmp_path / "sites" / "fleet.yml").open("a", encoding="utf-8") as fleet:
            fleet.write("limits: {sites: 2}\n")
        ran = ivn_here("apply", "--auto-approve", cwd=tmp_path)
        assert ran.code == 1
        assert "3 sites that one run touches, the limit is 2" in ran.err
        assert "--allow sites=3" in ran.err
        assert lab.portal.counters.writes == 0
        ran = ivn_here("apply", "--auto-approve", "--allow", "sites=2", cwd=tmp_path)
        assert ran.code == 1
        assert "--allow sites=2 is another number" in ran.err
        ran = ivn_here("apply", "--auto-approve", "--allow", "sites=3", cwd=tmp_path)
        assert ran.code == 0, ran.err


# What it costs


@pytest.mark.parametrize(("edit", "work"), [(other_name, 3), (other_pin, 5)])
@pytest.mark.parametrize("options", [{}, {"confirm_within": 120}, {"confirm_within": 120, "hold": True}])
def test_all_guards_cost_two_remote_processes(
    applied: World, edit: object, work: int, options: dict[str, int | bool]
) -> None:
    """`work` is what an apply must do at least: read before each write, write, read again. Guards: hold, release."""
    assert callable(edit)
    edit(applied)
    counters = applied.lab.nvr(SITE).counters
    before, posts = counters.processes, counters.posts
    (outcome,) = applied.apply(SITE, **options)
    assert outcome.error is None, outcome.error
    assert counters.processes - before == work + 2
    assert counters.posts - posts <= 6 * (work + 2)


def test_the_portals_lease_is_renewed_before_a_later_write(applied: World) -> None:
    other_pin(applied)
    seen: list[str] = []

    class Looks(Events):
        def notify(self, event: Event) -> None:
            if event.step is Step.WRITING:
                lease = applied.lab.portal.leases.show(SITE)
                assert lease is not None
                seen.append(str(lease["expires_at"]))

    applied.lab.set_latency(0.05)
    (outcome,) = apply_sites([applied.site(SITE)], applied.opener(), Looks(), guards=applied.guards())
    assert outcome.error is None, outcome.error
    nvr_first, portal = seen[0], seen[1]
    assert portal > nvr_first
