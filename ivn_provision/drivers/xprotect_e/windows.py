"""What was seen of Windows -> live resources, capabilities, notes. Independent of the product's version."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ivn_provision.drivers.xprotect_e.windows_firewall import blocking_rules, opening, own_rules
from ivn_provision.drivers.xprotect_e.windows_seen import WindowsSeen, free_bytes, role_of_program
from ivn_provision.model.live import Ability, Capabilities, Capability, Facts
from ivn_provision.model.resource import Address, Resource, Value
from ivn_provision.model.windows import WindowsPort

GIB = 1 << 30
NOTED_OFFSET_SECONDS = 30
NOTED_FREE_GIB = 5
NOT_NEEDED = "not needed on this Windows"


def _can(ability: Ability, reason: str = "") -> Capability:
    return Capability(ability, reason, "documented")


WINDOWS_CAPABILITIES: Mapping[tuple[str, str], Capability] = {
    ("windows_service", ""): _can(
        Ability.MANUAL, "the service is not installed: add it with the product's setup (R-23)"
    ),
    ("windows_service", "start_mode"): _can(Ability.MANAGED),
    ("windows_service", "state"): _can(Ability.MANAGED),
    **{
        ("firewall_rule", name): _can(Ability.MANAGED)
        for name in ("", "protocol", "port", "action", "enabled", "scope")
    },
    **{
        ("listening_port", name): _can(
            Ability.OBSERVABLE,
            "the product listens where its own configuration says: set the port there, and start its service",
        )
        for name in ("protocol", "port", "program")
    },
    ("windows", "clock_offset_seconds"): _can(
        Ability.OBSERVABLE,
        "more than the declared seconds off: set the recorder's clock, then its time source (w32tm /resync)",
    ),
    ("windows", "time_source"): _can(
        Ability.OBSERVABLE,
        "set it on the recorder: w32tm /config /manualpeerlist:HOST /syncfromflags:manual /update",
    ),
    ("windows", "free_gib"): _can(
        Ability.OBSERVABLE,
        "less than the declared GiB are free: make room on the drive of Windows or the product",
    ),
    ("windows", "dotnet"): _can(Ability.OBSERVABLE, "install .NET Framework 4.0 or higher (R-21)"),
    ("windows", "service_pack"): _can(Ability.OBSERVABLE, "install Service Pack 1 of Windows (R-22)"),
    ("windows", "blocking_rules"): _can(
        Ability.OBSERVABLE,
        "rules of others that block the port: remove or change them in the Windows Firewall",
    ),
}
"""Windows' own interfaces are documented; only what is read of them counts as done."""


def windows_unread(seen: WindowsSeen) -> frozenset[str]:
    """Kinds of which this reading shows nothing."""
    unread = {
        "firewall_rule": seen.firewall is None,
        "listening_port": seen.listening is None,
    }
    return frozenset(kind for kind, is_unread in unread.items() if is_unread)


def windows_facts(facts: Facts, seen: WindowsSeen) -> Facts:
    """The facts of a recorder with what can be done with the Windows below it, and what is off there."""
    known = facts.capabilities
    table = {**known.table, **WINDOWS_CAPABILITIES}
    capabilities = Capabilities(table, known.default, known.unread | windows_unread(seen))
    return replace(facts, capabilities=capabilities, notes=(*facts.notes, *windows_notes(seen)))


def windows_resources(seen: WindowsSeen, site: str) -> tuple[Resource, ...]:
    """Every live resource of the kinds of Windows."""
    return tuple(_all(seen, site))


def _all(seen: WindowsSeen, site: str) -> Iterator[Resource]:
    for role, service in seen.by_role.items():
        yield _resource(site, "windows_service", role, _service(service), str(service["name"]))
    if seen.firewall is not None:
        own = own_rules(seen.firewall)
        for rule in own:
            yield _resource(site, "firewall_rule", rule.key, rule.fields, rule.name)
        for port in seen.asked.ports if seen.asked.firewall else ():
            rule_of_others = opening(seen.firewall, port)
            if rule_of_others and port.name not in {rule.key for rule in own}:
                yield _resource(site, "firewall_rule", port.name, rule_of_others.fields, owned=False)
    if seen.listening is not None:
        for port in seen.asked.ports:
            fields: dict[str, Value] = {"protocol": port.protocol, "port": port.port}
            fields["program"] = program_on(seen.listening, port)
            yield _resource(site, "listening_port", port.name, fields)
    yield _resource(site, "windows", "", _whole(seen))


