"""What travels to a worker and back, and where the database of the durable runner may be."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from ivn_provision.errors import IvnError, PersonNeeded, UsageProblem
from ivn_provision.run.fleet.database import Database, database_of, prepare
from ivn_provision.run.fleet.durable import DurableRunner, Waiting
from ivn_provision.run.fleet.refs import SiteRef
from ivn_provision.run.fleet.remote import APPLY, RemoteWork, own_queue, queue_of
from ivn_provision.run.fleet.site_job import ApplyOptions, SiteJob, SiteResult, failed, read_job, read_result
from ivn_provision.run.state import StateFolder
from ivn_provision.strict_json import WrongShape
from tests.support.command import ivn_here
from tests.support.fleet_jobs import RUN, nobody
from tests.support.world import utc_now

JOB = SiteJob(RUN, "lab-0001", "0" * 64, ApplyOptions(override=("lease",), targets=("nvr/*",), hold=True))


def through_json(data: object) -> Any:
    return json.loads(json.dumps(data))


def test_a_job_survives_the_way() -> None:
    assert read_job(through_json(JOB.to_json())) == JOB


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("run", "../../x"),
        ("site", "Lab 1"),
        ("site", "../lab"),
        ("plan", "abc"),
        ("plan", None),
        ("options", {}),
    ],
)
def test_a_job_of_another_shape_is_refused(name: str, value: object) -> None:
    with pytest.raises(WrongShape):
        read_job({**JOB.to_json(), name: value})


def test_a_result_says_what_the_error_was_and_its_exit_code() -> None:
    error = PersonNeeded("a person is needed", where="lab-0001", next_step="do it")
    result = read_result(through_json(failed("lab-0001", error).to_json()))
    assert result.error is not None
    assert (result.error.summary, result.error.where, result.error.next_step, result.error.exit_code) == (
        "a person is needed",
        "lab-0001",
        "do it",
        4,
    )


GOOD = SiteResult("lab-0001", "applied", run="20261129T101500Z-1a2b3c4d-x", worker="east-1")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("site", "Lab 1"),
        ("standing", "well"),
        ("standing", "failed"),
        ("standing", "reverted"),
        ("standing", "\x1b[2Japplied"),
        ("worker", "east\x1b[2J"),
        ("code", 256),
    ],
)
def test_a_result_that_no_worker_can_have_given_is_refused(name: str, value: object) -> None:
    assert read_result(GOOD.to_json()) == GOOD
    with pytest.raises(WrongShape):
        read_result({**GOOD.to_json(), name: value})


def test_queues_are_named_for_networks_and_workers() -> None:
    assert (queue_of("east"), queue_of(""), own_queue("w1")) == (
        "network-east",
        "network-default",
        "worker-w1",
    )


def test_remote_work_tells_a_worker_the_site_and_the_digest_of_its_plan() -> None:
    work = RemoteWork(APPLY, RUN, {"lab-0001": "0" * 64}, nobody, JOB.options)
    assert work.job(SiteRef("lab-0001", "sites/lab-0001.yml", "sites")) == JOB
    assert "sites/" not in json.dumps(JOB.to_json())


def test_a_closure_cannot_travel(tmp_path: Path) -> None:
    runner = DurableRunner(Database(f"sqlite:///{tmp_path}/x"), Waiting(1, utc_now, lambda _: None))
    with pytest.raises(TypeError, match="RemoteWork"):
        next(runner.run(lambda ref: ref.name, []))


def test_the_database_is_in_the_state_folder_by_default(tmp_path: Path) -> None:
    place = database_of("", StateFolder(tmp_path / ".ivn"))
    assert place.url == f"sqlite:///{tmp_path / '.ivn' / 'fleet.sqlite'}"
    assert "fleet" not in repr(place)


@pytest.mark.parametrize("url", ["postgresql://u@h/d", "postgres://u@h/d", "postgresql+psycopg://u@h/d"])
def test_postgresql_is_spoken_by_one_driver(url: str, tmp_path: Path) -> None:
    assert database_of(url, StateFolder(tmp_path)).url == "postgresql://u@h/d"


@pytest.mark.parametrize("url", ["mysql://u@h/d", "fleet.sqlite", "sqlite:///"])
def test_other_databases_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="no database"):
        database_of(url, StateFolder(tmp_path))


@pytest.mark.parametrize("url", ["postgresql://u:geheim@h/d", "postgresql://u@h/d?password=geheim"])
def test_a_password_does_not_stand_on_the_command_line(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageProblem) as caught:
        database_of(url, StateFolder(tmp_path), on_command_line=True)
    assert "geheim" not in caught.value.summary + caught.value.next_step
    assert database_of(url, StateFolder(tmp_path)).url == url


def test_without_the_extra_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "dbos", None)
    with pytest.raises(IvnError) as caught:
        prepare(Database(f"sqlite:///{tmp_path}/x"))
    assert "pip install 'ivn-provision[fleet]'" in caught.value.next_step


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--runner", "durable", "--run", "../../runs"), "is no name of a run"),
        (("--runner", "durable", "--run", RUN[:-1]), "is no name of a run"),
        (("--run", RUN), "go with --runner durable"),
        (("--runner", "inline", "--wait", "5m"), "go with --runner durable"),
        (("--runner", "durable", "--verify"), "--verify and --hardware do not go with"),
        (("--runner", "durable", "--attest", "form.yml"), "neither a plan file nor --attest"),
        (("--runner", "durable", "--database", "postgresql://u:geheim@h/d"), "holds a password"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    arguments: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    ran = ivn_here("apply", "--auto-approve", *arguments, cwd=tmp_path)
    assert (ran.code, ran.out) == (64, "")
    assert said in ran.err
    assert "geheim" not in ran.err
