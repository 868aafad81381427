"""Which worker gets which site, what a submitter sees, and what the database holds."""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivn_provision.errors import IvnError
from ivn_provision.run.fleet.database import Database, prepare
from ivn_provision.run.fleet.site_job import SiteResult
from tests.support.broken_runs import edit_both
from tests.support.command import ivn_here
from tests.support.crash_writes import mark, twice, writes
from tests.support.fleet_database import cells, serialized, serializers
from tests.support.fleet_jobs import RUN, durable, refs, work_for
from tests.support.fleet_workers import at_hand, ended, listening, said, set_network, worker_process
from tests.support.world import World, started

EAST, WEST = "lab-0001", "lab-0002"


@pytest.fixture
def two(tmp_path: Path) -> Iterator[World]:
    """Two sites in two networks, each with changes that nobody has applied yet."""
    with started(tmp_path, count=2) as world:
        for site, network in ((EAST, "east"), (WEST, "west")):
            set_network(world, site, network)
            world.attest_all(site)
        yield world


def test_a_site_waits_for_a_worker_of_its_network(two: World, tmp_path: Path) -> None:
    """A submitter that is gone picks up again with --run; what it left is JSON without a secret."""
    runner, database = durable(tmp_path, 0.0), tmp_path / ".ivn" / "fleet.sqlite"
    runner.submit(work_for(two, EAST, WEST), refs(two, EAST, WEST))
    requests = two.lab.nvr(EAST).counters.posts
    west = worker_process(tmp_path, "west-1", "west")
    try:
        seen: dict[str, SiteResult] = {}
        for each in durable(tmp_path, 90.0, stopping=lambda: WEST in seen).results(RUN):
            seen[each.site] = each
        results = seen
        assert (results[WEST].standing, results[WEST].worker, results[WEST].code) == ("applied", "west-1", 0)
        assert (results[EAST].standing, results[EAST].code) == ("waiting", 130)
        assert f"--run {RUN}" in results[EAST].next_step
        assert two.lab.nvr(EAST).counters.posts == requests, "west's worker spoke to a site in the east"
        assert listening(west.pid) == set(), "an admin server"
        other = ivn_here("worker", "--name", "west-1", "--queue", "west", cwd=tmp_path)
        assert (other.code, other.out) == (1, "")
        assert "a worker west-1 runs here already" in other.err
        east = worker_process(tmp_path, "east-1", "east")
        ran = ivn_here("apply", "--runner", "durable", "--run", RUN, "--wait", "90s", cwd=tmp_path)
        assert (ran.code, ended(east)) == (0, 0), ran
        assert f"{EAST}: applied: read again and as declared" in ran.out
    finally:
        assert ended(west) == 0
    assert [said(tmp_path, name) for name in ("east-1", "west-1")] == ["", ""]
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
    assert serializers(database) == {"portable_json"}
    assert len(serialized(database)) >= 4
    content = b"".join(each.read_bytes() for each in database.parent.glob("fleet.sqlite*"))
    assert two.secrets
    assert not [each for each in two.secrets if each.encode() in content]
    assert not [
        name for name, values in cells(database).items() if any(isinstance(one, bytes) for one in values)
    ]


def test_a_site_that_another_host_gets_after_a_kill_goes_back_to_who_began_it(
    two: World, tmp_path: Path
) -> None:
    """East-1 is killed while it writes. It comes back without its network, so that east-2, which has another state
    folder, gets the site: east-2 hands it to east-1, which finishes it."""
    elsewhere = tmp_path / "other"
    elsewhere.mkdir()
    edit_both(two)
    since = mark(two, EAST)
    runner = durable(tmp_path, 0.0)
    first = worker_process(tmp_path, "east-1", "east")
    runner.submit(work_for(two, EAST), refs(two, EAST))
    _until_writing(first.pid)
    first.kill()
    first.wait()
    url = f"sqlite:///{tmp_path / '.ivn' / 'fleet.sqlite'}"
    second = worker_process(elsewhere, "east-2", "east", fleet=two.folder, database=url)
    again = worker_process(tmp_path, "east-1", "nowhere")
    try:
        (result,) = durable(tmp_path, 90.0).results(RUN)
    finally:
        codes = ended(second), ended(again)
    assert (result.standing, result.worker, result.code) == ("applied", "east-1", 0), result
    assert codes == (0, 0)
    assert twice(writes(two, EAST, since)) == ()
    assert two.plan(EAST)[0].plan is not None
    assert (
        f"{RUN}-{EAST}@east-1" in cells(tmp_path / ".ivn" / "fleet.sqlite")["workflow_status.workflow_uuid"]
    )


def test_a_database_that_does_not_answer_is_an_error_without_its_password() -> None:
    with pytest.raises(IvnError) as caught:
        prepare(Database("postgresql://u:geheim@127.0.0.1:9/d"))
    assert "cannot be used" in caught.value.summary
    assert "geheim" not in caught.value.summary + caught.value.next_step


def _until_writing(process: int) -> None:
    end = time.monotonic() + 60
    while not at_hand(process, "intent"):
        assert time.monotonic() < end, "the worker does not begin"
        time.sleep(0.01)
