"""The lab's recorder really runs its scheduled tasks: the kept agent undoes a write when nobody disarms it."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ivn_provision.lab.nvr.store import FOLDER
from tests.wire.nvr_fixture import Running, ask, recorder, until

PATH = rf"{FOLDER}\configuration.xml"
BACKUP = r"C:\ProgramData\ivn-provision\backups\R1-0"
REVERT = r"C:\ProgramData\ivn-provision\reverts\R1-0"
NAMES = ["Milestone Image Server", "Milestone Recording Server"]
TASK = "ivn-provision-revert-R1-0"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Running]:
    with recorder(tmp_path) as running:
        yield running


def content(lab: Running) -> bytes:
    return lab.nvr.configuration_path.read_bytes()


def digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def control(action: str) -> dict[str, Any]:
    names = NAMES if action == "stop" else NAMES[::-1]
    return {"verb": "service_control", "action": action, "names": names, "timeout_seconds": 5}


def armed_write(base: bytes, *, seconds: int, armed: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """A write under a lease that undoes itself unless it is disarmed."""
    splice = [base.index(b"Camera 2"), 8, base64.b64encode(b"Gate").decode()]
    arm = {"id": "R1-0", "run": "R1", "from": BACKUP, "stop": NAMES, "start": NAMES[::-1], "also": []}
    return [
        {"verb": "take_lease", "owner": "ann@desk", "run": "R1", "seconds": 900},
        {"verb": "backup", "to": BACKUP, "paths": [PATH]},
        {"verb": "arm_revert", **arm, "after_seconds": seconds},
        control("stop"),
        {
            "verb": "write_files",
            "record": BACKUP,
            "files": [{"path": PATH, "base_sha256": digest(base), "splices": [splice]}],
        },
        control("start"),
    ]


def write(lab: Running, *, seconds: int) -> bytes:
    """The bytes before the write."""
    base = content(lab)
    reply = ask(lab.protocol(), *armed_write(base, seconds=seconds))
    assert [each["ok"] for each in reply["steps"]] == [True] * 6, reply
    assert content(lab) != base
    return base


def later(lab: Running, seconds: float) -> None:
    """The machine's clock goes on."""
    lab.nvr.windows.system.clock_offset_seconds += seconds


def state(lab: Running) -> tuple[dict[str, Any], ...]:
    reply = ask(lab.protocol(), {"verb": "reverts"}, {"verb": "lease"})
    return (*reply["steps"][0]["reverts"], {"lease": reply["steps"][1]["lease"]})


def test_a_write_that_nobody_confirms_is_undone_at_its_time(lab: Running) -> None:
    base = write(lab, seconds=600)
    written = content(lab)
    assert [each.name for each in lab.nvr.windows.tasks.all()] == [TASK]
    later(lab, 590)
    threading.Event().wait(0.5)
    assert lab.nvr.windows.tasks.ran == []
    starts = dict(lab.nvr.windows.start_count)
    later(lab, 15)
    until(lambda: lab.nvr.windows.tasks.ran == [TASK], 10)
    assert content(lab) == base
    kept, lease = state(lab)
    assert (kept["state"], kept["detail"], lease) == ("reverted", "", {"lease": None})
    assert lab.nvr.windows.tasks.all() == []
    assert [lab.nvr.windows.state(name) for name in NAMES] == ["Running", "Running"]
    assert [lab.nvr.windows.start_count[name] - starts[name] for name in NAMES] == [1, 1]
    log = [(each.path, each.before, each.after) for each in lab.nvr.write_log]
    assert log == [(PATH, digest(base), digest(written)), (PATH, digest(written), digest(base))]


def test_what_is_disarmed_stays(lab: Running) -> None:
    base = write(lab, seconds=600)
    reply = ask(lab.protocol(), {"verb": "disarm_revert", "run": "R1"}, {"verb": "drop_lease", "run": "R1"})
    assert reply["steps"][0]["disarmed"] == ["R1-0"]
    assert lab.nvr.windows.tasks.all() == []
    later(lab, 1000)
    assert state(lab) == ({"lease": None},)
    assert content(lab) != base
    assert lab.nvr.windows.tasks.ran == []


def test_what_came_due_while_the_machine_was_off_runs_when_it_is_on(lab: Running) -> None:
    base = write(lab, seconds=600)
    lab.loop.run(lab.nvr.stop(), 60)
    later(lab, 3600)
    assert content(lab) != base
    lab.loop.run(lab.nvr.start(), 60)
    until(lambda: lab.nvr.windows.tasks.ran == [TASK], 10)
    assert content(lab) == base
    assert [lab.nvr.windows.state(name) for name in NAMES] == ["Running", "Running"]


