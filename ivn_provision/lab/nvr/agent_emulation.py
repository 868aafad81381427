"""The agent's verbs in Python: what `agent.ps1` answers on a recorder, byte for byte.

Protocol: one JSON request, one canonical JSON reply (docs/reference/agent-protocol.md). The machine below
is injected, so that the same data cases run against this emulation and against the real script.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

from ivn_provision.lab.nvr.agent_files import backup, located, read_files, write_files
from ivn_provision.lab.nvr.agent_values import (
    AgentRefusal,
    Json,
    Object,
    bad_arguments,
    canonical,
    text,
    texts,
    whole,
)
from ivn_provision.lab.nvr.tree import WindowsTree

_MARKER = re.compile(r"[A-Za-z0-9]{16,64}")
_UNREADABLE_MARKER = "BADREQUESTBADREQUEST"


@dataclass(frozen=True, slots=True)
class WindowsService:
    """One row of Win32_Service."""

    name: str
    display_name: str
    state: str
    start_mode: str
    path: str
    process_id: int


class Windows(Protocol):
    """The machine that the agent runs on."""

    @property
    def tree(self) -> WindowsTree:
        """Its file system."""

    def facts(self) -> Mapping[str, str | int]:
        """What verb `facts` tells."""

    def services(self) -> Sequence[WindowsService]:
        """Every service."""

    def processes(self) -> Sequence[str]:
        """Names of running programs, with `.exe`."""

    def file_version(self, path: str) -> tuple[str, str]:
        """Product name and version of a program file, empty when unknown."""

    def control(self, name: str, *, running: bool) -> bool:
        """Start or stop a service that exists; false when it does not get there in time."""

    def wrote(self, path: str) -> None:
        """A file was put in place."""


def answer(request_text: str, windows: Windows, *, agent: str) -> tuple[str, bytes]:
    """Run one request: the marker and the reply's canonical JSON."""
    marker = _UNREADABLE_MARKER
    try:
        request = _parsed(request_text)
        marker = _marker(request)
        steps, always = _entries(request)
    except AgentRefusal as refusal:
        empty: list[Json] = []
        failed: Object = {"steps": empty, "always": empty, "error": refusal.as_json()}
        return marker, canonical({"agent": agent, "protocol": 1, **failed})
    reply: Object = {
        "agent": agent,
        "protocol": 1,
        "steps": _in_order(steps, windows),
        "always": _each(always, windows),
    }
    return marker, canonical(reply)


def framed(marker: str, reply: bytes) -> bytes:
    """The reply as the agent writes it to standard output."""
    packed = base64.b64encode(gzip.compress(reply, mtime=0)).decode("ascii")
    lines = [packed[at : at + 76] for at in range(0, len(packed), 76)]
    first = f"IVN-BEGIN {marker} {len(reply)} {hashlib.sha256(reply).hexdigest()}"
    return "\r\n".join([first, *lines, f"IVN-END {marker}", ""]).encode("ascii")


def _parsed(request_text: str) -> Object:
    try:
        request = json.loads(request_text)
    except (ValueError, RecursionError) as error:
        raise AgentRefusal("bad_request", "the request is not valid JSON") from error
    if not isinstance(request, dict):
        raise AgentRefusal("bad_request", "the request is not an object")
    return request


def _marker(request: Object) -> str:
    marker = request.get("marker")
    if not isinstance(marker, str) or not _MARKER.fullmatch(marker):
        raise AgentRefusal("bad_request", "the marker is missing or malformed")
    return marker


def _entries(request: Object) -> tuple[list[Object], list[Object]]:
    if request.get("protocol") != 1 or isinstance(request.get("protocol"), bool):
        raise AgentRefusal("bad_request", "unknown protocol")
    return _entry_list(request.get("steps", [])), _entry_list(request.get("always", []))


