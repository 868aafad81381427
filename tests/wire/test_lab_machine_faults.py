"""Faults of the lab's machine, seen through WS-Man by a whole safe write: the file is old or new, services run."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ivn_provision.errors import LabError
from ivn_provision.lab.nvr import FAULTS, MACHINE_FAULTS
from ivn_provision.lab.nvr.product_logs import LOGS
from ivn_provision.lab.nvr.store import FOLDER
from tests.wire.nvr_fixture import MARKER, Running, ask, command_line, payload, recorder, until

PATH = rf"{FOLDER}\configuration.xml"
BACKUP = r"C:\ProgramData\ivn-provision\backups\run-1"
NAMES = ["Milestone Image Server", "Milestone Recording Server"]
LOG = {"folder": LOGS, "pattern": r"^RecordingServer\d{8}\.log$"}
LOGIN = {"username": "ivnview", "password": "lab-only"}


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Running]:
    with recorder(tmp_path) as running:
        yield running


def content(lab: Running) -> bytes:
    return lab.nvr.configuration_path.read_bytes()


def control(action: str) -> dict[str, Any]:
    names = NAMES if action == "stop" else NAMES[::-1]
    return {"verb": "service_control", "action": action, "names": names, "timeout_seconds": 5}


def safe_write(base: bytes) -> list[dict[str, Any]]:
    """The write that the driver sends: the name of a camera, with every check before and after."""
    digest, old, new = hashlib.sha256(base).hexdigest(), b"Camera 2", b"Gate"
    splice = [base.index(old), len(old), base64.b64encode(new).decode()]
    closed = {"verb": "require_not_running", "names": ["ManagementApplication.exe"]}
    unchanged = {"verb": "require_unchanged", "files": [{"path": PATH, "sha256": digest}]}
    request = {"port": 80, "method": "GET", "path": "/systeminfo.xml", "headers": {}, "body": "", **LOGIN}
    return [
        closed,
        unchanged,
        {"verb": "backup", "to": BACKUP, "paths": [PATH], "folders": [FOLDER]},
        {"verb": "mark_logs", **LOG},
        {**control("stop"), "undo": [control("start")]},
        closed,
        # once more, where nothing is put back: the restore of the next step would undo what others changed
        unchanged,
        {
            "verb": "write_files",
            "files": [{"path": PATH, "base_sha256": digest, "splices": [splice]}],
            "undo": [{"verb": "restore", "from": BACKUP}],
        },
        {**control("start"), "undo": [control("stop")]},
        {"verb": "require_running", "names": NAMES, "stable_seconds": 2},
        {"verb": "require_clean_logs", **LOG, "error_pattern": r"\bERROR\b"},
        {"verb": "require_unchanged", "files": [{"path": PATH, "sha256": "written"}]},
        {
            "verb": "require_http",
            **request,
            "status": 200,
            "contains": ["Camera 1", "Gate"],
            "timeout_seconds": 5,
            "max_bytes": 100_000,
        },
    ]


def failure(reply: Mapping[str, Any]) -> tuple[str, str]:
    """Verb and code of the step that failed."""
    found = [each for each in reply["steps"] if not each["ok"] and each["error"]["code"] != "skipped"]
    return (found[0]["verb"], found[0]["error"]["code"]) if found else ("", "")


def states(lab: Running) -> list[str]:
    return [lab.nvr.windows.state(name) for name in NAMES]


def test_without_a_fault_the_write_goes_through(lab: Running) -> None:
    reply = ask(lab.protocol(), *safe_write(content(lab)))
    assert (failure(reply), reply["undone"]) == (("", ""), [])
    assert b">Gate<" in content(lab)
    assert states(lab) == ["Running", "Running"]
    log = next(lab.nvr.windows.tree.locate(LOGS).glob("RecordingServer*.log")).read_text()
    assert [line.split(maxsplit=3)[3] for line in log.splitlines()] == [
        "Recording Server started",
        "Recording Server stopped",
        "Recording Server started",
    ]


@pytest.mark.parametrize(
    ("fault", "verb", "code"),
    [
        ("disk-full", "backup", "io"),
        ("file-locked", "require_unchanged", "locked"),
        ("service-start-fails-once", "service_control", "timeout"),
        ("gui-opens-mid-apply", "require_not_running", "busy"),
        ("changed-mid-apply", "require_unchanged", "conflict"),
        ("rewritten-after-start", "require_unchanged", "conflict"),
        ("log-error-after-start", "require_clean_logs", "check_failed"),
        ("camera-missing-after-start", "require_http", "check_failed"),
    ],
)
def test_after_each_fault_the_recorder_is_as_it_was(lab: Running, fault: str, verb: str, code: str) -> None:
    before = content(lab)
    lab.nvr.fault(fault)
    reply = ask(lab.protocol(), *safe_write(before))
    assert failure(reply) == (verb, code)
    assert all(each["ok"] for each in reply["undone"]), reply["undone"]
    assert states(lab) == ["Running", "Running"]
    assert b">Gate<" not in content(lab)
    if fault not in {"changed-mid-apply", "rewritten-after-start"}:
        assert content(lab) == before
    if fault == "changed-mid-apply":
        assert b"<DynamicArchiving>1<" in content(lab), "what the product changed meanwhile stays"
    lab.nvr.fault(fault, on=False)
    lab.nvr.open_gui(is_open=False)
    steps = safe_write(content(lab))
    steps[2]["to"] = steps[7]["undo"][0]["from"] = BACKUP + "-again"
    assert failure(ask(lab.protocol(), *steps)) == ("", "")
    assert b">Gate<" in content(lab)


def test_a_service_that_never_starts_again_is_said_and_the_file_is_old(lab: Running) -> None:
    before = content(lab)
    lab.nvr.fault("service-start-fails")
    reply = ask(lab.protocol(), *safe_write(before))
    assert failure(reply) == ("service_control", "timeout")
    assert [each["ok"] for each in reply["undone"]] == [True, True, False]
    assert content(lab) == before
    assert states(lab) == ["Stopped", "Stopped"]


@pytest.mark.parametrize("fault", ["disk-full", "file-locked"])
def test_a_fault_that_sets_in_at_the_write_itself(lab: Running, fault: str) -> None:
    before = content(lab)

    def sets_in(verb: str, index: int) -> None:
        lab.nvr.fault(fault, on=verb == "write_files")

    lab.nvr.windows.on_step = sets_in
    reply = ask(lab.protocol(), *safe_write(before))
    assert failure(reply)[0] == "write_files"
    assert all(each["ok"] for each in reply["undone"])
    assert (content(lab), states(lab)) == (before, ["Running", "Running"])
    assert not list(lab.nvr.configuration_path.parent.glob("*.ivn-*"))


class Halted:
    """The recorder's agent, stopped before a step until it is let go on."""

    def __init__(self, lab: Running, step: int) -> None:
        self.reached, self.go_on, self.verbs = threading.Event(), threading.Event(), list[str]()
        self._step = step
        lab.nvr.windows.on_step = self._before

    def _before(self, verb: str, index: int) -> None:
        self.verbs.append(verb)
        if index == self._step:
            self.reached.set()
            assert self.go_on.wait(20)


