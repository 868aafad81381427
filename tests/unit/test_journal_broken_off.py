"""A journal whose writer was killed or whose disk was full: what is torn is cut off, and the rest goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from ivn_provision.errors import StateError
from ivn_provision.run.journal import Journal, read_run, runs_of
from ivn_provision.run.state import StateFolder
from tests.support.journals import BEGIN, RUN, clock, written

ROOT = Path(__file__).resolve().parents[2]


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
