"""Changes of the kinds of Windows -> agent steps, each with what undoes it.

They go into the one request of a write. A service that is disabled cannot be started, so start modes come
first; one that is to be stopped or disabled may have to take a changed file before, so that comes last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ivn_provision.drivers.xprotect_e.agent_link import Step
from ivn_provision.drivers.xprotect_e.windows_firewall import rule_name
from ivn_provision.model.resource import Address, Value
from ivn_provision.model.windows import WINDOWS_KINDS
from ivn_provision.plan.plan import Action, Change

SERVICE_SECONDS = 60
STABLE_SECONDS = 3
_MODES = {"auto": "Auto", "manual": "Manual", "disabled": "Disabled"}


@dataclass(frozen=True, slots=True)
class WindowsSteps:
    """Steps in the order of work, around a write of files and its restart of services; empty for none."""

    before: list[Step] = field(default_factory=list)
    starts: list[Step] = field(default_factory=list)
    after: list[Step] = field(default_factory=list)

    def alone(self) -> list[Step]:
        """The whole request where no file changes."""
        return [*self.before, *self.starts, *self.after]

    def undo(self) -> list[Step]:
        """What undoes them all, the last first."""
        return [each for step in reversed(self.alone()) for each in step.get("undo", [])]


def is_windows(change: Change) -> bool:
    """Is it a change of Windows itself, not of the product's files?"""
    return change.address.kind in WINDOWS_KINDS


def windows_write_steps(
    changes: Sequence[Change], desired: Mapping[Address, Mapping[str, Value]]
) -> WindowsSteps:
    """The steps for those of the changes that are of Windows. `desired` as in `Work`."""
    steps = WindowsSteps()
    for change in filter(is_windows, changes):
        if change.address.kind == "windows_service":
            _service(change, steps)
        elif change.address.kind == "firewall_rule":
            steps.before.append(_rule(change, desired.get(change.address, {})))
    return steps


def _service(change: Change, steps: WindowsSteps) -> None:
    # undone the other way round: a service that was stopped and disabled is enabled again, then started
    for each in sorted(change.fields, key=lambda each: each.name == "start_mode"):
        if each.name == "start_mode":
            step = _start_mode(change.handle, str(each.before), str(each.after))
            (steps.after if each.after == "disabled" else steps.before).append(step)
        elif each.name == "state" and each.after == "running":
            steps.starts.append(_state(change.handle, running=True))
            steps.starts.append(
                {"verb": "require_running", "names": [change.handle], "stable_seconds": STABLE_SECONDS}
            )
        elif each.name == "state":
            steps.after.append(_state(change.handle, running=False))


def _start_mode(name: str, before: str, after: str) -> Step:
    step = {"verb": "service_config", "name": name, "start_mode": _MODES[after]}
    undo = [{**step, "start_mode": _MODES[before]}] if before in _MODES else []
    return {**step, "undo": undo}


def _state(name: str, *, running: bool) -> Step:
    control = {"verb": "service_control", "names": [name], "timeout_seconds": SERVICE_SECONDS}
    action, opposite = ("start", "stop") if running else ("stop", "start")
    return {**control, "action": action, "undo": [{**control, "action": opposite}]}


def _rule(change: Change, desired: Mapping[str, Value]) -> Step:
    name = rule_name(change.address.key)
    before = {each.name: each.before for each in change.fields}
    after = {each.name: each.after for each in change.fields}
    remove = {"verb": "firewall_rule", "action": "remove", "name": name}
    if change.action is Action.DELETE:
        return {**remove, **_place(before), "undo": _put_back(name, before)}
    add = {"verb": "firewall_rule", "action": "add", "name": name, **_place({**desired, **after})}
    if change.action is Action.CREATE:
        return {**add, "undo": [{**remove, **_place(after)}]}
    return {**add, "undo": _put_back(name, {**desired, **before})}


def _place(fields: Mapping[str, Value]) -> dict[str, Any]:
    """Protocol and port; the agent wants some even for a rule that it removes by name."""
    protocol, port = fields.get("protocol"), fields.get("port")
    return {
        "protocol": protocol if protocol in {"tcp", "udp"} else "tcp",
        "port": port if isinstance(port, int) and 1 <= port <= 65535 else 1,
    }


def _put_back(name: str, fields: Mapping[str, Value]) -> list[Step]:
    """The former rule, where the agent can make it: one port, open to everybody. Otherwise nothing."""
    if fields.get("protocol") not in {"tcp", "udp"} or not isinstance(fields.get("port"), int):
        return []
    step = {"verb": "firewall_rule", "action": "add", "name": name, **_place(fields)}
    return [{**step, "enabled": fields.get("enabled") is True, "allow": fields.get("action") == "allow"}]
