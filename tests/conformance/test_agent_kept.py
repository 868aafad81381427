"""The agent that a revert keeps: on a real PowerShell the task's own command line runs it, with the request kept."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ivn_provision.drivers.xprotect_e.bootstrap import AGENT_VERSION
from ivn_provision.lab.nvr.agent_lock import LOCK_FILE
from ivn_provision.lab.nvr.tree import WindowsTree
from tests.conformance.agent_powershell import Job, find_pwsh, instrumented, reply_bytes, run_jobs, run_pwsh
from tests.conformance.test_agent_cases import another_agent

FOUND = find_pwsh()
PWSH = FOUND or ""
pytestmark = pytest.mark.skipif(
    FOUND is None, reason="no PowerShell: neither IVN_PWSH, nor on the path, nor beside the checkout"
)
FILE = r"C:\D\conf.xml"
ROOT = r"C:\ProgramData\ivn-provision"
BACKUP = rf"{ROOT}\backups\1"
KEPT = rf"{ROOT}\reverts\R1-0"
TASK = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
SERVICE = {
    "name": "RS",
    "display_name": "RS",
    "state": "Running",
    "start_mode": "Auto",
    "path": "C:\\rs.exe",
    "process_id": 7,
    "started_at": "",
}
WINDOWS = {"facts": {"utc_now": "2026-11-23T18:00:00Z"}, "services": [SERVICE]}


def armed_write(root: Path, run: Path) -> None:
    """A write by the script, with a revert in ten minutes."""
    WindowsTree(root).write(FILE, b"old")
    arm = {"id": "R1-0", "run": "R1", "from": BACKUP, "stop": ["RS"], "start": ["RS"], "also": []}
    written = {
        "path": FILE,
        "base_sha256": hashlib.sha256(b"old").hexdigest(),
        "splices": [[0, 3, base64.b64encode(b"new").decode()]],
    }
    steps: list[dict[str, Any]] = [
        {"verb": "take_lease", "owner": "ann@desk", "run": "R1", "seconds": 900},
        {"verb": "backup", "to": BACKUP, "paths": [FILE]},
        {"verb": "arm_revert", **arm, "after_seconds": 600},
        {"verb": "write_files", "record": BACKUP, "files": [written]},
    ]
    request = {"protocol": 1, "marker": "Marker0123456789ab", "steps": steps}
    (ran,) = run_jobs(PWSH, [Job(json.dumps(request), WINDOWS, root)], run)
    answers = json.loads(reply_bytes(ran.stdout)[1])["steps"]
    assert [each["ok"] for each in answers] == [True] * 4, answers


def task(root: Path) -> ET.Element:
    """The task as it was given to Windows."""
    (place,) = (root / "tasks").iterdir()
    assert place.name == "ivn-provision-revert-R1-0.xml"
    text = place.read_text(encoding="utf-8")
    declared, text = text.split("?>", 1)
    assert declared == '<?xml version="1.0" encoding="UTF-16"'
    return ET.fromstring(text)


def fire(root: Path) -> dict[str, Any]:
    """Start what the task starts; the reply, which Windows would throw away."""
    arguments = str(task(root).findtext(f"{TASK}Actions/{TASK}Exec/{TASK}Arguments")).split(" ")
    loader = base64.b64decode(arguments[-1]).decode("utf-16-le")
    # the stand-ins for Windows are in the kept text, and look for their case
    machine = json.dumps(WINDOWS).replace("'", "''")
    case = f"@{{ 'root' = '{root}'; 'windows' = '{machine}'; 'parsed' = $null }}"
    text = f"$IvnCase = {case}\n{loader}"
    encoded = base64.b64encode(text.encode("utf-16-le")).decode()
    reply: dict[str, Any] = json.loads(reply_bytes(run_pwsh([PWSH, *arguments[:-1], encoded]))[1])
    return reply


@pytest.fixture
def root(tmp_path: Path) -> Path:
    armed_write(tmp_path / "root", tmp_path / "run")
    return tmp_path / "root"


def test_the_task_is_made_for_the_system_and_for_once(root: Path) -> None:
    made = task(root)
    assert made.findtext(f"{TASK}Principals/{TASK}Principal/{TASK}UserId") == "S-1-5-18"
    due = "2026-11-23T18:10:00Z"
    triggers = made.find(f"{TASK}Triggers")
    assert triggers is not None
    assert [(each.tag, each.findtext(f"{TASK}StartBoundary")) for each in triggers] == [
        (f"{TASK}TimeTrigger", due),
        (f"{TASK}BootTrigger", due),
    ]
    settings = {each.tag.removeprefix(TASK): each.text for each in made.find(f"{TASK}Settings") or []}
    assert settings["StartWhenAvailable"] == "true"
    assert (settings["DisallowStartIfOnBatteries"], settings["StopIfGoingOnBatteries"]) == ("false", "false")
    arguments = str(made.findtext(f"{TASK}Actions/{TASK}Exec/{TASK}Arguments"))
    assert arguments.startswith("-NoProfile -NonInteractive -ExecutionPolicy Bypass -EncodedCommand ")
    loader = base64.b64decode(arguments.rsplit(" ", 1)[-1]).decode("utf-16-le")
    assert re.findall("'([^']*)'", loader) == [
        "Stop",
        str(WindowsTree(root).locate(KEPT)),
        "agent.ps1",
        "request.json",
    ]


def test_the_agent_keeps_its_own_text_to_the_letter(root: Path) -> None:
    assert WindowsTree(root).locate(rf"{KEPT}\agent.ps1").read_text("ascii") == instrumented()


def test_the_kept_agent_undoes_the_write(root: Path) -> None:
    tree = WindowsTree(root)
    assert tree.locate(FILE).read_bytes() == b"new"
    reply = fire(root)
    (answer,) = reply["steps"]
    assert (reply["agent"], answer["verb"], answer["ok"]) == (AGENT_VERSION, "revert", True)
    assert [(each["id"], each["state"]) for each in answer["reverts"]] == [("R1-0", "reverted")]
    assert tree.locate(FILE).read_bytes() == b"old"
    assert not tree.locate(rf"{ROOT}\lease.json").exists()
    assert json.loads(tree.locate(rf"{KEPT}\revert.json").read_bytes())["state"] == "reverted"
    assert list((root / "tasks").iterdir()) == []


def test_the_kept_agent_waits_for_the_lock(root: Path) -> None:
    tree = WindowsTree(root)
    with ThreadPoolExecutor(1) as pool:
        with another_agent(tree):
            fired = pool.submit(fire, root)
            time.sleep(3)
            assert tree.locate(FILE).read_bytes() == b"new"
            assert not fired.done()
        assert fired.result()["steps"][0]["ok"] is True
    assert tree.locate(FILE).read_bytes() == b"old"
    assert tree.locate(LOCK_FILE).exists()
