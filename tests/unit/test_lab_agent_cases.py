"""The lab's emulation of the NVR agent against the data cases that the real script runs as well."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from ivn_provision.lab.nvr.agent_emulation import answer
from ivn_provision.lab.nvr.agent_machine import WindowsService
from ivn_provision.lab.nvr.agent_values import canonical
from ivn_provision.lab.nvr.tree import BadPath, WindowsTree
from tests.support.agent_servers import Places, case_servers
from tests.support.windows_case import CaseWindows

CASES = Path(__file__).parents[1] / "cases" / "agent"
MARKER = "M" * 16


@dataclass
class DataWindows(CaseWindows):
    """A machine that is nothing but the data of a case."""

    tree: WindowsTree
    rows: dict[str, WindowsService]
    data: Mapping[str, Any]
    agent_lock: threading.Lock = field(default_factory=threading.Lock)
    stepped: list[tuple[str, int]] = field(default_factory=list)
    paused: float = 0

    def facts(self) -> Mapping[str, str | int]:
        return dict(self.data.get("facts", {}))

    def services(self) -> Sequence[WindowsService]:
        return list(self.rows.values())

    def processes(self) -> Sequence[str]:
        return list(self.data.get("processes", []))

    def file_version(self, path: str) -> tuple[str, str]:
        known = self.data.get("file_versions", {}).get(path, {})
        return known.get("product_name", ""), known.get("product_version", "")

    def wrote(self, path: str, before: str) -> None:
        assert self.tree.locate(path).is_file()

    def control(self, name: str, *, running: bool) -> bool:
        if name in self.data.get("stuck", []):
            return False
        for path, content in self.data.get("saved_at_stop", {}).items() if not running else ():
            self.tree.write(path, base64.b64decode(content))
        self.rows[name] = replace(self.rows[name], state="Running" if running else "Stopped")
        return True

    def before_step(self, verb: str, index: int) -> None:
        self.stepped.append((verb, index))

    def readable(self, path: str) -> bool:
        return path not in self.data.get("locked", [])

    def writable(self, path: str) -> bool:
        return path not in self.data.get("unwritable", [])

    def room(self, size: int) -> bool:
        return True

    def pause(self, seconds: float) -> None:
        self.paused += seconds
        for name in self.data.get("restarting", []):
            self.rows[name] = replace(self.rows[name], process_id=self.rows[name].process_id + 1)
        for name in self.data.get("stopping", []):
            self.rows[name] = replace(self.rows[name], state="Stopped", process_id=0)
        for path, content in self.data.get("meanwhile", {}).items():
            self.tree.write(path, base64.b64decode(content))

    def local_http(self, port: int) -> tuple[str, int] | None:
        return "127.0.0.1", port


def machine(root: Path, data: Mapping[str, Any], files: Mapping[str, str] | None = None) -> DataWindows:
    tree = WindowsTree(root)
    for path, content in (files or {}).items():
        tree.write(path, base64.b64decode(content))
    rows = {row["name"]: WindowsService(**row) for row in data.get("services", [])}
    windows = DataWindows(tree, rows, data)
    if data.get("lock_held"):
        windows.agent_lock.acquire()
    return windows


def ask(windows: DataWindows, *steps: Mapping[str, Any]) -> list[Any]:
    request = {"protocol": 1, "marker": MARKER, "steps": list(steps), "always": []}
    marker, reply = answer(json.dumps(request), windows, agent="1.3.0")
    assert marker == MARKER
    found = json.loads(reply)["steps"]
    assert isinstance(found, list)
    return found


@pytest.fixture(scope="module")
def ports() -> Iterator[Places]:
    with case_servers() as found:
        yield found


@pytest.mark.parametrize("name", sorted(each.stem for each in CASES.glob("*.json")))
def test_case(name: str, tmp_path: Path, ports: Places) -> None:
    case = json.loads(ports.fill((CASES / f"{name}.json").read_text()))
    windows = machine(tmp_path, case.get("windows", {}), case.get("files", {}))
    marker, reply = answer(json.dumps(case["request"]), windows, agent=case["reply"]["agent"])
    assert marker == case["request"]["marker"]
    assert reply == canonical(case["reply"])
    for path, content in case.get("after", {}).items():
        place = windows.tree.locate(path)
        found = base64.b64encode(place.read_bytes()).decode() if place.exists() else None
        assert found == content, path
    for service, state in case.get("services_after", {}).items():
        assert windows.rows[service].state == state


@pytest.mark.parametrize(
    "path",
    [
        "",
        "x.txt",
        "C:",
        "C:x.txt",
        "\\\\server\\share\\x",
        "\\\\?\\C:\\x",
        "/etc/passwd",
        "C:/etc/passwd",
        "C:\\a\\..\\b",
        "C:\\..\\..\\etc\\passwd",
        "C:\\a\\.\\b",
        "C:\\a\x00b",
        "C:\\a:stream",
        "C:\\a*b",
        "C:\\NUL",
        "C:\\con.txt",
        "C:\\trailing. ",
        "é:\\x",
        "C:\\" + "x" * 300,
        "C:\\\ud800",
    ],
)
def test_a_path_that_is_not_plain_is_refused(path: str, tmp_path: Path) -> None:
    with pytest.raises(BadPath):
        WindowsTree(tmp_path).locate(path)
    windows = machine(tmp_path, {})
    reading = {"verb": "read_files", "redact_key": "", "files": [{"path": path, "redact": []}]}
    backing = {"verb": "backup", "to": path, "paths": []}
    refused = {"code": "bad_request", "message": "bad arguments"}
    assert ask(windows, reading)[0]["error"] == refused
    assert ask(windows, backing)[0]["error"] == refused
    assert [each.name for each in tmp_path.rglob("*") if each.is_file()] == ["agent.lock"]


def test_paths_are_found_without_regard_to_case(tmp_path: Path) -> None:
    tree = WindowsTree(tmp_path)
    tree.write("C:\\ProgramData\\Some Folder\\File.xml", b"x")
    assert tree.locate("c:\\PROGRAMDATA\\some folder\\FILE.XML").read_bytes() == b"x"
    assert tree.locate("c:\\programdata\\New").name == "New"


def test_a_file_over_64_mib_is_too_large(tmp_path: Path) -> None:
    windows = machine(tmp_path, {})
    place = windows.tree.write("C:\\big.bin", b"")
    with place.open("r+b") as stream:
        stream.truncate(64 * 1024 * 1024 + 1)
    reading = {"verb": "read_files", "redact_key": "", "files": [{"path": "C:\\big.bin", "redact": []}]}
    assert ask(windows, reading)[0]["error"] == {
        "code": "too_large",
        "message": "the file is larger than 64 MiB",
        "path": "C:\\big.bin",
    }


def test_a_later_write_that_fails_puts_the_earlier_back(tmp_path: Path) -> None:
    windows = machine(tmp_path, {})
    first = windows.tree.write("C:\\a.txt", b"abc")
    windows.tree.write("C:\\b.txt", b"abc")
    # A folder where the new file has to go makes the second write fail on any file system.
    windows.tree.locate("C:\\b.txt.ivn-new").mkdir()
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    result = hashlib.sha256(b"XYZ").hexdigest()
    changes = [
        {"path": path, "base_sha256": digest, "splices": [[0, 3, "WFla"]], "result_sha256": result}
        for path in ("C:\\a.txt", "C:\\b.txt")
    ]
    failed = ask(windows, {"verb": "write_files", "files": changes})[0]
    assert failed["error"] == {"code": "io", "message": "the file could not be written", "path": "C:\\b.txt"}
    assert first.read_bytes() == b"abc"
    assert not windows.tree.locate("C:\\a.txt.ivn-old").exists()


def test_a_service_that_does_not_stop_is_a_timeout(tmp_path: Path) -> None:
    row = {"name": "S", "display_name": "S", "state": "Running", "start_mode": "Auto", "path": "C:\\s.exe"}
    windows = machine(tmp_path, {"services": [{**row, "process_id": 4}], "stuck": ["S"]})
    stopping = {"verb": "service_control", "action": "stop", "names": ["S"], "timeout_seconds": 1}
    error = {"code": "timeout", "message": "the service did not reach the state in time: S"}
    assert ask(windows, stopping)[0]["error"] == error


@pytest.mark.parametrize(
    ("request_text", "marker"),
    [
        ("", "BADREQUESTBADREQUEST"),
        ("[]", "BADREQUESTBADREQUEST"),
        ("[" * 100_000, "BADREQUESTBADREQUEST"),
        ('{"protocol":1}', "BADREQUESTBADREQUEST"),
        ('{"protocol":1,"marker":"short","steps":[]}', "BADREQUESTBADREQUEST"),
        ('{"protocol":2,"marker":"' + MARKER + '","steps":[]}', MARKER),
        ('{"protocol":1,"marker":"' + MARKER + '","steps":{}}', MARKER),
        ('{"protocol":1,"marker":"' + MARKER + '","steps":[1]}', MARKER),
        ('{"protocol":1,"marker":"' + MARKER + '","steps":[{"verb":1}]}', MARKER),
    ],
)
def test_a_request_that_cannot_be_read(request_text: str, marker: str, tmp_path: Path) -> None:
    found, reply = answer(request_text, machine(tmp_path, {}), agent="1.3.0")
    parsed = json.loads(reply)
    assert found == marker
    assert (parsed["steps"], parsed["always"], parsed["error"]["code"]) == ([], [], "bad_request")


def test_a_backup_that_would_be_too_large_leaves_nothing(tmp_path: Path) -> None:
    windows = machine(tmp_path, {})
    folder = tmp_path / "C" / "D"
    folder.mkdir(parents=True)
    for number in range(2001):
        (folder / str(number)).touch()
    backing = {"verb": "backup", "to": "C:\\B", "paths": [], "folders": ["C:\\D"]}
    message = "the backup is larger than 2000 files or 512 MiB"
    assert ask(windows, backing)[0]["error"] == {"code": "too_large", "message": message, "path": "C:\\B"}
    assert not windows.tree.locate("C:\\B").exists()
    for number in range(1, 2001):
        (folder / str(number)).unlink()
    with (folder / "0").open("r+b") as stream:
        stream.truncate(512 * 1024 * 1024 + 1)
    assert ask(windows, backing)[0]["error"]["code"] == "too_large"


def test_the_machine_hears_of_every_step_before_it_runs(tmp_path: Path) -> None:
    windows = machine(tmp_path, {})
    steps = [
        {"verb": "processes", "names": [], "undo": [{"verb": "facts"}]},
        {"verb": "nonsense"},
        {"verb": "facts"},
    ]
    request = {"protocol": 1, "marker": MARKER, "steps": steps, "always": [{"verb": "facts"}]}
    answer(json.dumps(request), windows, agent="1.3.0")
    assert windows.stepped == [("processes", 0), ("nonsense", 1), ("facts", 2), ("facts", 3)]


def test_a_full_disk_refuses_the_write_and_the_backup(tmp_path: Path) -> None:
    windows = FullWindows(WindowsTree(tmp_path), {}, {})
    windows.tree.write("C:\\a.txt", b"abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    change = {"path": "C:\\a.txt", "base_sha256": digest, "splices": [[0, 3, "WFla"]]}
    refused = {"code": "io", "message": "the file could not be written"}
    assert ask(windows, {"verb": "write_files", "files": [change]})[0]["error"] == {
        **refused,
        "path": "C:\\a.txt",
    }
    backing = {"verb": "backup", "to": "C:\\B", "paths": ["C:\\a.txt"]}
    assert ask(windows, backing)[0]["error"] == {**refused, "path": "C:\\B"}
    assert ask(windows, {"verb": "restore", "from": "C:\\B"})[0]["error"]["code"] == "missing"
    assert windows.tree.locate("C:\\a.txt").read_bytes() == b"abc"


class FullWindows(DataWindows):
    """A machine without room for one byte."""

    def room(self, size: int) -> bool:
        return False


def test_the_lock_is_free_again_after_a_request_that_broke_off(tmp_path: Path) -> None:
    windows = BreakingWindows(WindowsTree(tmp_path), {}, {})
    controlling = {"verb": "service_control", "action": "stop", "names": [], "timeout_seconds": 1}
    with pytest.raises(InterruptedError):
        ask(windows, controlling)
    assert not windows.agent_lock.locked()


class BreakingWindows(DataWindows):
    """A machine whose agent is killed at its first step."""

    def before_step(self, verb: str, index: int) -> None:
        raise InterruptedError(verb)


def test_wait_idle_waits_for_the_request_that_works(tmp_path: Path) -> None:
    windows = machine(tmp_path, {"lock_held": True})
    timer = threading.Timer(0.3, windows.agent_lock.release)
    timer.start()
    assert ask(windows, {"verb": "wait_idle", "timeout_seconds": 10})[0] == {
        "verb": "wait_idle",
        "ok": True,
        "idle": True,
    }
    timer.join()


def test_only_loopback_is_asked_over_http(tmp_path: Path) -> None:
    windows = FarWindows(WindowsTree(tmp_path), {}, {})
    asking = {"verb": "http", "port": 80, "method": "GET", "path": "/", "headers": {}, "body": ""}
    more = {"username": "", "password": "", "timeout_seconds": 1, "max_bytes": 10}
    assert ask(windows, {**asking, **more})[0]["error"]["code"] == "unreachable"


class FarWindows(DataWindows):
    """A machine that would send the agent elsewhere."""

    def local_http(self, port: int) -> tuple[str, int] | None:
        return "192.0.2.1", port
