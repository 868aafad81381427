"""The agent's verbs about Windows itself: listeners, firewall, start modes, clock source, disks."""

from __future__ import annotations

import re
from dataclasses import asdict

from ivn_provision.lab.nvr.agent_machine import Windows
from ivn_provision.lab.nvr.agent_services import named
from ivn_provision.lab.nvr.agent_values import (
    AgentRefusal,
    Json,
    Object,
    bad_arguments,
    objects,
    text,
    whole,
)
from ivn_provision.lab.nvr.windows_state import START_MODES, FirewallRule, Listening

_PROTOCOLS = {"tcp": 6, "udp": 17}
_PROTOCOL_NAMES = {6: "tcp", 17: "udp", 256: "any"}
_PROFILES = {1: "domain", 2: "private", 4: "public"}
_ANY = 256
_OWN_NAME = re.compile(r"ivn-provision [A-Za-z0-9][A-Za-z0-9 ._-]{0,79}")
_RANGE = re.compile(r"\s*(\d{1,5})(?:\s*-\s*(\d{1,5}))?\s*", re.ASCII)


def listening(_: Object, windows: Windows) -> Object:
    """Verb `listening`: each listener once, by protocol, port and address."""
    rows = {_place(each): asdict(each) for each in windows.system.listeners()}
    return {"ports": [rows[place] for place in sorted(rows, key=_ordinal)]}


def _place(row: Listening) -> str:
    return f"{row.protocol} {row.port:05} {row.address} {row.process_id:09}"


def firewall(step: Object, windows: Windows) -> Object:
    """Verb `firewall`: the profiles, and the inbound rules that say something about one of the ports."""
    asked = [(_protocol(each), _port(each)) for each in objects(step, "ports")]
    state = windows.system
    if not state.firewall_answers:
        raise AgentRefusal("unavailable", "the Windows firewall does not answer")
    profiles: list[Json] = [
        {
            "name": name,
            "enabled": bool(state.firewall_enabled & bit),
            "active": bool(state.firewall_active & bit),
        }
        for bit, name in _PROFILES.items()
    ]
    rules = [each for each in state.rules if _is_own(each) or any(_covers(each, *port) for port in asked)]
    rows: list[Json] = [_row(each) for each in sorted(rules, key=lambda each: _ordinal(each.name))]
    return {"profiles": profiles, "overridden": state.firewall_overridden, "rules": rows}


def _is_own(rule: FirewallRule) -> bool:
    return rule.name.casefold().startswith("ivn-provision ")


def _covers(rule: FirewallRule, protocol: int, port: int) -> bool:
    if rule.protocol not in {_ANY, protocol}:
        return False
    if rule.local_ports in {"", "*"}:
        return True
    ranges = (_RANGE.fullmatch(part) for part in rule.local_ports.split(","))
    return any(each and int(each[1]) <= port <= int(each[2] or each[1]) for each in ranges)


def _row(rule: FirewallRule) -> Object:
    profiles: list[Json] = [name for bit, name in _PROFILES.items() if rule.profiles & bit]
    return {
        "name": rule.name,
        "protocol": _PROTOCOL_NAMES.get(rule.protocol, "other"),
        "port": rule.local_ports or "*",
        "enabled": rule.enabled,
        "action": "allow" if rule.allow else "block",
        "profiles": profiles,
        "program": rule.program,
        "service": rule.service,
        "remote": rule.remote,
    }


def firewall_rule(step: Object, windows: Windows) -> Object:
    """Verb `firewall_rule`: put or remove a rule of our own naming."""
    action = text(step, "action")
    name = text(step, "name")
    if not _OWN_NAME.fullmatch(name):
        raise bad_arguments()
    rule = FirewallRule(
        name,
        _protocol(step),
        str(_port(step)),
        enabled=_flag(step, "enabled"),
        allow=_flag(step, "allow"),
    )
    if action not in {"add", "remove"}:
        raise bad_arguments()
    state = windows.system
    if not (state.put_rule(rule) if action == "add" else state.drop_rule(name)):
        raise AgentRefusal("refused", f"Windows refused to change the firewall rule: {name}")
    return {"name": name, "present": action == "add"}


def _protocol(step: Object) -> int:
    number = _PROTOCOLS.get(text(step, "protocol"))
    if number is None:
        raise bad_arguments()
    return number


def _port(step: Object) -> int:
    port = whole(step, "port")
    if not 1 <= port <= 65535:
        raise bad_arguments()
    return port


def _flag(step: Object, name: str) -> bool:
    value = step.get(name, True)
    if not isinstance(value, bool):
        raise bad_arguments()
    return value


def service_config(step: Object, windows: Windows) -> Object:
    """Verb `service_config`: how a service starts."""
    name, mode = text(step, "name"), text(step, "start_mode")
    if mode not in START_MODES:
        raise bad_arguments()
    service = named(name, windows)
    if service.start_mode != mode and not windows.set_start_mode(service.name, mode):
        raise AgentRefusal("refused", f"Windows refused to change the start mode of the service: {name}")
    return {"name": name, "start_mode": mode}


def about_windows(_: Object, windows: Windows) -> Object:
    """Verb `windows`."""
    state = windows.system
    servers = [each.split(",")[0] for each in re.split("[ \t]+", state.time_servers)]
    disks = {each.drive: asdict(each) for each in state.disks}
    return {
        "dotnet": list(state.dotnet),
        "time_type": state.time_type,
        "time_servers": [each for each in servers if each],
        "time_service": state.time_service,
        "disks": [disks[drive] for drive in sorted(disks, key=_ordinal)],
    }


def _ordinal(value: str) -> bytes:
    """The order of .NET's ordinal comparison: by UTF-16 unit."""
    return value.encode("utf-16-be", "surrogatepass")
