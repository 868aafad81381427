"""The part of a data case's machine that is Windows itself: `windows.*` of tests/cases/agent/*.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from ivn_provision.lab.loopback import is_loopback
from ivn_provision.lab.nvr.agent_line import Route
from ivn_provision.lab.nvr.agent_machine import WindowsService
from ivn_provision.lab.nvr.windows_state import Disk, FirewallRule, Listening, WindowsState


class CaseWindows:
    """Adds to a case's machine what its `data` says of ports, firewall, clock source and disks."""

    data: Mapping[str, Any]
    rows: dict[str, WindowsService]

    @cached_property
    def system(self) -> WindowsState:
        return state_of(self.data)

    def set_start_mode(self, name: str, mode: str) -> bool:
        if name in self.data.get("refuses", []):
            return False
        self.rows[name] = replace(self.rows[name], start_mode=mode)
        return True

    def route(self, host: str, port: int) -> Route | None:
        """A loopback address, which is another machine's in a case that says `far`."""
        real = "127.0.0.1" if host == "localhost" else host
        return Route((real, port), is_own=not self.data.get("far", False)) if is_loopback(real) else None

    def schedule(self, name: str, due_at: str, folder: str) -> bool:
        """Windows keeps nothing of it but whether it agrees."""
        return bool(due_at and folder) and name not in self.data.get("refuses", [])

    def unschedule(self, name: str) -> bool:
        """There is none."""
        return name not in self.data.get("refuses", [])


def state_of(data: Mapping[str, Any]) -> WindowsState:
    """The state that a case describes."""
    listeners = tuple(Listening(**row) for row in data.get("listening", []))
    firewall = data.get("firewall", {})
    about = data.get("about", {})
    return WindowsState(
        listeners=lambda: listeners,
        firewall_enabled=firewall.get("enabled", 7),
        firewall_active=firewall.get("active", 1),
        firewall_overridden=firewall.get("overridden", False),
        firewall_answers="firewall" in data,
        rules=[FirewallRule(**row) for row in firewall.get("rules", [])],
        dotnet=tuple(about.get("dotnet", [])),
        time_type=about.get("time_type", ""),
        time_servers=about.get("time_servers", ""),
        time_service=about.get("time_service", ""),
        disks=tuple(Disk(**row) for row in about.get("disks", [])),
        refusals=frozenset(data.get("refuses", [])),
        trusted_roots=data.get("trusts", ""),
    )
