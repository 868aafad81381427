"""What a site declares of Windows itself: services, firewall, listeners, clock, disks, prerequisites."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ivn_provision.model.resource import Address, Resource, Value
from ivn_provision.model.windows import ANY, DOTNET, NO_RULES, SERVICE_PACK, WindowsPort, ports_of
from ivn_provision.spec.site import Nvr, Site, Windows


def windows_resources(site: Site, nvr: Nvr) -> Iterator[Resource]:
    """The resources of `nvr.windows`, in declaration order."""
    windows = nvr.windows
    if windows is None:
        return
    for role, mode in (windows.services or {}).items():
        state = "stopped" if mode == "disabled" else "running"
        fields: dict[str, Value] = {"start_mode": mode, "state": state}
        yield _make(site, "windows_service", role, f"{windows.pointer}/services/{role}", fields)
    for port in ports_of(nvr):
        yield from _port(site, windows, port)
    if whole := _whole(windows):
        yield _make(site, "windows", "", windows.pointer, whole)


def _port(site: Site, windows: Windows, port: WindowsPort) -> Iterator[Resource]:
    where: dict[str, Value] = {"protocol": port.protocol, "port": port.port}
    if windows.firewall:
        fields: dict[str, Value] = {**where, "action": "allow", "enabled": True, "scope": ANY}
        yield _make(site, "firewall_rule", port.name, f"{windows.pointer}/firewall", fields)
    if windows.listening:
        fields = {**where, "program": port.role}
        yield _make(site, "listening_port", port.name, f"{windows.pointer}/listening", fields)


def _whole(windows: Windows) -> dict[str, Value]:
    fields: dict[str, Value] = {
        "clock_offset_seconds": windows.max_clock_offset_seconds,
        "time_source": windows.time_source,
        "free_gib": windows.min_free_gib,
        "dotnet": DOTNET if windows.prerequisites else None,
        "service_pack": SERVICE_PACK if windows.prerequisites else None,
        "blocking_rules": NO_RULES if windows.firewall else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _make(site: Site, kind: str, key: str, pointer: str, fields: Mapping[str, Value]) -> Resource:
    return Resource(
        Address(site.name, "nvr", kind, key), fields, declared_at=site.places.place(pointer), pointer=pointer
    )
