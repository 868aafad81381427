"""What a technician does to the emulated Windows itself, for `lab tamper` and `lab remove`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from ivn_provision.errors import LabError
from ivn_provision.lab.nvr.windows_machine import WindowsMachine
from ivn_provision.lab.nvr.windows_state import GIB, START_MODES, FirewallRule

_MODES = {mode.lower(): mode for mode in START_MODES}
Fields = Mapping[str, str]


def tamper_windows(machine: WindowsMachine, kind: str, key: str, fields: Fields) -> None:
    """Change a service's start mode or state, a firewall rule, the clock, its source, a disk. Raises LabError."""
    for word, value in fields.items():
        if not _CHANGES[kind](machine, key, word, value):
            raise LabError(f"a {kind} has no {word}: {value}", next_step=_WORDS[kind])


def remove_windows(machine: WindowsMachine, kind: str, key: str) -> None:
    """Remove a firewall rule. Raises LabError for everything else."""
    if kind != "firewall_rule" or not any(each.name == key for each in machine.system.rules):
        raise LabError(f"there is no {kind} {key!r} that could be removed", next_step="name a firewall rule")
    machine.system.drop_rule(key)


def _service(machine: WindowsMachine, name: str, word: str, value: str) -> bool:
    if name not in {each.name for each in machine.services()}:
        raise LabError(f"there is no service {name!r}", next_step="for example `Milestone Recording Server`")
    if word == "start_mode" and value in _MODES:
        return machine.set_start_mode(name, _MODES[value])
    return word == "state" and value in {"running", "stopped"} and _state(machine, name, value == "running")


def _state(machine: WindowsMachine, name: str, running: bool) -> bool:
    if (machine.state(name) == "Running") != running and not machine.control(name, running=running):
        raise LabError(f"{name} did not change its state", next_step="is it disabled?")
    return True


def _rule(machine: WindowsMachine, name: str, word: str, value: str) -> bool:
    state = machine.system
    known = next((each for each in state.rules if each.name == name), FirewallRule(name, 6, "1"))
    match word, value:
        case "enabled", ("true" | "false"):
            changed = replace(known, enabled=value == "true")
        case "action", ("allow" | "block"):
            changed = replace(known, allow=value == "allow")
        case "protocol", ("tcp" | "udp"):
            changed = replace(known, protocol={"tcp": 6, "udp": 17}[value])
        case "ports", _:
            changed = replace(known, local_ports=value)
        case "remote", _:
            changed = replace(known, remote=value)
        case _:
            return False
    return state.put_rule(changed)


def _clock(machine: WindowsMachine, _: str, word: str, value: str) -> bool:
    if word != "offset_seconds" or not re.fullmatch(r"-?\d{1,7}", value):
        return False
    machine.system.clock_offset_seconds = int(value)
    return True


def _time_source(machine: WindowsMachine, _: str, word: str, value: str) -> bool:
    if word not in {"type", "servers", "service"}:
        return False
    setattr(machine.system, f"time_{word}", value)
    return True


def _disk(machine: WindowsMachine, drive: str, word: str, value: str) -> bool:
    state = machine.system
    drives = [each.drive for each in state.disks]
    if drive not in drives:
        raise LabError(f"there is no disk {drive!r}", next_step=f"there are: {', '.join(drives)}")
    if word != "free_gib" or not value.isdecimal():
        return False
    state.disks = tuple(
        replace(each, free_bytes=int(value) * GIB) if each.drive == drive else each for each in state.disks
    )
    return True


_CHANGES: Mapping[str, Callable[[WindowsMachine, str, str, str], bool]] = {
    "windows_service": _service,
    "firewall_rule": _rule,
    "clock": _clock,
    "time_source": _time_source,
    "disk": _disk,
}
_WORDS = {
    "windows_service": "start_mode auto|manual|disabled, state running|stopped",
    "firewall_rule": "enabled true|false, action allow|block, protocol tcp|udp, ports, remote",
    "clock": "offset_seconds, a whole number such as -90",
    "time_source": "type NTP|NT5DS|NoSync, servers, service Running|Stopped",
    "disk": "free_gib, a whole number",
}
WINDOWS_KINDS = frozenset(_CHANGES)
