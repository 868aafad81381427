"""Soak, pauses, notices, and a play that is killed after any record of its journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ivn_provision.errors import StateError
from ivn_provision.run.journal import Journal
from ivn_provision.run.play.outcome import Standing
from tests.support.scripted_crew import Killed, Scripted, Stage

WHOLE = """playbook: whole
waves: [1, 2]
max_failures: 1
on_failure: rollback
soak: 10m
gates: [proof, checks, acceptance]
steps:
  - do: plan
  - do: apply
  - {do: pause, message: look at it}
  - {do: notify, url: "https://hooks.invalid/x"}
finally:
  - {do: report, file: out.md}
  - {do: notify, url: "https://hooks.invalid/x", when: "is:failed"}
"""


def steps(*lines: str, head: str = "") -> str:
    return f"playbook: small\n{head}steps:\n" + "".join(f"  - {line}\n" for line in lines)


def test_a_soak_is_between_waves_only_and_the_gates_are_judged_again(tmp_path: Path) -> None:
    stage = Stage(tmp_path, steps("do: apply", head="waves: [1]\nsoak: 10m\ngates: [proof, acceptance]\n"), 3)
    crew = Scripted()
    assert stage.play(crew).standing is Standing.DONE
    assert stage.time.waited == 2 * 600
    counted = Counter(each.split()[0] for each in crew.did)
    assert counted == {"apply": 3, "proof": 3 + 2, "acceptance": 3}


def test_what_comes_to_light_in_a_soak_ends_the_play(tmp_path: Path) -> None:
    class Later(Scripted):
        def work(self, task: Any) -> None:
            self.fails = {"checks": ["s1"]} if self.did.count("checks s1") else {}
            super().work(task)

    stage = Stage(tmp_path, steps("do: apply", head="waves: [1]\nsoak: 10m\ngates: [checks]\n"), 3)
    crew = Later()
    outcome = stage.play(crew)
    assert outcome.standing is Standing.FAILED
    assert [each.word for each in outcome.sites] == ["failed, put back", "not begun", "not begun"]


def test_a_wave_that_changed_nothing_does_not_soak(tmp_path: Path) -> None:
    stage = Stage(tmp_path, steps("do: apply", head="waves: [1]\nsoak: 10m\n"), 3)
    assert stage.play(Scripted(unchanged=["s1", "s2", "s3"])).exit_code == 0
    assert stage.time.waited == 0


def test_a_pause_waits_for_a_person_and_goes_on_once(tmp_path: Path) -> None:
    stage = Stage(tmp_path, steps("do: apply", "{do: pause, message: look}", head="waves: [1]\n"), 2)
    crew = Scripted()
    first = stage.play(crew)
    assert (first.standing, first.exit_code) == (Standing.PAUSED, 4)
    assert first.error is not None
    assert "--approve" in first.error.next_step
    again = stage.play(crew, resume=True)
    assert (again.standing, again.exit_code) == (Standing.PAUSED, 4)
    second = stage.play(crew, resume=True, approve="me@here")
    assert second.standing is Standing.PAUSED
    assert crew.did == ["apply s1", "apply s2"]
    last = stage.play(crew, resume=True, approve="me@here")
    assert (last.standing, last.exit_code) == (Standing.DONE, 0)
    assert crew.did == ["apply s1", "apply s2"]


def test_a_person_at_the_terminal_goes_on_at_once(tmp_path: Path) -> None:
    stage = Stage(tmp_path, steps("do: apply", "{do: pause, message: look}", head="waves: [1]\n"), 2)
    assert stage.play(Scripted(person="me@here")).standing is Standing.DONE


def test_a_play_that_is_over_is_not_resumed(tmp_path: Path) -> None:
    stage = Stage(tmp_path, steps("do: plan"), 1)
    stage.play(Scripted())
    with pytest.raises(StateError, match="is over"):
        stage.play(Scripted(), resume=True)


def test_a_webhook_that_is_down_never_blocks(tmp_path: Path) -> None:
    stage = Stage(tmp_path, steps('{do: notify, url: "https://hooks.invalid/"}', "do: apply"), 1)
    outcome = stage.play(Scripted(reached=False))
    assert (outcome.standing, outcome.exit_code) == (Standing.DONE, 0)
    assert [each.text for each in outcome.notes] == ["notify: the webhook cannot be reached"]


def test_a_play_waits_where_a_required_webhook_is_down(tmp_path: Path) -> None:
    stage = Stage(
        tmp_path, steps('{do: notify, url: "https://hooks.invalid/", required: true}', "do: apply"), 1
    )
    crew = Scripted(reached=False)
    outcome = stage.play(crew)
    assert (outcome.standing, outcome.exit_code) == (Standing.PAUSED, 4)
    assert crew.did == ["notify 0/steps/0"]
    again = Scripted()
    assert stage.play(again, resume=True).standing is Standing.DONE
    assert again.did[0] == "notify 0/steps/0"


def test_finally_is_done_where_the_play_failed(tmp_path: Path) -> None:
    stage = Stage(tmp_path, WHOLE, 4)
    crew = Scripted({"apply": ["s1"], "proof": ["s2"]}, person="me")
    outcome = stage.play(crew)
    assert outcome.standing is Standing.FAILED
    assert crew.did[-2:] == ["report out.md", "notify finally/1"]
    assert crew.told[-1].standing is Standing.FAILED


def test_when_chooses_sites(tmp_path: Path) -> None:
    text = steps(
        "{do: apply}",
        '{do: check, when: "is:changed"}',
        '{do: verify, when: "!is:changed"}',
        '{do: rollback, when: "is:failed"}',
        '{do: notify, url: "https://hooks.invalid/", when: "is:failed"}',
        head="max_failures: 100%\non_failure: stop\n",
    )
    crew = Scripted({"check": ["s2"]}, unchanged=["s3"])
    assert Stage(tmp_path, text, 3).play(crew).standing is Standing.DONE
    assert crew.did[3:] == ["check s1", "check s2", "verify s3", "rollback s2", "notify 0/steps/4"]


def killed_after(records: int) -> Callable[..., None]:
    """`Journal.append` that ends the process after so many records."""
    real, left = Journal.append, [records]

    def append(self: Journal, event: str, site: str = "", **data: Any) -> None:
        if left[0] == 0:
            raise Killed
        left[0] -= 1
        real(self, event, site, **data)

    return append


@pytest.mark.parametrize("fails", [{}, {"apply": ["s3"], "checks": ["s4"]}], ids=["well", "with failures"])
def test_killed_after_every_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: dict[str, list[str]]
) -> None:
    whole = Scripted(fails, person="me")
    wanted = Stage(tmp_path / "whole", WHOLE, 5)
    wanted.folder.mkdir()
    last = wanted.play(whole)
    kills = 0
    for records in range(1, 200):
        stage = Stage(tmp_path / f"killed-{records}", WHOLE, 5)
        stage.folder.mkdir()
        crew = Scripted(fails, person="me")
        monkeypatch.setattr(Journal, "append", killed_after(records))
        try:
            stage.play(crew)
        except Killed:
            kills += 1
        else:
            break
        finally:
            monkeypatch.undo()
        outcome = stage.play(crew, resume=True, approve="me")
        assert outcome.standing is last.standing
        assert [each.word for each in outcome.sites] == [each.word for each in last.sites]
        twice = Counter(crew.did) - Counter(whole.did)
        assert sum(twice.values()) <= 1, (
            f"after record {records}: {twice}"
        )  # what was killed before it was noted
        assert stage.time.waited == wanted.time.waited
    assert kills > 30
