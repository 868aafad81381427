"""Rows of the agent's verb `firewall` -> which ports are open, by which rule, and who blocks them.

Only rules that bear our name are ever changed. A rule of others that lets everybody in through the port
counts as there; one that is limited to some addresses, profiles, a service or another program does not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ivn_provision.drivers.xprotect_e.windows_seen import is_program_of
from ivn_provision.model.resource import Value
from ivn_provision.model.windows import ANY, NO_RULES, WindowsPort

OWN = "ivn-provision "
_OWN_NAME = re.compile(r"ivn-provision [a-z0-9][a-z0-9 ._-]{0,79}")
_RANGE = re.compile(r"\s*(\d{1,5})(?:\s*-\s*(\d{1,5}))?\s*", re.ASCII)
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FirewallRule:
    """A live rule as a resource: its key (the port's name), its name on the machine, its fields."""

    key: str
    name: str
    fields: Mapping[str, Value]


def rule_name(key: str) -> str:
    """The name of our own rule for a port."""
    return OWN + key


def own_rules(firewall: Row) -> tuple[FirewallRule, ...]:
    """Rules of our own naming, one for each name."""
    found: dict[str, FirewallRule] = {}
    rows = [each for each in firewall["rules"] if _is_own(each)]
    for row in rows:
        name = str(row["name"])
        key = name[len(OWN) :].casefold()
        twins = sum(str(each["name"]).casefold() == name.casefold() for each in rows)
        fields = _fields(row) | ({"scope": f"{twins} rules of this name"} if twins > 1 else {})
        found.setdefault(key, FirewallRule(key, name, fields))
    return tuple(found.values())


def opening(firewall: Row, port: WindowsPort) -> FirewallRule | None:
    """A rule of others that lets everybody in through a port."""
    active = _active(firewall)
    fields: dict[str, Value] = {"protocol": port.protocol, "port": port.port}
    for row in firewall["rules"]:
        lets_in = row["enabled"] and row["action"] == "allow" and covers(row, port)
        if lets_in and not _is_own(row) and _scope(row, active, port.role) == ANY:
            return FirewallRule(
                port.name, str(row["name"]), {**fields, "action": "allow", "enabled": True, "scope": ANY}
            )
    return None


def blocking_rules(firewall: Row, ports: Sequence[WindowsPort]) -> str:
    """Rules of others that block one of the ports in a profile that is in use; a block wins over an allow."""
    active = _active(firewall)
    found = {
        f"{row['name']} ({port.protocol} {port.port})"
        for row in firewall["rules"]
        for port in ports
        if row["enabled"] and row["action"] == "block" and covers(row, port)
        if active & set(row["profiles"])
        and (not row["program"] or is_program_of(port.role, str(row["program"])))
        if not _is_own(row)
    }
    return "; ".join(sorted(found)) or NO_RULES


def _is_own(row: Row) -> bool:
    """Does the rule bear a name that the agent would change?"""
    return _OWN_NAME.fullmatch(str(row["name"]).casefold()) is not None


def covers(row: Row, port: WindowsPort) -> bool:
    """Is the port among those of the rule?"""
    if row["protocol"] not in {"any", port.protocol}:
        return False
    ranges = (_RANGE.fullmatch(part) for part in str(row["port"]).split(","))
    return row["port"] == "*" or any(
        each and int(each[1]) <= port.port <= int(each[2] or each[1]) for each in ranges
    )


def _fields(row: Row) -> dict[str, Value]:
    port = str(row["port"])
    return {
        "protocol": str(row["protocol"]),
        "port": int(port) if port.isdecimal() else port,
        "action": str(row["action"]),
        "enabled": bool(row["enabled"]),
        "scope": _scope(row, {"domain", "private", "public"}, ""),
    }


def _active(firewall: Row) -> set[str]:
    active = {str(each["name"]) for each in firewall["profiles"] if each["active"]}
    return active or {"domain", "private", "public"}


def _scope(row: Row, profiles: set[str], role: str) -> str:
    """`any`, or what the rule is limited to."""
    limits = []
    if row["remote"] not in {"", "*"}:
        limits.append(f"from {row['remote']}")
    if row["program"] and not is_program_of(role, str(row["program"])):
        limits.append(f"for {row['program']}")
    if row["service"]:
        limits.append(f"for the service {row['service']}")
    if missing := sorted(profiles - set(row["profiles"])):
        limits.append(f"not in {', '.join(missing)}")
    return f"only {'; '.join(limits)}" if limits else ANY
