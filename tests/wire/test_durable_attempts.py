"""One site on a worker: it may be asked again at any time, and writes nothing twice."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivn_provision.drivers.base import Hold
from ivn_provision.run.fleet.attempts import apply_job, attempts
from ivn_provision.run.fleet.refs import SiteRef
from ivn_provision.run.fleet.remote import APPLY, RemoteWork
from ivn_provision.run.fleet.runners import Inline, Threads
from ivn_provision.run.site_plans import close
from tests.support.broken_runs import edit_both
from tests.support.command import ivn_here
from tests.support.crash_writes import mark, twice, writes
from tests.support.fleet_jobs import RUN, digest_of, host, job_of
from tests.support.world import World, started

SITE = "lab-0001"


@pytest.fixture
def edited(tmp_path: Path) -> Iterator[World]:
    """A site as declared, and a change for each target that nobody has applied yet."""
    with started(tmp_path) as world:
        assert world.apply(SITE)[0].error is None
        edit_both(world)
        yield world


def test_a_job_that_is_run_again_says_the_same_and_writes_nothing(edited: World) -> None:
    job, worker = job_of(edited, SITE), host(edited)
    since = mark(edited, SITE)
    first = apply_job(job, worker.hands())
    made = writes(edited, SITE, since)
    assert (first.standing, first.code, first.error) == ("applied", 0, None)
    assert made
    assert twice(made) == ()
    assert apply_job(job, worker.hands()) == first
    assert writes(edited, SITE, since) == made
    assert attempts(edited.state, job) == (first.run,)


def test_a_worker_whose_file_or_live_system_differs_from_the_plan_writes_nothing(edited: World) -> None:
    job, since = job_of(edited, SITE), mark(edited, SITE)
    edit_both(edited, back=True)
    result = apply_job(job, host(edited).hands())
    assert (result.standing, result.code) == ("refused", 1)
    assert "is not the one of run" in result.summary
    assert writes(edited, SITE, since) == ()


def test_limits_of_the_site_are_part_of_what_a_worker_must_find(edited: World) -> None:
    before = digest_of(edited, SITE)
    fleet = edited.folder / "fleet.yml"
    text = fleet.read_text(encoding="utf-8") if fleet.exists() else ""
    fleet.write_text(f"{text}\nlimits: {{deletes: 1}}\n", encoding="utf-8")
    assert digest_of(edited, SITE) != before


def test_a_site_that_is_held_is_waited_for(edited: World) -> None:
    job, worker = job_of(edited, SITE), host(edited)
    writers = edited.opener().writers(edited.site(SITE))
    other = Hold("somebody@else", f"{RUN}x-{SITE}", 300, 0)
    writers["portal"].hold(other)
    worker.while_asleep = lambda: writers["portal"].release(other.run)
    result = apply_job(job, worker.hands())
    close(writers.values())
    assert worker.slept == [1.0]
    assert (result.standing, result.code) == ("applied", 0)


def test_what_another_host_left_needs_a_person_once_its_lease_is_over(edited: World, tmp_path: Path) -> None:
    """The lease is waited for, at most so long as one lasts; what it left is not passed over then."""
    job = job_of(edited, SITE)
    worker = host(edited, tmp_path / "elsewhere")
    writers = edited.opener().writers(edited.site(SITE))
    writers["portal"].hold(Hold("worker@lost", f"{RUN}x-{SITE}", 1, 0))
    close(writers.values())
    worker.while_asleep = lambda: time.sleep(1.2)
    since = mark(edited, SITE)
    result = apply_job(job, worker.hands())
    assert (result.standing, result.code) == ("refused", 4)
    assert "--override lease" in result.next_step
    assert writes(edited, SITE, since) == ()


@pytest.mark.parametrize("runner", [Inline(), Threads(2)])
def test_the_same_work_is_done_by_the_runners_of_this_process(
    edited: World, runner: Inline | Threads
) -> None:
    worker = host(edited)
    work = RemoteWork(APPLY, RUN, {SITE: digest_of(edited, SITE)}, lambda job: apply_job(job, worker.hands()))
    (result,) = runner.run(work, [SiteRef(SITE, "", "")])
    assert (result.standing, result.code) == ("applied", 0)


def test_apply_inline_does_it_in_this_process(edited: World) -> None:
    edited.attest_all(SITE)
    ran = ivn_here("apply", SITE, "--auto-approve", "--runner", "inline", cwd=edited.folder.parent)
    assert ran.code == 0, ran
    assert "Proof:" in ran.out
