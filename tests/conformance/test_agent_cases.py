"""The agent's data cases on a real PowerShell and on the lab's emulation: both answer the same bytes."""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ivn_provision.lab.nvr.agent_emulation import answer
from ivn_provision.lab.nvr.tree import WindowsTree
from tests.conformance.agent_powershell import Job, Ran, find_pwsh, reply_bytes, run_jobs
from tests.unit.test_lab_agent_cases import machine

CASES = Path(__file__).parents[1] / "cases" / "agent"
NAMES = sorted(each.stem for each in CASES.glob("*.json"))
PWSH = find_pwsh()
needs_pwsh = pytest.mark.skipif(
    PWSH is None, reason="no PowerShell: neither IVN_PWSH, nor on the path, nor beside"
)


@dataclass(frozen=True, slots=True)
class Case:
    """A case file and the tree that a run of it left behind."""

    name: str
    data: Mapping[str, Any]
    tree: WindowsTree

    @property
    def request(self) -> str:
        return json.dumps(self.data["request"])

    @property
    def reply(self) -> bytes:
        return json.dumps(self.data["reply"], sort_keys=True, separators=(",", ":")).encode()


def prepared(name: str, root: Path) -> Case:
    data = json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))
    root.mkdir()
    tree = WindowsTree(root)
    for path, content in data.get("files", {}).items():
        tree.write(path, base64.b64decode(content))
    return Case(name, data, tree)


@pytest.fixture(scope="module")
def ran() -> Iterator[Mapping[str, tuple[Case, Ran]]]:
    """Every case in one PowerShell process."""
    assert PWSH is not None
    with tempfile.TemporaryDirectory() as directory:
        cases = [prepared(name, Path(directory) / name) for name in NAMES]
        jobs = [Job(case.request, case.data.get("windows", {}), case.tree.root) for case in cases]
        results = run_jobs(PWSH, jobs, Path(directory) / "run")
        yield {case.name: (case, result) for case, result in zip(cases, results, strict=True)}


def assert_reply(who: str, marker: str, reply: bytes, case: Case) -> None:
    assert marker == case.data["request"]["marker"], who
    assert reply == case.reply, f"{who} answers otherwise than the case"


def assert_afterwards(who: str, services: Mapping[str, str], case: Case) -> None:
    for path, content in case.data.get("after", {}).items():
        place = case.tree.locate(path)
        found = base64.b64encode(place.read_bytes()).decode() if place.exists() else None
        assert found == content, f"{who} leaves {path} otherwise than the case"
    for name, state in case.data.get("services_after", {}).items():
        assert services[name] == state, f"{who} leaves {name} otherwise than the case"


@needs_pwsh
@pytest.mark.parametrize("name", NAMES)
def test_the_script_answers_the_case(name: str, ran: Mapping[str, tuple[Case, Ran]]) -> None:
    case, result = ran[name]
    assert_reply("agent.ps1", *reply_bytes(result.stdout), case)
    assert_afterwards("agent.ps1", result.services, case)
    leftovers = [each.name for each in case.tree.root.rglob("*.ivn-*") if each.is_file()]
    assert leftovers == []


@pytest.mark.parametrize("name", NAMES)
def test_the_emulation_answers_the_case(name: str, tmp_path: Path) -> None:
    case = prepared(name, tmp_path / "root")
    windows = machine(case.tree.root, case.data.get("windows", {}))
    assert_reply("the emulation", *answer(case.request, windows, agent="1.0.0"), case)
    services = {each.name: each.state for each in windows.services()}
    assert_afterwards("the emulation", services, case)


def test_every_verb_and_every_error_has_a_case() -> None:
    text = "".join((CASES / f"{name}.json").read_text(encoding="utf-8") for name in NAMES)
    verbs = "facts file_versions read_files services require_not_running processes backup write_files service_control"
    codes = "bad_request busy conflict exists io missing skipped timeout"
    missing = [each for each in (verbs + " " + codes).split() if f'"{each}"' not in text]
    assert missing == []
