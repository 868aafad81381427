"""`resume` goes on as the run was called, or leaves everything as it is and says why."""

from __future__ import annotations

import json

import pytest

from ivn_provision.errors import PersonNeeded, StalePlan
from ivn_provision.run.holding import WAITS
from ivn_provision.run.journal import read_run
from ivn_provision.run.resuming import Way
from tests.support.broken_runs import (
    SITE,
    WITHIN,
    edit_both,
    files_of,
    held,
    killed_after,
    later,
    plan_of,
    records,
    resume,
    standing,
    when_over,
    writes,
)
from tests.support.command import ivn_here
from tests.support.world import World

PORTAL_FIELD = "portal/site entry_delay_seconds"


@pytest.fixture
def edited(world: World) -> World:
    """A site as declared, and a change for each target that nobody has applied yet."""
    world.attest_all(SITE)
    assert world.apply(SITE)[0].error is None
    edit_both(world)
    return world


def test_a_run_that_cannot_be_finished_stays_armed_and_held(edited: World) -> None:
    """What a person set is no reason to disarm the recorder: else half a run would stay for ever."""
    run = killed_after(edited, "done", target="nvr", confirm_within=WITHIN)
    edited.lab.tamper(SITE, "site", fields={"entry_delay_seconds": "20"})
    kept, told = held(edited), read_run(edited.state, run)
    assert kept == {"nvr": f"{run}-{SITE}", "portal": f"{run}-{SITE}", "reverts": "armed"}
    for way in (Way.FINISH, None):
        outcome = resume(edited, run, way)
        assert isinstance(outcome.error, StalePlan), outcome.error
        assert "somebody changed entry_delay_seconds" in outcome.error.summary
        assert "resume RUN --revert" in outcome.error.next_step
    assert held(edited) == kept
    assert read_run(edited.state, run) == told
    later(edited)
    outcome = resume(edited, run)
    assert outcome.error is None, outcome.error
    assert outcome.reverted
    edit_both(edited, back=True)
    assert when_over(edited) == {PORTAL_FIELD: (20, 45)}, "a person's, which the run had not written yet"


def test_what_the_run_did_not_choose_is_left_alone_when_it_is_finished(edited: World) -> None:
    edited.edit(SITE, "label: Gate\n", "label: Gate B\n")
    run = killed_after(edited, "done", target="nvr", excludes=("nvr/camera/11",))
    outcome = resume(edited, run, Way.FINISH)
    assert outcome.error is None, outcome.error
    assert not outcome.reverted
    assert standing(edited, run) == "applied"
    camera = {"nvr/camera/11 name": ("11 Gate", "11 Gate B")}
    assert when_over(edited) == camera
    edit_both(edited, back=True)
    run = killed_after(edited, "done", target="nvr", targets=("nvr/camera/10",))
    outcome = resume(edited, run)
    assert outcome.error is None, outcome.error
    assert standing(edited, run) == "applied"
    assert when_over(edited) == {**camera, PORTAL_FIELD: (10, 45)}


def test_a_run_that_was_to_wait_waits_when_it_is_finished(edited: World) -> None:
    run = killed_after(edited, "done", target="nvr", confirm_within=WITHIN, hold=True)
    outcome = resume(edited, run)
    assert outcome.error is None, outcome.error
    assert standing(edited, run) == "pending"
    plan = plan_of(edited)
    assert plan.is_empty
    (armed,) = [each for facts in plan.facts for each in facts.holding.reverts]
    assert (armed.state, armed.due_at) == ("armed", outcome.pending_until)
    leases = [facts.holding.lease for facts in plan.facts]
    assert [each is not None and each.owner.endswith(WAITS) for each in leases] == [True, True]
    kept = held(edited)
    for way in (None, Way.FINISH):
        again = resume(edited, run, way)
        assert isinstance(again.error, PersonNeeded), again.error
        assert again.error.exit_code == 4
        assert f"ivn-provision confirm {SITE}" in again.error.next_step
        assert f"resume {run} --revert" in again.error.next_step
    assert held(edited) == kept
    assert standing(edited, run) == "pending"
    undone = resume(edited, run, Way.REVERT)
    assert undone.error is None, undone.error
    assert undone.reverted
    assert standing(edited, run) == "reverted"
    assert edited.lab.nvr(SITE).windows.tasks.all() == []
    edit_both(edited, back=True)
    assert when_over(edited) == {}


