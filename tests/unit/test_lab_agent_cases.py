"""The lab's emulation of the NVR agent against the data cases that the real script runs as well."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ivn_provision.lab.nvr.agent_emulation import WindowsService, answer
from ivn_provision.lab.nvr.agent_values import canonical
from ivn_provision.lab.nvr.tree import BadPath, WindowsTree

CASES = Path(__file__).parents[1] / "cases" / "agent"
MARKER = "M" * 16


@dataclass
class DataWindows:
    """A machine that is nothing but the data of a case."""

    tree: WindowsTree
    rows: dict[str, WindowsService]
    data: Mapping[str, Any]

    def facts(self) -> Mapping[str, str | int]:
        return dict(self.data.get("facts", {}))

    def services(self) -> Sequence[WindowsService]:
        return list(self.rows.values())

    def processes(self) -> Sequence[str]:
        return list(self.data.get("processes", []))

    def file_version(self, path: str) -> tuple[str, str]:
        known = self.data.get("file_versions", {}).get(path, {})
        return known.get("product_name", ""), known.get("product_version", "")

    def wrote(self, path: str) -> None:
        assert self.tree.locate(path).is_file()

    def control(self, name: str, *, running: bool) -> bool:
        if name in self.data.get("stuck", []):
            return False
        self.rows[name] = replace(self.rows[name], state="Running" if running else "Stopped")
        return True


def machine(root: Path, data: Mapping[str, Any], files: Mapping[str, str] | None = None) -> DataWindows:
    tree = WindowsTree(root)
    for path, content in (files or {}).items():
        tree.write(path, base64.b64decode(content))
    rows = {row["name"]: WindowsService(**row) for row in data.get("services", [])}
    return DataWindows(tree, rows, data)


def ask(windows: DataWindows, *steps: Mapping[str, Any]) -> list[Any]:
    request = {"protocol": 1, "marker": MARKER, "steps": list(steps), "always": []}
    marker, reply = answer(json.dumps(request), windows, agent="1.0.0")
    assert marker == MARKER
    found = json.loads(reply)["steps"]
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("name", sorted(each.stem for each in CASES.glob("*.json")))
def test_case(name: str, tmp_path: Path) -> None:
    case = json.loads((CASES / f"{name}.json").read_text())
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


def test_there_are_cases_for_every_verb() -> None:
    text = "".join(each.read_text() for each in CASES.glob("*.json"))
    assert len(list(CASES.glob("*.json"))) >= 30
    for verb in ("facts", "file_versions", "read_files", "services", "processes", "require_not_running"):
        assert f'"verb": "{verb}"' in text
    for verb in ("backup", "write_files", "service_control"):
        assert f'"verb": "{verb}"' in text


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
    assert not list(tmp_path.iterdir())


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
    found, reply = answer(request_text, machine(tmp_path, {}), agent="1.0.0")
    parsed = json.loads(reply)
    assert found == marker
    assert (parsed["steps"], parsed["always"], parsed["error"]["code"]) == ([], [], "bad_request")
