"""A play that is killed (SIGKILL) goes on with `--resume`: what was done is not done again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.played import Plays, document, words
from tests.support.world import started

SITES = [f"lab-{number:04}" for number in range(1, 5)]
TEXT = """playbook: roll-out
vars: {soak: 3s}
waves: [1, 3]
soak: "${soak}"
gates: [proof]
steps:
  - do: plan
  - do: apply
"""
SECONDS = 60


@dataclass
class Killing:
    """One lab; each play brings its sites to another state."""

    plays: Plays
    state: int = 0

    def next_state(self) -> None:
        """Another label for a camera, on every site."""
        for site in SITES:
            self.plays.world.edit(site, f"label: Gate{self.state or ''}\n", f"label: Gate{self.state + 1}\n")
        self.state += 1

    def killed(self, when: Callable[[list[tuple[str, str]]], bool], *arguments: str) -> str:
        """A play that is killed as soon as `when` holds for the events (and sites) of its journal; its name."""
        known = self._plays()
        child = subprocess.Popen(
            [sys.executable, "-m", "ivn_provision", "play", "playbook.yml", *arguments],
            cwd=self.plays.folder,
            env={**os.environ, "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and child.poll() is None:
            for play in self._plays() - known:
                if when(self._events(play)):
                    child.send_signal(signal.SIGKILL)
                    child.wait()
                    assert child.returncode == -signal.SIGKILL
                    return play
            time.sleep(0.01)
        child.kill()
        raise AssertionError(f"it ended with {child.wait()} before it was killed")

    def _plays(self) -> set[str]:
        folder = self.plays.folder / ".ivn" / "plays"
        return {path.name for path in folder.iterdir()} if folder.is_dir() else set()

    def _events(self, play: str) -> list[tuple[str, str]]:
        path = self.plays.folder / ".ivn" / "plays" / play / "journal.jsonl"
        lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
        return [
            (each["event"], f"{each['data'].get('at', '')} {each['site']}") for each in map(json.loads, lines)
        ]


@pytest.fixture(scope="module")
def killing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killing]:
    with started(tmp_path_factory.mktemp("killed"), count=len(SITES)) as world:
        plays = Plays(world)
        plays.attest(SITES)
        plays.write(TEXT)
        assert plays.play("playbook.yml", "--var", "soak=1s").code == 0
        yield Killing(plays)


def at(event: str, where: str) -> Callable[[list[tuple[str, str]]], bool]:
    return lambda events: any(each == event and place.startswith(where) for each, place in events)


POINTS = {
    "after the first plan": at("result", "0/steps/0"),
    "when the first apply begins": at("began", "0/steps/1"),
    "after the first apply": at("result", "0/steps/1"),
    "in the soak": at("soak", "0/soak"),
    "when the second apply begins": at("began", "1/steps/1"),
    "when a site of the second wave is applied": at("result", "1/steps/1"),
}


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_play_goes_on(killing: Killing, point: str) -> None:
    plays = killing.plays
    killing.next_state()
    before = {site: plays.runs(site).count("applied") for site in SITES}
    play = killing.killed(POINTS[point])
    ran = plays.play("--resume", play)
    assert ran.code == 0, ran.out + ran.err
    assert set(words(ran).values()) == {"changed"}
    assert all(plays.is_declared(site) for site in SITES)
    assert {site: plays.runs(site).count("applied") - before[site] for site in SITES} == dict.fromkeys(
        SITES, 1
    )
    assert plays.records(play)[-1].event == "end"


def test_a_play_that_is_killed_in_the_middle_of_a_write(killing: Killing) -> None:
    """The run that broke off is ended first, then its site is applied anew."""
    plays = killing.plays
    killing.next_state()

    def writing(_: list[tuple[str, str]]) -> bool:
        newest = max((plays.folder / ".ivn" / "runs").iterdir())
        text = (newest / "journal.jsonl").read_bytes() if (newest / "journal.jsonl").exists() else b""
        return b'"command":"play' in text and b'"event":"intent"' in text and b'"event":"end"' not in text

    play = killing.killed(writing)
    ran = plays.play("--resume", play)
    assert ran.code == 0, ran.out + ran.err
    assert all(plays.is_declared(site) for site in SITES)


def cut_before(path: Path, is_cut: Callable[[dict[str, Any]], bool]) -> None:
    """Leave of a journal what a kill before a record would have left."""
    lines = path.read_bytes().splitlines(keepends=True)
    end = next(number for number, line in enumerate(lines) if is_cut(json.loads(line)))
    path.write_bytes(b"".join(lines[:end]))


def test_a_site_that_was_killed_between_its_last_write_and_its_record(killing: Killing) -> None:
    """Nothing of the run is left on the site, so only its journal can tell: the site was applied once, by that run."""
    plays = killing.plays
    killing.next_state()
    plays.write(TEXT.replace("waves: [1, 3]", "waves: [3, 1]"))
    first = plays.play("playbook.yml", "--var", "soak=1s")
    assert first.code == 0, first.err
    play = document(first)["play"]
    site, before = SITES[-1], plays.runs(SITES[-1])
    (run,) = [each.data["run"] for each in plays.records(play) if each.data.get("at") == "1/steps/1"][:1]
    state = plays.folder / ".ivn"
    cut_before(state / "runs" / run / "journal.jsonl", lambda each: each["event"] == "site_end")
    cut_before(
        state / "plays" / play / "journal.jsonl",
        lambda each: each["event"] == "result" and each["data"]["at"] == "1/steps/1",
    )
    assert plays.runs(site) == [*before[:-1], "unfinished"]
    ran = plays.play("--resume", play)
    plays.write(TEXT)
    assert ran.code == 0, ran.out + ran.err
    assert set(words(ran).values()) == {"changed"}
    assert plays.runs(site) == [*before, "unchanged"]


def test_site_files_that_change_meanwhile(killing: Killing) -> None:
    """The play waits, also before its gates; it goes on with the files put back, or with the new ones if a person says so."""
    plays = killing.plays
    killing.next_state()
    play = killing.killed(POINTS["in the soak"])
    label = f"label: Gate{killing.state}\n"
    plays.world.edit("lab-0003", label, "label: Other\n")
    waits = plays.play("--resume", play)
    assert waits.code == 4, waits.err
    assert "site files changed since play" in waits.err
    assert "lab-0003.yml" in waits.err
    assert "--accept-changed-files" in waits.err
    assert list(words(waits).values()) == ["changed", *["not begun"] * 3]
    plays.world.edit("lab-0003", "label: Other\n", label)
    plays.write(TEXT)
    assert plays.play("--accept-changed-files", "playbook.yml").code == 64
    killing.next_state()
    again = plays.play("--resume", play)
    assert (again.code, "lab-0001.yml, " in again.err) == (4, True)
    ran = plays.play("--resume", play, "--accept-changed-files")
    assert (ran.code, document(ran)["standing"]) == (3, "failed"), (
        "the first wave is not as declared any more"
    )


def test_what_must_be_the_same(killing: Killing, tmp_path: Path) -> None:
    plays = killing.plays
    killing.next_state()
    play = killing.killed(POINTS["after the first plan"], "--var", "soak=1s")
    assert plays.play("--resume", play, "--var", "soak=5s").code == 64
    assert plays.play("--resume", play, "--sites", "site:*").code == 64
    assert plays.play("--resume", play[:-3] + "zzz").code == 1
    plays.write(TEXT + "# another file\n")
    other = plays.play("--resume", play)
    assert other.code == 1
    assert "is not the playbook any more" in other.err
    plays.write(TEXT)
    journal = plays.folder / ".ivn" / "plays" / play / "journal.jsonl"
    kept = journal.read_bytes()
    journal.write_bytes(kept.replace(b"lab-0002", b"lab-0003"))
    edited = plays.play("--resume", play)
    assert (edited.code, "is not what the tool wrote" in edited.err) == (1, True)
    journal.write_bytes(kept)
    assert plays.play("--resume", play, "--var", "soak=1s").code == 0
    over = plays.play("--resume", play)
    assert (over.code, "is over" in over.err) == (1, True)


def test_a_pause_ends_with_4_and_goes_on_when_it_is_approved(killing: Killing) -> None:
    plays = killing.plays
    killing.next_state()
    plays.write(TEXT.replace('soak: "${soak}"\n', "") + "  - {do: pause, message: look at it}\n")
    first = plays.play("playbook.yml")
    assert first.code == 4
    assert list(words(first).values()) == ["changed", "not begun", "not begun", "not begun"]
    play = document(first)["play"]
    assert f"--resume {play} --approve" in first.err
    assert plays.play("--resume", play).code == 4
    second = plays.play("--resume", play, "--approve")
    assert (second.code, set(words(second).values())) == (4, {"changed"})
    last = plays.play("--resume", play, "--approve")
    assert (last.code, document(last)["standing"]) == (0, "done")
    approvals = [each for each in plays.records(play) if each.event == "done"]
    assert all("@" in each.data["text"] for each in approvals)
    plays.write(TEXT)


def test_ctrl_c_ends_the_step_and_the_play_goes_on_later(killing: Killing) -> None:
    plays = killing.plays
    killing.next_state()
    child = subprocess.Popen(
        [sys.executable, "-m", "ivn_provision", "play", "playbook.yml", "--var", "soak=1h"],
        cwd=plays.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    for line in child.stderr:
        if "soak:" in line:
            child.send_signal(signal.SIGINT)
            break
    out, err = child.communicate(timeout=SECONDS)
    assert child.returncode == 130, err
    assert "goes on with it" in err
    assert "lab-0001: changed" in out
    assert plays.runs("lab-0002")[-1] != "unfinished"
