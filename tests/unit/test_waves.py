"""The truth table of waves, max_failures and on_failure (tests/cases/waves), and sizes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ivn_provision.run.play.outcome import PlayOutcome
from ivn_provision.run.play.waves import in_waves
from ivn_provision.spec.playbook import Size
from tests.support.scripted_crew import Scripted, Stage

TABLES = sorted((Path(__file__).parents[1] / "cases" / "waves").glob("*.yml"))
WORDS = {
    "changed": {"changed"},
    "back": {"put back", "failed, put back"},
    "failed": {"failed", "failed, put back", "failed, not put back"},
    "not_begun": {"not begun"},
    "done": {"done"},
}


def rows() -> Iterator[Any]:
    for table in TABLES:
        for row in yaml.safe_load(table.read_text("utf-8")):
            yield pytest.param(row, id=f"{table.stem}: {row['name']}")


def playbook(row: dict[str, Any]) -> str:
    waves = ", ".join(str(each) for each in row["waves"])
    return (
        f"playbook: table\nwaves: [{waves}]\nmax_failures: {row['max']}\non_failure: {row['then']}\n"
        "gates: [proof, checks, acceptance]\nsteps:\n  - do: plan\n  - do: apply\n"
    )


def named(outcome: PlayOutcome, words: set[str]) -> list[str]:
    return [each.name for each in outcome.sites if each.word in words]


@pytest.mark.parametrize("row", list(rows()))
def test_the_truth_table(row: dict[str, Any], tmp_path: Path) -> None:
    crew = Scripted(row["fails"], row.get("unchanged", ()))
    stage = Stage(tmp_path, playbook(row), row.get("sites", 6))
    outcome = stage.play(crew)
    assert (outcome.standing.value, outcome.exit_code) == (row["standing"], row["exit"])
    for key, words in WORDS.items():
        seen, wanted = named(outcome, words), row.get(key, [])
        assert (len(seen) if isinstance(wanted, int) else seen) == wanted, key
    applied = {each.split()[1] for each in crew.did if each.startswith("apply ")}
    assert applied.isdisjoint(named(outcome, {"not begun"}))


def test_the_table_is_large() -> None:
    assert len(list(rows())) >= 30


@pytest.mark.parametrize(
    ("sizes", "count", "wanted"),
    [
        ([Size(1), Size(10, True), Size(100, True)], 20, [1, 2, 17]),
        ([Size(1), Size(10, True), Size(100, True)], 5, [1, 1, 3]),
        ([Size(5)], 12, [5, 5, 2]),
        ([Size(100, True)], 3, [3]),
        ([Size(1), Size(2)], 6, [1, 2, 2, 1]),
        ([Size(50)], 3, [3]),
        ([Size(33, True)], 10, [3, 3, 3, 1]),
        ([Size(1)], 0, []),
    ],
)
def test_sizes(sizes: list[Size], count: int, wanted: list[int]) -> None:
    assert [len(wave) for wave in in_waves(range(count), sizes)] == wanted
