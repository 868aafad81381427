"""The rules: each with a good and a bad fleet as data, and what data cannot say.

`tests/cases/rules/_base/fleet.yml` is a whole site that follows every rule; a case's files are merged over
it. `good*.yml` give nothing at all of the case's code and no error, `bad*.yml` exactly `expected.json`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ivn_provision.diagnostics import Diagnostic
from ivn_provision.spec.fleet import load_fleet
from ivn_provision.spec.rules import RULES

CASES = Path(__file__).parents[1] / "cases" / "rules"
NAMES = sorted(each.name for each in CASES.iterdir() if not each.name.startswith("_"))


def load(case: str, stem: str, folder: Path) -> tuple[Diagnostic, ...]:
    """The diagnostics of the case's files whose name begins with `stem`, in a fleet with the base."""
    shutil.copy(CASES / "_base" / "fleet.yml", folder / "fleet.yml")
    for source in sorted((CASES / case).rglob(f"{stem}*.yml")):
        target = folder / source.relative_to(CASES / case)
        target.parent.mkdir(exist_ok=True)
        shutil.copy(source, target)
    return tuple(load_fleet([folder]).diagnostics)


def as_data(diagnostic: Diagnostic, folder: Path) -> dict[str, Any]:
    assert diagnostic.place
    path = Path(diagnostic.place.path)
    return {
        "file": path.relative_to(folder).as_posix() if path.is_absolute() else path.as_posix(),
        "line": diagnostic.place.line,
        "column": diagnostic.place.column,
        "code": diagnostic.code,
        "summary": diagnostic.summary,
    }


def test_every_rule_has_a_case() -> None:
    assert [f"{each.code}-{each.name}" for each in RULES] == NAMES


@pytest.mark.parametrize("case", NAMES)
def test_good(case: str, tmp_path: Path) -> None:
    found = load(case, "good", tmp_path)
    assert not [each for each in found if each.is_error or each.code == case[:6]]


@pytest.mark.parametrize("case", NAMES)
def test_bad(case: str, tmp_path: Path) -> None:
    expected = json.loads((CASES / case / "expected.json").read_text("utf-8"))
    assert [as_data(each, tmp_path) for each in load(case, "bad", tmp_path)] == expected
    assert case[:6] in {each["code"] for each in expected}
