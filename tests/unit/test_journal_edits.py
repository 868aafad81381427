"""A journal is chained under a key: every edit is found with its line, and the key is neither lost nor made anew."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ivn_provision.errors import StateError
from ivn_provision.run.journal import Journal, read_run, runs_of
from ivn_provision.run.state import StateFolder
from tests.support.journals import BEGIN, OTHER, RUN, clock, written


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
