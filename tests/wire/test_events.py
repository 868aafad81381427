"""`--format jsonl`, the live line and the table, as a user's processes see them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import ivn
from tests.support.event_lines import each_site_ends_once, messages, of_type
from tests.support.world import World, started

FLEET = ("--fleet", "sites")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Twelve sites; the last one's file is broken."""
    with started(tmp_path_factory.mktemp("events"), count=12) as world:
        for number in range(1, 12):
            world.attest_all(f"lab-{number:04}")
        (world.folder / "lab-0012.yml").write_text("name: [", encoding="utf-8")
        yield world


def test_every_command_says_what_happens(world: World) -> None:
    here = world.folder.parent
    plan = ivn("plan", "lab-0001", *FLEET, "--format", "jsonl", "--detailed-exitcode", cwd=here)
    found = messages(plan.out)
    assert (plan.code, plan.err) == (2, "")
    assert each_site_ends_once(found) == {"lab-0001": "drift"}
    planned = {each["change"]["resource"]["addr"] for each in of_type(found, "planned_change")}
    assert planned
    apply = ivn("apply", "lab-0001", *FLEET, "--auto-approve", "--format", "jsonl", cwd=here)
    found = messages(apply.out)
    assert (apply.code, apply.err) == (0, ""), apply.out
    assert {each["hook"]["resource"]["addr"] for each in of_type(found, "apply_complete")} == planned
    assert len(of_type(found, "proof_complete")) == 1
    assert each_site_ends_once(found) == {"lab-0001": "applied"}
    for command, ends in (
        ("drift", {"clean"}),
        ("check", {"failing", "inconclusive", "clean"}),
        ("audit", {"failing", "drift", "open", "clean"}),
    ):
        done = ivn(command, "lab-0001", *FLEET, "--format", "jsonl", cwd=here)
        found = messages(done.out)
        assert done.err == ""
        assert set(each_site_ends_once(found).values()) <= ends
        assert found[-1]["run"]["exit_code"] == done.code
    verify = ivn("verify", "lab-0001", *FLEET, "--format", "jsonl", cwd=here)
    found = messages(verify.out)
    assert verify.err == ""
    assert of_type(found, "alarm_fired", "alarm_arrived", "check_result")
    assert found[-1]["run"]["exit_code"] == verify.code
    text = plan.out + apply.out + verify.out
    assert [secret for secret in _secrets(world) if secret in text] == []


def test_globs_choose_what_is_told(world: World) -> None:
    options = ("--target", "nvr/camera/*", "--format", "jsonl")
    done = ivn("plan", "lab-0002", *FLEET, *options, cwd=world.folder.parent)
    kinds = {
        each["change"]["resource"]["resource_type"] for each in of_type(messages(done.out), "planned_change")
    }
    assert kinds == {"camera"}


def test_what_is_broken_is_told_at_its_place(world: World) -> None:
    done = ivn("drift", "lab-0012", *FLEET, "--format", "jsonl", cwd=world.folder.parent)
    found = messages(done.out)
    assert (done.code, done.err) == (1, "")
    assert each_site_ends_once(found) == {"lab-0012": "invalid"}
    assert any("range" in each["diagnostic"] for each in of_type(found, "diagnostic"))


@pytest.mark.parametrize("arguments", [("drift", "nowhere"), ("apply", "lab-0001")])
def test_a_wrong_call_is_told_on_stderr(world: World, arguments: tuple[str, ...]) -> None:
    done = ivn(*arguments, *FLEET, "--format", "jsonl", cwd=world.folder.parent)
    assert done.code == 64
    assert done.out == ""
    assert done.err.startswith("error:")


def test_a_reader_that_goes_away(world: World) -> None:
    """One line is read of many. No traceback, nothing on stderr, and the process ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ivn_provision", "drift", *FLEET, "--format", "jsonl"],
        cwd=world.folder.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert '"type":"version"' in process.stdout.readline()
    process.stdout.close()
    error = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) in {1, 130}
    assert error == ""


# At a terminal


@pytest.mark.parametrize("columns", [80, 40])
def test_a_live_line_then_the_table(world: World, columns: int) -> None:
    seen, code = at_terminal("drift", *FLEET, cwd=world.folder.parent, columns=columns)
    assert code == 1
    lines = [_plain(each) for each in re.split(r"[\r\n]", seen)]
    live = [each for each in lines if re.search(r"\b\d+/12\b", each)]
    assert live
    assert max(map(len, live)) <= columns
    assert "12 sites" in lines
    assert any(each.split() == ["invalid", "1", "lab-0012"] for each in lines)
    assert "\x1b[?25h" in seen, "the cursor is there again"


def test_no_colour_and_a_dumb_terminal(world: World) -> None:
    seen, _ = at_terminal("drift", *FLEET, cwd=world.folder.parent, columns=80, env={"NO_COLOR": "1"})
    assert re.search(r"\x1b\[[0-9;]*m", seen) is None
    seen, _ = at_terminal("drift", *FLEET, cwd=world.folder.parent, columns=80, env={"TERM": "dumb"})
    assert "\x1b" not in seen
    assert "/12" not in seen


def at_terminal(
    *arguments: str, cwd: Path, columns: int, env: dict[str, str] | None = None
) -> tuple[str, int]:
    """What a command writes to a pseudo terminal of 24 lines, and its exit code."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    drop = {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"}
    environment = {name: value for name, value in os.environ.items() if name not in drop}
    process = subprocess.Popen(
        [sys.executable, "-m", "ivn_provision", *arguments],
        cwd=cwd,
        env={**environment, "TERM": "xterm-256color", **(env or {})},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    seen = b""
    try:
        while part := os.read(ours, 65536):
            seen += part
    except OSError:
        pass  # Linux says so that the other end has been closed
    os.close(ours)
    return seen.decode(), process.wait(60)


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def _secrets(world: World) -> list[str]:
    files = (world.folder.parent / "lab" / "secrets").iterdir()
    found = [file.read_text(encoding="utf-8").strip() for file in files if file.is_file()]
    assert found
    return found