def _entry_list(value: Json) -> list[Object]:
    if not isinstance(value, list):
        raise AgentRefusal("bad_request", "steps and always must be lists")
    entries: list[Object] = [
        each for each in value if isinstance(each, dict) and isinstance(each.get("verb"), str)
    ]
    if len(entries) != len(value):
        raise AgentRefusal("bad_request", "each step must be an object with a verb")
    return entries


def _in_order(steps: list[Object], windows: Windows) -> list[Json]:
    results: list[Json] = []
    failed = False
    for step in steps:
        skipped = AgentRefusal("skipped", "an earlier step failed")
        result = _refused(text(step, "verb"), skipped) if failed else _run(step, windows)
        failed = failed or result["ok"] is False
        results.append(result)
    return results


def _each(steps: list[Object], windows: Windows) -> list[Json]:
    return [_run(step, windows) for step in steps]


def _run(step: Object, windows: Windows) -> Object:
    verb = text(step, "verb")
    run = _VERBS.get(verb)
    try:
        if run is None:
            raise AgentRefusal("bad_request", "unknown verb")
        return {"verb": verb, "ok": True, **run(step, windows)}
    except AgentRefusal as refusal:
        return _refused(verb, refusal)


def _refused(verb: str, refusal: AgentRefusal) -> Object:
    return {"verb": verb, "ok": False, "error": refusal.as_json()}


def _facts(_: Object, windows: Windows) -> Object:
    return dict(windows.facts())


def _file_versions(step: Object, windows: Windows) -> Object:
    return {"files": [_file_version(path, windows) for path in texts(step, "paths")]}


def _file_version(path: str, windows: Windows) -> Object:
    exists = located(windows.tree, path).is_file()
    name, version = windows.file_version(path) if exists else ("", "")
    return {"path": path, "exists": exists, "product_name": name, "product_version": version}


def _services(step: Object, windows: Windows) -> Object:
    try:
        pattern = re.compile(text(step, "path_pattern"), re.IGNORECASE)
    except re.error as error:
        raise bad_arguments() from error
    matching = [asdict(each) for each in windows.services() if pattern.search(each.path)]
    return {"services": sorted(matching, key=lambda row: str(row["name"]))}


def _running(names: list[str], windows: Windows) -> list[str]:
    running = {name.casefold() for name in windows.processes()}
    return [name for name in names if name.casefold() in running]


def _processes(step: Object, windows: Windows) -> Object:
    return {"running": _running(texts(step, "names"), windows)}


def _require_not_running(step: Object, windows: Windows) -> Object:
    for name in _running(texts(step, "names"), windows):
        raise AgentRefusal("busy", f"a program that must not run is running: {name}")
    return {}


def _service_control(step: Object, windows: Windows) -> Object:
    action, names = text(step, "action"), texts(step, "names")
    whole(step, "timeout_seconds")
    if action not in {"start", "stop"}:
        raise bad_arguments()
    return {"services": [_controlled(name, windows, running=action == "start") for name in names]}


def _controlled(name: str, windows: Windows, *, running: bool) -> Object:
    known = next((each for each in windows.services() if each.name.casefold() == name.casefold()), None)
    if known is None:
        raise AgentRefusal("missing", f"no such service: {name}")
    wanted = "Running" if running else "Stopped"
    if known.state != wanted and not windows.control(known.name, running=running):
        raise AgentRefusal("timeout", f"the service did not reach the state in time: {name}")
    return {"name": name, "state": wanted}


_Verb = Callable[[Object, Windows], Object]
_VERBS: Mapping[str, _Verb] = {
    "facts": _facts,
    "file_versions": _file_versions,
    "read_files": lambda step, windows: read_files(step, windows.tree),
    "services": _services,
    "require_not_running": _require_not_running,
    "processes": _processes,
    "backup": lambda step, windows: backup(step, windows.tree),
    "write_files": lambda step, windows: write_files(step, windows.tree, windows.wrote),
    "service_control": _service_control,
}
