"""A command that is called wrongly says so with exit code 64, before it reads or writes anything."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ivn_provision.cli.guarding import SHORTEST_KEY, state_folder
from ivn_provision.errors import UsageProblem
from ivn_provision.run.journal import Journal, read_run
from tests.support.command import ivn_here
from tests.support.world import utc_now

KEY = "IVN_PROVISION_KEY"
RUN = "20261124T101010Z-deadbeef"


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a fleet in which there is no site."""
    monkeypatch.delenv(KEY, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sites").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        *("plan", "apply", "drift", "status", "resume", "confirm", "rollback", "runbook"),
        *("capabilities", "learn alarm"),
    ],
)
@pytest.mark.parametrize("seconds", ["inf", "-inf", "nan", "1e9", "3601", "0", "soon"])
def test_a_deadline_that_is_none(at: Path, command: str, seconds: str) -> None:
    name, *more = command.split()
    ran = ivn_here(name, "harbor", *more, f"--deadline={seconds}", cwd=at)
    assert ran.code == 64, ran.err
    assert "Invalid value for '--deadline'" in ran.err
    assert ran.out == ""


@pytest.mark.parametrize("seconds", ["0.5", "60", "3600"])
def test_a_deadline_at_its_edges(at: Path, seconds: str) -> None:
    ran = ivn_here("plan", "harbor", f"--deadline={seconds}", cwd=at)
    assert "there is no site 'harbor'" in ran.err


@pytest.mark.parametrize("name", ["nofile.plan", "plans/no.json", "*", "..", ""])
@pytest.mark.parametrize("options", [[], ["--format", "json"]])
def test_a_plan_file_that_is_not_there_is_said_before_anybody_is_asked(
    at: Path, name: str, options: list[str]
) -> None:
    ran = ivn_here("apply", name, *options, cwd=at)
    assert ran.code == 64
    assert f"there is no site {name!r} in sites" in ran.err
    assert "nobody to ask" not in ran.err
    assert not (at / ".ivn").exists()


@pytest.mark.parametrize(
    "key",
    ["x", "x" * (SHORTEST_KEY - 1), os.fsdecode(b"\xff\xfe"), "\t"],
    ids=["one", "one too few", "not UTF-8", "a blank"],
)
@pytest.mark.parametrize("command", [["history"], ["resume", RUN]])
def test_a_key_that_could_be_guessed(
    at: Path, monkeypatch: pytest.MonkeyPatch, key: str, command: list[str]
) -> None:
    monkeypatch.setenv(KEY, key)
    ran = ivn_here(*command, cwd=at)
    assert ran.code == 64
    assert f"{KEY} is shorter than {SHORTEST_KEY} characters" in ran.err
    assert "openssl rand" in ran.err
    if len(key) > 1:
        assert key not in ran.err
    with pytest.raises(UsageProblem):
        state_folder()


@pytest.mark.parametrize(
    "key",
    [b"\xff\x80" * 16, "Schlüssel".encode() * 4, b"0" * SHORTEST_KEY],
    ids=["not UTF-8", "not ASCII", "the shortest"],
)
def test_a_key_of_any_bytes_seals(at: Path, monkeypatch: pytest.MonkeyPatch, key: bytes) -> None:
    """A key is bytes; it need not be text."""
    monkeypatch.setenv(KEY, os.fsdecode(key))
    assert state_folder().key() == key
    Journal.create(state_folder(), RUN, utc_now, who="a@b", command="apply", revision="", dirty=False).close()
    assert len(read_run(state_folder(), RUN)) == 1
    (run,) = json.loads(ivn_here("history", "--format", "json", cwd=at).out)
    assert (run["run"], run["error"]) == (RUN, "")
    assert not (at / ".ivn" / "key").exists()


@pytest.mark.parametrize("key", ["", None])
def test_no_key_is_the_folders_own(at: Path, monkeypatch: pytest.MonkeyPatch, key: str | None) -> None:
    if key is not None:
        monkeypatch.setenv(KEY, key)
    assert state_folder().given_key == b""