def test_a_task_waits_for_the_agent_that_is_at_work(lab: Running) -> None:
    base = write(lab, seconds=600)
    later(lab, 601)
    with lab.nvr.windows.agent_lock:
        threading.Event().wait(1.0)
        assert content(lab) != base
        assert lab.nvr.windows.tasks.ran == []
    until(lambda: lab.nvr.windows.tasks.ran == [TASK], 10)
    assert content(lab) == base


def test_a_task_that_waits_dies_with_its_machine_and_runs_at_the_next_start(lab: Running) -> None:
    base = write(lab, seconds=600)
    with lab.nvr.windows.agent_lock:
        later(lab, 601)
        threading.Event().wait(0.6)
        stopping = threading.Thread(target=lambda: lab.loop.run(lab.nvr.stop(), 60))
        stopping.start()
        threading.Event().wait(0.3)
    stopping.join(60)
    assert content(lab) != base
    assert lab.nvr.windows.tasks.ran == []
    lab.loop.run(lab.nvr.start(), 60)
    until(lambda: lab.nvr.windows.tasks.ran == [TASK], 10)
    assert content(lab) == base


def test_an_edit_of_a_person_is_never_overwritten(lab: Running) -> None:
    write(lab, seconds=600)
    edited = content(lab).replace(b"Gate", b"Door by hand")
    lab.nvr.configuration_path.write_bytes(edited)
    later(lab, 601)
    until(lambda: lab.nvr.windows.tasks.ran == [TASK], 10)
    assert content(lab) == edited
    kept, lease = state(lab)
    assert (kept["state"], kept["detail"]) == ("left", f"somebody changed {PATH}")
    assert lease == {"lease": None}


def test_a_service_that_a_killed_run_left_stopped_runs_again(lab: Running) -> None:
    base = content(lab)
    reply = ask(lab.protocol(), *armed_write(base, seconds=600)[:4])
    assert all(each["ok"] for each in reply["steps"])
    assert lab.nvr.windows.state(NAMES[1]) == "Stopped"
    later(lab, 601)
    until(lambda: lab.nvr.windows.tasks.ran == [TASK], 10)
    assert [lab.nvr.windows.state(name) for name in NAMES] == ["Running", "Running"]
    assert (content(lab), lab.nvr.write_log) == (base, [])


def test_a_machine_that_refuses_tasks_gets_no_write(lab: Running) -> None:
    base = content(lab)
    lab.nvr.windows.system.refusals = frozenset({TASK})
    reply = ask(lab.protocol(), *armed_write(base, seconds=600))
    codes = [(each.get("error") or {}).get("code", "ok") for each in reply["steps"]]
    assert codes == ["ok", "ok", "refused", "skipped", "skipped", "skipped"]
    assert content(lab) == base
    assert not lab.nvr.windows.tree.locate(REVERT).exists()


def test_the_task_is_looked_at_by_the_steps_hook_and_keeps_what_it_was_sent(lab: Running) -> None:
    write(lab, seconds=600)
    script = lab.nvr.windows.tree.locate(rf"{REVERT}\agent.ps1").read_text()
    assert script.startswith("# ivn-provision agent ")
    request = json.loads(lab.nvr.windows.tree.locate(rf"{REVERT}\request.json").read_bytes())
    assert request["steps"] == [{"verb": "revert", "run": "R1", "by_task": True}]
    seen: list[str] = []
    lab.nvr.windows.on_step = lambda verb, _: seen.append(verb)
    later(lab, 601)
    until(lambda: lab.nvr.windows.tasks.ran == [TASK], 10)
    assert seen == ["revert"]


def test_only_a_kept_agent_is_run(lab: Running) -> None:
    base = write(lab, seconds=600)
    lab.nvr.windows.tree.write(rf"{REVERT}\agent.ps1", b"Remove-Item -Recurse C:\\\n")
    later(lab, 601)
    until(lambda: lab.nvr.windows.tasks.ran == [TASK], 10)
    assert content(lab) != base


def test_a_machine_without_tasks_has_no_thread_for_them(lab: Running) -> None:
    assert not [each for each in threading.enumerate() if each.name == "lab-tasks"]
    write(lab, seconds=600)
    assert [each for each in threading.enumerate() if each.name == "lab-tasks"]
    ask(lab.protocol(), {"verb": "disarm_revert", "run": "R1"})
    until(lambda: not [each for each in threading.enumerate() if each.name == "lab-tasks"])
