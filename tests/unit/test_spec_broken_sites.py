"""Broken site files and what is said about each: `tests/cases/broken_sites/<name>/`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ivn_provision.spec.codes import CODES
from ivn_provision.spec.fleet import load_fleet
from ivn_provision.spec.ruleset import NO_RULES

CASES = sorted(path.parent for path in Path(__file__).parents[1].glob("cases/broken_sites/*/expected.json"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_broken_site(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(case)
    found = load_fleet(["."], rules=NO_RULES).diagnostics
    expected = json.loads((case / "expected.json").read_text())
    places = [
        (each.place.path, each.code, each.place.line, each.place.column) for each in found if each.place
    ]
    assert places == [(each["file"], each["code"], each["line"], each["column"]) for each in expected]
    for each, wanted in zip(found, expected, strict=True):
        assert wanted["contains"] in each.summary
        assert each.code in CODES
        shown = f"{each.summary} {each.hint} {each.detail}"
        assert shown.isprintable()
        assert "hunter2" not in shown


def test_the_corpus_is_large_and_covers_every_code() -> None:
    assert len(CASES) >= 60
    seen = {each["code"] for case in CASES for each in json.loads((case / "expected.json").read_text())}
    elsewhere = {"YML001", "YML003", "SCH043"}  # need files that a repository cannot hold; test_spec_files.py
    assert seen == set(CODES) - elsewhere