def _resource(
    site: str, kind: str, key: str, fields: Mapping[str, Value], handle: str = "", *, owned: bool = True
) -> Resource:
    digest = hashlib.sha256(json.dumps([handle, dict(fields)], sort_keys=True).encode()).hexdigest()
    return Resource(
        Address(site, "nvr", kind, key), fields, handle=handle or key or kind, digest=digest, owned=owned
    )


def _service(service: Mapping[str, Any]) -> dict[str, Value]:
    return {"start_mode": str(service["start_mode"]).lower(), "state": str(service["state"]).lower()}


def program_on(listening: Mapping[str, Any], port: WindowsPort) -> str:
    """Who listens on a port: a role, a foreign program's name, or a text that says that nobody can come in."""
    there = [
        each for each in listening["ports"] if each["protocol"] == port.protocol and each["port"] == port.port
    ]
    outside = [each for each in there if not _is_loopback(str(each["address"]))]
    if outside:
        return role_of_program(str(outside[0]["program"])) or f"process {outside[0]['process_id']}"
    return "(only from the machine itself)" if there else "(nobody)"


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def _whole(seen: WindowsSeen) -> dict[str, Value]:
    fields: dict[str, Value | None] = {
        "clock_offset_seconds": seen.offset,
        "service_pack": _service_pack(seen.facts),
        "blocking_rules": blocking_rules(seen.firewall, seen.asked.ports) if seen.firewall else None,
    }
    if seen.about is not None:
        least = min(free_bytes(seen).values(), default=None)
        fields["free_gib"] = None if least is None else least // GIB
        fields["time_source"] = _time_source(seen.about)
        fields["dotnet"] = max(map(str, seen.about["dotnet"]), key=_by_number, default="")
    return {name: value for name, value in fields.items() if value is not None}


def _service_pack(facts: Mapping[str, Any]) -> Value:
    """R-22 speaks of Windows 7 and 2008 R2, which are version 6.1."""
    return int(facts["service_pack"]) if str(facts["os_version"]).startswith("6.1") else NOT_NEEDED


def _time_source(about: Mapping[str, Any]) -> str:
    if about["time_service"] != "Running":
        return "(the Windows time service does not run)"
    if about["time_type"] not in {"NTP", "AllSync"}:
        return "(the domain)" if about["time_type"] == "NT5DS" else "(none)"
    return " ".join(map(str, about["time_servers"])) or "(none)"


def _by_number(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdecimal() else 0 for part in version.split("."))


def windows_notes(seen: WindowsSeen) -> tuple[str, ...]:
    """What is plainly off, whatever is declared."""
    return tuple(_notes(seen))


def _notes(seen: WindowsSeen) -> Iterator[str]:
    if seen.offset is not None and abs(seen.offset) > NOTED_OFFSET_SECONDS:
        direction = "ahead of" if seen.offset > 0 else "behind"
        yield f"the recorder's clock is at least {abs(seen.offset):.0f} s {direction} this computer's"
    for service in seen.services:
        if service["start_mode"] == "Auto" and service["state"] != "Running":
            yield f"the service {service['name']} starts by itself but is {str(service['state']).lower()}"
    for drive, free in free_bytes(seen).items():
        if free < NOTED_FREE_GIB * GIB:
            yield f"only {free / GIB:.1f} GiB are free on drive {drive} of the recorder"
    if seen.listening is not None and not seen.asked.listening:
        for port in seen.asked.ports:
            if program_on(seen.listening, port).startswith("("):
                yield f"nobody from outside can reach {port.name} {port.port} ({port.protocol}): nothing listens there"
    if seen.firewall is None:
        yield "the Windows firewall of the recorder does not answer"
    elif seen.asked.firewall and seen.firewall["overridden"]:
        yield "a group policy overrides the recorder's own firewall rules: a rule that is there may have no effect"