# As a user calls it


def test_what_is_said_of_a_run_that_waits_and_of_one_that_waited_too_long(edited: World) -> None:
    at = edited.folder.parent
    (begun,) = edited.apply(SITE, confirm_within=WITHIN, hold=True)
    status = ivn_here("status", SITE, cwd=at)
    assert status.code == 2
    assert f"Keep it with `ivn-provision confirm {SITE}`" in status.out
    assert f"undo it with `ivn-provision resume {begun.run} --revert`" in status.out
    asked = ivn_here("resume", begun.run, cwd=at)
    assert asked.code == 4, asked.err
    assert f"{SITE}: not ended yet." in asked.out
    assert f"ivn-provision confirm {SITE}" in asked.err
    assert "--revert" in asked.err
    undone = ivn_here("resume", begun.run, "--revert", cwd=at)
    assert undone.code == 0, undone.err
    assert undone.out == f"{SITE}: reverted. It was read again and is as it was before the run.\n"
    assert ivn_here("status", SITE, cwd=at).out == f"{SITE}: nothing is pending.\n"
    (begun,) = edited.apply(SITE, confirm_within=WITHIN, hold=True)
    later(edited)
    status = ivn_here("status", SITE, cwd=at)
    assert status.code == 2
    assert "has put the earlier state back" in status.out
    assert f"run {begun.run}: pending. End it with `ivn-provision resume {begun.run}`" in status.out
    assert "confirm" not in status.out.replace(WAITS, "")
    late = ivn_here("confirm", SITE, cwd=at)
    assert late.code == 1
    assert "too late" in late.err


def test_a_run_is_finished_though_a_person_has_something_left_to_attest(edited: World) -> None:
    at = edited.folder.parent
    run = killed_after(edited, "done", target="nvr")
    for each in (edited.folder / "attestations").iterdir():
        each.unlink()
    ended = ivn_here("resume", run, cwd=at)
    assert ended.code == 4, ended.err
    assert ended.out == f"{SITE}: finished. It was read again and is as declared.\n"
    assert "needs a person for" in ended.err
    assert standing(edited, run) == "applied"
    (end,) = records(edited, run, "site_end")
    assert "needs a person" in end.data["error"]


def test_an_edited_journal_is_refused_without_a_write(edited: World) -> None:
    at = edited.folder.parent
    run = killed_after(edited, "done", target="nvr", confirm_within=WITHIN)
    path = edited.state.path / "runs" / run / "journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b"10 Main Entrance", b"10 Side Entrance"))
    before, kept, files = writes(edited), held(edited), files_of(edited.state.path)
    for options in ([], ["--revert"], ["--finish", "--format", "json"]):
        refused = ivn_here("resume", run, *options, cwd=at)
        assert refused.code == 1
        assert refused.out == ""
        assert "is not what the tool wrote there" in refused.err
        assert "journal.jsonl:2" in refused.err
    assert (writes(edited), held(edited), files_of(edited.state.path)) == (before, kept, files)
    shown = ivn_here("history", "--format", "json", cwd=at)
    assert "line 2" in {each["run"]: each["error"] for each in json.loads(shown.out)}[run]


def test_a_run_that_broke_off_before_its_first_record_left_nothing_to_do(edited: World) -> None:
    run = "20261124T101010Z-deadbeef"
    folder = edited.state.path / "runs" / run
    folder.mkdir(mode=0o700)
    (folder / "journal.jsonl").write_bytes(b'{"at":"2026-11-24T10:1')
    done = ivn_here("resume", run, cwd=edited.folder.parent)
    assert done.code == 0, done.err
    assert "nothing was left to do" in done.out
