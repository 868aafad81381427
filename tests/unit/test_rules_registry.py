"""The registry of the rules: its codes, its requirements, its version, and the page that is made of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ivn_provision.spec.rules import RULES, VERSION, Rule
from ivn_provision.spec.rules.reference import markdown

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"


def test_the_codes_are_numbered_without_gaps() -> None:
    assert [each.code for each in RULES] == [f"IVN{number:03}" for number in range(1, len(RULES) + 1)]
    assert len(RULES) >= 35


@pytest.mark.parametrize("rule", RULES, ids=lambda each: each.code)
def test_a_rule_says_what_it_wants_and_because_of_what(rule: Rule) -> None:
    assert rule.title
    assert not rule.title.endswith(".")
    assert rule.explanation.endswith(".")
    assert rule.requirements
    assert (rule.check is None) == bool(rule.kind)


def test_the_requirements_exist_in_the_facts() -> None:
    facts = SHARED / "facts" / "manual.md"
    if not facts.is_file():
        pytest.skip("the facts are not beside this checkout")
    text = facts.read_text("utf-8")
    cited = {each for rule in RULES for each in rule.requirements if each[:2] in {"R-", "C-"}}
    assert not [each for each in cited if f"| {each} |" not in text and f"({each})" not in text]


def test_the_reference_is_in_sync() -> None:
    page = ROOT / "docs" / "reference" / "rules.md"
    assert page.read_text("utf-8") == markdown(RULES), "run scripts/make-rules-reference"


def test_the_script_says_that_the_reference_is_in_sync() -> None:
    script = ROOT / "scripts" / "make-rules-reference"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_version_is_a_digest() -> None:
    assert len(VERSION) == 16
    assert int(VERSION, 16) >= 0
