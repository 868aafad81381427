"""The agent's data cases on a real PowerShell and on the lab's emulation: both answer the same bytes."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ivn_provision.drivers.xprotect_e.bootstrap import agent_text
from ivn_provision.lab.nvr.agent_emulation import answer
from ivn_provision.lab.nvr.agent_lock import LOCK_FILE
from ivn_provision.lab.nvr.tree import WindowsTree
from tests.conformance.agent_powershell import Job, Ran, find_pwsh, reply_bytes, run_jobs
from tests.support.agent_servers import Places, case_servers
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


def prepared(name: str, root: Path, ports: Places) -> Case:
    data = json.loads(ports.fill((CASES / f"{name}.json").read_text(encoding="utf-8")))
    root.mkdir()
    tree = WindowsTree(root)
    for path, content in data.get("files", {}).items():
        tree.write(path, base64.b64decode(content))
    return Case(name, data, tree)


@pytest.fixture(scope="module")
def ports() -> Iterator[Places]:
    with case_servers() as found:
        yield found


@pytest.fixture(scope="module")
def ran(ports: Places) -> Iterator[Mapping[str, tuple[Case, Ran]]]:
    """Every case in one PowerShell process."""
    assert PWSH is not None
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as held:
        cases = [prepared(name, Path(directory) / name, ports) for name in NAMES]
        for case in cases:
            if case.data.get("windows", {}).get("lock_held"):
                held.enter_context(another_agent(case.tree))
        jobs = [Job(case.request, case.data.get("windows", {}), case.tree.root) for case in cases]
        results = run_jobs(PWSH, jobs, Path(directory) / "run", ports.mail.roots)
        yield {case.name: (case, result) for case, result in zip(cases, results, strict=True)}


@contextlib.contextmanager
def another_agent(tree: WindowsTree) -> Iterator[None]:
    """Holds the lock file as .NET on this system does for FileShare.None."""
    place = tree.write(LOCK_FILE, b"")
    with place.open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


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
def test_the_emulation_answers_the_case(name: str, tmp_path: Path, ports: Places) -> None:
    case = prepared(name, tmp_path / "root", ports)
    windows = machine(case.tree.root, case.data.get("windows", {}))
    assert_reply("the emulation", *answer(case.request, windows, agent="1.3.0"), case)
    services = {each.name: each.state for each in windows.services()}
    assert_afterwards("the emulation", services, case)


def test_every_verb_and_every_error_has_a_case() -> None:
    text = "".join((CASES / f"{name}.json").read_text(encoding="utf-8") for name in NAMES)
    script = agent_text()
    verbs = re.findall(r"^        '([a-z_]+)' \{ return \(Invoke-Ivn", script, re.MULTILINE)
    codes = re.findall(r"Stop-Ivn '([a-z_]+)'", script)
    assert len(verbs) >= 30
    assert [each for each in verbs if f'"verb": "{each}"' not in text] == []
    assert {each for each in codes if f'"code": "{each}"' not in text} == set()


@needs_pwsh
def test_a_mail_server_hears_no_data_and_no_login_that_it_should_not(
    ran: Mapping[str, tuple[Case, Ran]], ports: Places
) -> None:
    assert ran
    heard = {name: b"".join(each.heard) for name, each in ports.mail.speakers.items()}
    assert [name for name, each in heard.items() if b"DATA" in each] == []
    told = {name for name, each in heard.items() if b"AUTH" in each}
    assert told == {"PLAIN", "LOGIN", "LOGINREFUSED", "ECHO", "TLS", "LABORATORY"}
    assert b"EHLO [127.0.0.1]\r\n" in heard["FAR"]
    assert b"MAIL FROM:<nvr@site.example>\r\nRCPT TO:<alarm@portal.example>\r\nQUIT\r\n" in heard["STRANGER"]
