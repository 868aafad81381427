"""The agent's verbs on services and programs of the emulated machine."""

from __future__ import annotations

import re
from dataclasses import asdict

from ivn_provision.lab.nvr.agent_machine import Windows, WindowsService
from ivn_provision.lab.nvr.agent_values import AgentRefusal, Object, bad_arguments, text, texts, whole
from ivn_provision.lab.nvr.tree import BadPath

_PROGRAM = re.compile(r'"([^"]*)"|(.*?\.[Ee][Xx][Ee])(?![^ ])', re.DOTALL)
_LONGEST_PAUSE = 3600


def services(step: Object, windows: Windows) -> Object:
    """Verb `services`."""
    try:
        pattern = re.compile(text(step, "path_pattern"), re.IGNORECASE)
    except re.error as error:
        raise bad_arguments() from error
    matching = [_row(each, windows) for each in windows.services() if pattern.search(each.path)]
    return {"services": sorted(matching, key=lambda row: str(row["name"]))}


def _row(service: WindowsService, windows: Windows) -> Object:
    name, version = _program_version(service.path, windows)
    return {**asdict(service), "product_name": name, "product_version": version}


def _program_version(path: str, windows: Windows) -> tuple[str, str]:
    found = _PROGRAM.match(path)
    program = (found[1] or found[2]) if found else path
    try:
        exists = windows.tree.locate(program or "").is_file()
    except BadPath:
        return "", ""
    return windows.file_version(program) if exists else ("", "")


def processes(step: Object, windows: Windows) -> Object:
    """Verb `processes`."""
    return {"running": _running(texts(step, "names"), windows)}


def require_not_running(step: Object, windows: Windows) -> Object:
    """Verb `require_not_running`."""
    for name in _running(texts(step, "names"), windows):
        raise AgentRefusal("busy", f"a program that must not run is running: {name}")
    return {}


def _running(names: list[str], windows: Windows) -> list[str]:
    running = {name.casefold() for name in windows.processes()}
    return [name for name in names if name.casefold() in running]


def service_control(step: Object, windows: Windows) -> Object:
    """Verb `service_control`."""
    action, names = text(step, "action"), texts(step, "names")
    whole(step, "timeout_seconds")
    if action not in {"start", "stop"}:
        raise bad_arguments()
    return {"services": [_controlled(name, windows, running=action == "start") for name in names]}


def _controlled(name: str, windows: Windows, *, running: bool) -> Object:
    known = named(name, windows)
    wanted = "Running" if running else "Stopped"
    if known.state != wanted and not windows.control(known.name, running=running):
        raise AgentRefusal("timeout", f"the service did not reach the state in time: {name}")
    return {"name": name, "state": wanted}


def require_running(step: Object, windows: Windows) -> Object:
    """Verb `require_running`: each runs now, and after the pause still as the same process."""
    names = texts(step, "names")
    seconds = max(0, min(whole(step, "stable_seconds"), _LONGEST_PAUSE))
    before = [_process_of(name, windows) for name in names]
    windows.pause(seconds)
    for name, process in zip(names, before, strict=True):
        if _process_of(name, windows, "the service did not stay running") != process:
            raise AgentRefusal("check_failed", f"the service did not stay running: {name}")
    return {}


def _process_of(name: str, windows: Windows, otherwise: str = "the service is not running") -> int:
    service = named(name, windows)
    if service.state != "Running":
        raise AgentRefusal("check_failed", f"{otherwise}: {name}")
    return service.process_id


def named(name: str, windows: Windows) -> WindowsService:
    """The service of a name, in any case. Raises AgentRefusal."""
    known = next((each for each in windows.services() if each.name.casefold() == name.casefold()), None)
    if known is None:
        raise AgentRefusal("missing", f"no such service: {name}")
    return known
