"""The journal of a run: what it keeps and for whom, whose name it takes, and what it says of the runs there are."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from ivn_provision.errors import StateError
from ivn_provision.run.journal import Journal, find_run, read_run, runs_of
from ivn_provision.run.state import StateFolder
from tests.support.journals import BEGIN, OTHER, RUN, clock, written


def test_what_was_written_is_read_back(state: StateFolder) -> None:
    written(state)
    records = read_run(state, RUN)
    assert [each.number for each in records] == [1, 2, 3, 4, 5]
    assert [each.event for each in records] == ["begin", "planned", "intent", "done", "site_end"]
    assert records[0].data["who"] == "jane@ops"
    assert records[0].at == "2026-11-24T10:15:00Z"
    assert records[2].data["addresses"] == ["harbor/nvr/camera/10"]


def test_records_are_the_same_before_and_after_reading(state: StateFolder) -> None:
    journal = Journal.create(state, RUN, clock, **BEGIN)
    journal.append(
        "odd", "harbor", items=("a", 1.5), name="half \ud800 pair", text="\u2028 \x1b[31m", no=None
    )
    seen = journal.records
    journal.close()
    assert read_run(state, RUN) == seen
    assert seen[1].data["items"] == ["a", 1.5]
    assert seen[1].data["name"] == "half \\ud800 pair"


def test_every_record_is_synced_before_append_returns(
    state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    pwrite, fsync = os.pwrite, os.fsync
    journal = Journal.create(state, RUN, clock, **BEGIN)

    def counted_write(handle: int, content: bytes, at: int) -> int:
        calls.append("write")
        return pwrite(handle, content, at)

    def counted_sync(handle: int) -> None:
        calls.append("sync")
        fsync(handle)

    monkeypatch.setattr(os, "pwrite", counted_write)
    monkeypatch.setattr(os, "fsync", counted_sync)
    journal.append("end", standing="done")
    journal.close()
    assert calls == ["write", "sync"]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o277])
def test_only_the_owner_may_read_whatever_the_umask(state: StateFolder, umask: int) -> None:
    before = os.umask(umask)
    try:
        written(state)
    finally:
        os.umask(before)
    for path in [state.path, *state.path.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_a_folder_that_others_may_read_is_closed(state: StateFolder) -> None:
    state.path.mkdir(mode=0o755)
    written(state)
    assert stat.S_IMODE(state.path.stat().st_mode) == 0o700


# -- hostile files and names -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["folder", "pipe", "symlink", "loop", "large"])
def test_a_journal_that_is_no_file_of_ours(state: StateFolder, tmp_path: Path, kind: str) -> None:
    path = written(state)
    content = path.read_bytes()
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "symlink":
        (tmp_path / "elsewhere").write_bytes(content)
        path.symlink_to(tmp_path / "elsewhere")
    elif kind == "loop":
        path.symlink_to(path)
    else:
        with path.open("wb") as stream:
            stream.truncate(300 * 1024 * 1024)
    for use in (lambda: read_run(state, RUN), lambda: Journal.reopen(state, RUN, clock)):
        with pytest.raises(StateError) as caught:
            use()
        assert caught.value.next_step
    (summary,) = runs_of(state)
    assert summary.error


@pytest.mark.parametrize(
    "name", ["../../etc", "..", "", "a/b", ".hidden", "a\x00b", "-rf", "ä" * 10, "x" * 500]
)
def test_a_name_that_is_no_name_of_a_run(state: StateFolder, name: str) -> None:
    written(state)
    for use in (
        lambda: read_run(state, name),
        lambda: Journal.reopen(state, name, clock),
        lambda: Journal.create(state, name, clock, **BEGIN),
    ):
        with pytest.raises(StateError, match="no name of a run"):
            use()
    assert not Journal.is_here(state, name)


def test_the_beginning_of_a_name_will_do_if_there_is_one(state: StateFolder) -> None:
    written(state)
    written(state, OTHER)
    assert find_run(state, "20261124T10") == RUN
    assert read_run(state, "20261124T10") == read_run(state, RUN)
    with pytest.raises(StateError, match="2 runs begin with 20261124T1"):
        find_run(state, "20261124T1")
    with pytest.raises(StateError, match="there is no run"):
        find_run(state, "20251124")


def test_runs_that_are_not_there(state: StateFolder) -> None:
    assert runs_of(state) == ()
    with pytest.raises(StateError, match="there is no run"):
        read_run(state, RUN)
    assert not state.path.exists()  # looking makes nothing


def test_a_run_is_begun_once(state: StateFolder) -> None:
    path = written(state)
    before = path.read_bytes()
    with pytest.raises(StateError):
        Journal.create(state, RUN, clock, **BEGIN)
    assert path.read_bytes() == before


# -- one writer, many threads ------------------------------------------------------------------------


def test_a_run_that_is_going_on_is_left_alone(state: StateFolder) -> None:
    journal = Journal.create(state, RUN, clock, **BEGIN)
    assert Journal.is_open(state, RUN)
    with pytest.raises(StateError, match="still going on"):
        Journal.reopen(state, RUN, clock)
    journal.append("planned", "harbor", before="", spec="", changes=[])
    assert runs_of(state)[0].sites == {"harbor": "unfinished"}
    journal.close()
    assert not Journal.is_open(state, RUN)
    Journal.reopen(state, RUN, clock).close()


def test_threads_append_at_once(state: StateFolder) -> None:
    journal = Journal.create(state, RUN, clock, **BEGIN)

    def work(name: str) -> None:
        for number in range(20):
            journal.append("note", name, number=number)

    threads = [threading.Thread(target=work, args=(f"site-{index}",)) for index in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    journal.close()
    records = read_run(state, RUN)
    assert len(records) == 81
    for index in range(4):
        mine = [each.data["number"] for each in records if each.site == f"site-{index}"]
        assert mine == list(range(20))


def test_what_became_of_the_sites(state: StateFolder) -> None:
    journal = Journal.create(state, RUN, clock, **{**BEGIN, "sites": ["a", "b", "c", "d"]})
    for site in ("a", "b", "d"):
        journal.append("planned", site, before="", spec="", changes=[])
    journal.append("site_end", "a", standing="applied", error="")
    journal.append("site_end", "d", standing="failed", error="x")
    journal.append("resumed", "d", who="w", way="revert")
    journal.close()
    (summary,) = runs_of(state)
    assert summary.sites == {"a": "applied", "b": "unfinished", "c": "refused", "d": "unfinished"}
    assert (summary.who, summary.command, summary.revision) == ("jane@ops", "apply", "abc")


def test_the_newest_run_is_first_and_a_damaged_one_is_listed(state: StateFolder) -> None:
    written(state)
    written(state, OTHER).write_bytes(b"gone\n")
    first, second = runs_of(state)
    assert first.run == OTHER
    assert first.error
    assert second.run == RUN
    assert second.sites == {"harbor": "applied"}
