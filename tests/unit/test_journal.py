"""The journal of a run: what it keeps through crashes, full disks and edits, and what it refuses."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ivn_provision.errors import StateError
from ivn_provision.run.journal import Journal, find_run, read_run, runs_of
from ivn_provision.run.state import StateFolder

ROOT = Path(__file__).resolve().parents[2]
RUN = "20261124T101500Z-1a2b3c4d"
OTHER = "20261124T111500Z-5e6f7a8b"
BEGIN = {"who": "jane@ops", "command": "apply", "revision": "abc", "sites": ["harbor"]}


def clock() -> datetime:
    return datetime(2026, 11, 24, 10, 15, tzinfo=UTC)


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    return StateFolder(tmp_path / ".ivn")


def written(state: StateFolder, run: str = RUN) -> Path:
    """A run of five records; the path of its journal."""
    journal = Journal.create(state, run, clock, **BEGIN)
    journal.append("planned", "harbor", before="snap-0123456789ab", spec="d", changes=[])
    journal.append("intent", "harbor", target="nvr", batch=1, addresses=["harbor/nvr/camera/10"])
    journal.append("done", "harbor", target="nvr", batch=1, addresses=["harbor/nvr/camera/10"])
    journal.append("site_end", "harbor", standing="applied", error="")
    journal.close()
    return state.path / "runs" / run / "journal.jsonl"


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


# -- torn ends ---------------------------------------------------------------------------------------


def test_a_line_torn_at_any_byte_is_dropped_and_cut_off(state: StateFolder) -> None:
    path = written(state)
    content = path.read_bytes()
    start = content[:-1].rfind(b"\n") + 1
    for end in range(start, len(content)):
        path.write_bytes(content[:end])
        assert len(read_run(state, RUN)) == 4
    Journal.reopen(state, RUN, clock).close()
    assert path.read_bytes() == content[:start]


def test_a_reopened_journal_goes_on_in_the_same_chain(state: StateFolder) -> None:
    path = written(state)
    path.write_bytes(path.read_bytes() + b'{"at":"2026-')
    journal = Journal.reopen(state, RUN, clock)
    journal.append("resumed", "harbor", who="joe@ops", way="revert")
    assert len(journal.records) == 6
    journal.close()
    assert [each.event for each in read_run(state, RUN)][-2:] == ["site_end", "resumed"]


def test_a_run_that_broke_off_before_its_first_record(state: StateFolder) -> None:
    path = written(state)
    path.write_bytes(b"")
    assert read_run(state, RUN) == ()
    (summary,) = runs_of(state)
    assert (summary.at, summary.error) == ("", "")
    journal = Journal.reopen(state, RUN, clock)
    journal.append("resumed", "harbor", who="joe@ops", way="revert")
    journal.close()
    assert len(read_run(state, RUN)) == 1


# -- edits -------------------------------------------------------------------------------------------


def edits() -> dict[str, tuple[int, Callable[[list[bytes]], list[bytes]]]]:
    """Name -> (the line that is off, what is done to the lines)."""
    return {
        "a value": (3, lambda one: [*one[:2], one[2].replace(b'"batch":1', b'"batch":2'), *one[3:]]),
        "the last line": (5, lambda one: [*one[:4], one[4].replace(b"applied", b"reverted")]),
        "a blank": (2, lambda one: [one[0], one[1].replace(b'"n":2', b'"n": 2'), *one[2:]]),
        "a key given twice": (2, lambda one: [one[0], b'{"n":2,' + one[1][1:], *one[2:]]),
        "a carriage return": (1, lambda one: [one[0] + b"\r", *one[1:]]),
        "a missing line": (3, lambda one: [*one[:2], *one[3:]]),
        "a missing first line": (1, lambda one: one[1:]),
        "lines changed over": (2, lambda one: [one[0], one[2], one[1], *one[3:]]),
        "a line twice": (3, lambda one: [*one[:2], one[1], *one[2:]]),
        "an empty line": (2, lambda one: [one[0], b"", *one[1:]]),
        "another mac": (4, lambda one: [*one[:3], one[3].replace(b'"mac":"', b'"mac":"0'), one[4]]),
        "a mac that is not ASCII": (4, lambda one: [*one[:3], _mac(one[3], "é"), one[4]]),
        "no object": (2, lambda one: [one[0], b"7", *one[2:]]),
        "no JSON": (2, lambda one: [one[0], b"{", *one[2:]]),
        "not UTF-8": (2, lambda one: [one[0], b"\xff\xfe\x00", *one[2:]]),
        "endless depth": (2, lambda one: [one[0], b"[" * 100_000, *one[2:]]),
        "an endless number": (2, lambda one: [one[0], b"9" * 100_000, *one[2:]]),
        "NaN": (2, lambda one: [one[0], one[1].replace(b'"n":2', b'"n":NaN'), *one[2:]]),
    }


def _mac(line: bytes, mac: str) -> bytes:
    return json.dumps({**json.loads(line), "mac": mac}, sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.parametrize("name", edits())
def test_an_edit_is_found_with_its_line(state: StateFolder, name: str) -> None:
    path = written(state)
    number, edit = edits()[name]
    path.write_bytes(b"\n".join(edit(path.read_bytes().split(b"\n")[:-1])) + b"\n")
    for use in (lambda: read_run(state, RUN), lambda: Journal.reopen(state, RUN, clock)):
        with pytest.raises(StateError) as caught:
            use()
        assert caught.value.where == f"{path}:{number}"
        assert caught.value.next_step
    (summary,) = runs_of(state)
    assert f"line {number}" in summary.error


def test_every_changed_byte_is_found(state: StateFolder) -> None:
    """But for the very last line end, without which the last line counts as torn."""
    path = written(state)
    content = path.read_bytes()
    for at in range(0, len(content) - 1, 7):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(StateError):
            read_run(state, RUN)


def test_the_journal_of_another_run_is_not_taken_for_this_one(state: StateFolder) -> None:
    first, second = written(state), written(state, OTHER)
    second.write_bytes(first.read_bytes())
    with pytest.raises(StateError, match="line 1"):
        read_run(state, OTHER)


def test_under_another_key_nothing_verifies(state: StateFolder) -> None:
    written(state)
    (state.path / "key").write_text("ab" * 32)
    with pytest.raises(StateError, match="line 1"):
        read_run(state, RUN)


def test_a_missing_key_is_not_made_anew_beside_journals(state: StateFolder) -> None:
    written(state)
    (state.path / "key").unlink()
    with pytest.raises(StateError, match="key of the state folder is missing"):
        read_run(state, RUN)
    with pytest.raises(StateError, match="key of the state folder is missing"):
        Journal.create(state, OTHER, clock, **BEGIN)
    assert not (state.path / "key").exists()


def test_a_given_key_is_never_written(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / ".ivn", b"a key of the environment")
    written(state)
    assert len(read_run(state, RUN)) == 5
    found = [each for each in state.path.rglob("*") if each.is_file()]
    assert all(b"a key of the" not in each.read_bytes() for each in found)
    assert not (state.path / "key").exists()


@pytest.mark.parametrize("content", [b"", b"short", b"z" * 64, b"ab" * 40, b"\xff" * 64, b"x" * 5000])
def test_a_damaged_key_is_an_error(state: StateFolder, content: bytes) -> None:
    written(state)
    (state.path / "key").write_bytes(content)
    with pytest.raises(StateError):
        read_run(state, RUN)


def test_two_that_make_the_key_at_once_get_the_same(state: StateFolder) -> None:
    keys: list[bytes] = []
    threads = [threading.Thread(target=lambda: keys.append(state.key())) for _ in range(16)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(keys) == 16
    assert len(set(keys)) == 1
    assert [each.name for each in state.path.iterdir()] == ["key"]


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


CHILD = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from ivn_provision.errors import StateError
from ivn_provision.run.journal import Journal
from ivn_provision.run.state import StateFolder
now = lambda: datetime(2026, 11, 24, tzinfo=UTC)
state = StateFolder(Path(sys.argv[1]))
journal = Journal.create(state, sys.argv[2], now, who="w", command="c", revision="")
"""


