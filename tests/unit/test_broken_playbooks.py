"""Broken playbooks and what is said about each: `tests/cases/broken_playbooks/NAME.yml`.

The first lines are comments `# CODE LINE:COLUMN words`: every problem, in the order of the report.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ivn_provision.run.play.reading import PLAY_CODES, problems_of
from ivn_provision.spec.codes import CODES

CASES = sorted((Path(__file__).parents[1] / "cases" / "broken_playbooks").glob("*.yml"))
_EXPECTED = re.compile(r"# ([A-Z]{3}[0-9]{3}) ([0-9]+):([0-9]+) (.*)")


def expected(case: Path) -> list[tuple[str, int, int, str]]:
    lines = case.read_text("utf-8").splitlines()
    found = (match for match in map(_EXPECTED.fullmatch, lines) if match)
    return [(one[1], int(one[2]), int(one[3]), one[4]) for one in found]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_broken_playbook(case: Path) -> None:
    found = problems_of(str(case), {})
    wanted = expected(case)
    assert [(each.code, each.place.line, each.place.column) for each in found if each.place] == [
        each[:3] for each in wanted
    ], [f"{each.code} {each.place} {each.summary} | {each.hint}" for each in found]
    for each, (_, _, _, words) in zip(found, wanted, strict=True):
        assert words in each.summary
        shown = f"{each.summary} {each.hint} {each.detail}"
        assert shown.isprintable()
        assert "hunter2" not in shown


def test_every_code_of_playbooks_has_a_case() -> None:
    seen = {each[0] for case in CASES for each in expected(case)}
    assert seen >= set(PLAY_CODES)
    assert seen <= set(PLAY_CODES) | set(CODES)
    assert len(CASES) >= 30