def started(lab: Running) -> tuple[Any, str, str]:
    """A safe write that was sent, and whose answer nobody has asked for."""
    protocol = lab.protocol()
    request = {"protocol": 1, "marker": MARKER, "steps": safe_write(content(lab)), "always": []}
    shell = protocol.open_shell(codepage=65001, noprofile=True, idle_timeout="PT180S")
    command = protocol.run_command(shell, *command_line(), console_mode_stdin=False)
    protocol.send_command_input(shell, command, payload(request), end=True)
    return protocol, shell, command


@pytest.mark.parametrize("step", range(13))
def test_a_client_that_vanishes_at_any_step_leaves_a_whole_write(lab: Running, step: int) -> None:
    halted = Halted(lab, step)
    protocol, _, _ = started(lab)
    assert halted.reached.wait(10)
    protocol.transport.close_session()
    halted.go_on.set()
    until(lambda: not lab.nvr.windows.agent_lock.locked())
    assert len(halted.verbs) == 13
    assert (b">Gate<" in content(lab), states(lab)) == (True, ["Running", "Running"])


def test_who_asks_meanwhile_waits_or_is_barred(lab: Running) -> None:
    halted = Halted(lab, 7)
    protocol, shell, command = started(lab)
    assert halted.reached.wait(10)
    other = lab.protocol()
    barred = ask(other, {"verb": "backup", "to": BACKUP + "-2", "paths": []})["steps"][0]
    assert barred["error"]["code"] == "locked_by_agent"
    assert ask(other, {"verb": "wait_idle", "timeout_seconds": 0})["steps"][0]["idle"] is False
    threading.Timer(0.2, halted.go_on.set).start()
    waited, seen = ask(
        other,
        {"verb": "wait_idle", "timeout_seconds": 10},
        {"verb": "read_files", "redact_key": "", "files": [{"path": PATH, "redact": []}]},
    )["steps"]
    assert waited["idle"] is True
    assert b">Gate<" in base64.b64decode(
        seen["content"] if "content" in seen else seen["files"][0]["content"]
    )
    protocol.get_command_output(shell, command)
    protocol.close_shell(shell)


@pytest.mark.parametrize("step", [2, 4, 7, 8])
def test_a_shell_that_is_deleted_kills_the_write_where_it_stands(lab: Running, step: int) -> None:
    halted = Halted(lab, step)
    protocol, shell, _ = started(lab)
    assert halted.reached.wait(10)
    protocol.close_shell(shell)
    halted.go_on.set()
    until(lambda: not lab.nvr.windows.agent_lock.locked())
    assert len(halted.verbs) == step + 1
    assert states(lab) == (["Running"] * 2 if step <= 4 else ["Stopped"] * 2)
    assert (b">Gate<" in content(lab)) == (step > 7)


def test_the_lab_ends_though_a_program_still_runs(tmp_path: Path) -> None:
    with recorder(tmp_path) as lab:
        halted = Halted(lab, 3)
        protocol, _, _ = started(lab)
        assert halted.reached.wait(10)
        protocol.transport.close_session()
        threading.Timer(0.3, halted.go_on.set).start()
    assert len(halted.verbs) == 13


def test_faults_have_names() -> None:
    assert not FAULTS & MACHINE_FAULTS


def test_a_fault_that_does_not_exist(lab: Running) -> None:
    with pytest.raises(LabError, match="no fault 'flood'") as caught:
        lab.nvr.fault("flood")
    assert "disk-full" in caught.value.next_step