def child(state: StateFolder, code: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", CHILD + code, str(state.path), RUN]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)


@pytest.mark.parametrize("lines", [1, 7, 40])
def test_killed_between_lines_it_verifies_and_goes_on(state: StateFolder, lines: int) -> None:
    process = child(state, "while True:\n    journal.append('note', 's', pad='x' * 3000); print(flush=True)")
    assert process.stdout is not None
    for _ in range(lines):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    assert len(read_run(state, RUN)) >= lines + 1
    journal = Journal.reopen(state, RUN, clock)
    journal.append("end", standing="failed")
    journal.close()
    assert read_run(state, RUN)[-1].event == "end"


# -- a full disk -------------------------------------------------------------------------------------


def test_a_disk_that_fills_up_and_has_room_again(state: StateFolder) -> None:
    """By a limit on the size of files: the first write is short, as on a full disk."""
    process = child(
        state,
        """
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
good = 0
for _ in range(100):
    try:
        journal.append("note", "s", pad="x" * 500)
        good += 1
    except StateError as error:
        assert "journal" in error.summary and "resume" in error.next_step, error
        break
try:
    journal.append("note", "s", pad="y" * 300)
except StateError:
    pass
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
journal.append("after", "s", good=good)
""",
    )
    process.communicate(timeout=30)
    assert process.returncode == 0
    records = read_run(state, RUN)
    assert records[-1].event == "after"
    assert len(records) - 2 >= records[-1].data["good"] > 2


def test_a_full_disk_at_the_beginning_leaves_nothing(state: StateFolder) -> None:
    state.key()
    code = CHILD.replace("journal =", "resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\njournal =")
    command = [sys.executable, "-c", code, str(state.path), RUN]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=30, check=False)
    assert b"StateError" in done.stderr
    assert runs_of(state) == ()


@contextmanager
def small_disk(path: Path) -> Iterator[None]:
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(path)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here; the limit on files above stands for a full disk")
    if done.returncode:
        pytest.skip("a file system of its own cannot be mounted here; the limit on files above stands for it")
    try:
        yield
    finally:
        subprocess.run(["umount", str(path)], check=True)


def fill(path: Path) -> None:
    with suppress(OSError), path.open("wb", buffering=0) as stream:
        while stream.write(b"x" * 4096):
            pass


def test_a_small_disk_that_is_really_full(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk"):
        state = StateFolder(tmp_path / "disk" / ".ivn")
        journal = Journal.create(state, RUN, clock, **BEGIN)
        ballast = tmp_path / "disk" / "ballast"
        fill(ballast)
        good = 0
        with pytest.raises(StateError, match="No space"):  # noqa: PT012 - the one that fails is not known before
            for _ in range(100):
                journal.append("note", "s", pad="x" * 900)
                good += 1
        with pytest.raises(StateError):
            state.write(state.path / "other", b"x" * 9000)
        assert len(read_run(state, RUN)) == good + 1
        ballast.unlink()
        journal.append("after")
        journal.close()
        assert len(read_run(state, RUN)) == good + 2
        assert sorted(each.name for each in state.path.iterdir()) == ["key", "runs"]


def test_a_torn_line_that_could_not_be_cut_off_is_written_over(
    state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fails at the sync, and at the cut: a shorter line afterwards must not keep the rest of it."""
    journal = Journal.create(state, RUN, clock, **BEGIN)

    def broken(*_: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        patch.setattr(os, "ftruncate", broken)
        with pytest.raises(StateError, match="Input/output error"):
            journal.append("note", "s", pad="x" * 500)
    journal.append("end")
    journal.close()
    assert [each.event for each in read_run(state, RUN)] == ["begin", "end"]


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
