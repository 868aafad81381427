"""The agent's verbs in Python: what `agent.ps1` answers on a recorder, byte for byte.

Protocol: one JSON request, one canonical JSON reply (docs/reference/agent-protocol.md). The machine below
is injected, so that the same data cases run against this emulation and against the real script.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Callable, Mapping

from ivn_provision.lab.nvr.agent_backup import backup, restore
from ivn_provision.lab.nvr.agent_exchange import exchange
from ivn_provision.lab.nvr.agent_files import located, read_files, require_unchanged, write_files
from ivn_provision.lab.nvr.agent_folders import snapshot
from ivn_provision.lab.nvr.agent_http import http, require_http
from ivn_provision.lab.nvr.agent_leases import drop_lease, lease, take_lease
from ivn_provision.lab.nvr.agent_lock import exclusively, wait_idle
from ivn_provision.lab.nvr.agent_logs import mark_logs, require_clean_logs
from ivn_provision.lab.nvr.agent_machine import AgentRun, Windows, WindowsService
from ivn_provision.lab.nvr.agent_request import UNREADABLE_MARKER, checked, marker_of, parsed, undo_of
from ivn_provision.lab.nvr.agent_reverts import arm_revert, disarm_revert, revert, reverts
from ivn_provision.lab.nvr.agent_services import (
    processes,
    require_not_running,
    require_running,
    service_control,
    services,
)
from ivn_provision.lab.nvr.agent_smtp import smtp
from ivn_provision.lab.nvr.agent_values import AgentRefusal, Json, Object, canonical, text, texts
from ivn_provision.lab.nvr.agent_windows import (
    about_windows,
    firewall,
    firewall_rule,
    listening,
    service_config,
)

__all__ = ["Windows", "WindowsService", "answer", "framed"]


def answer(request_text: str, windows: Windows, *, agent: str, script: str = "") -> tuple[str, bytes]:
    """Run one request: the marker and the reply's canonical JSON. `script` is what a revert keeps of the agent."""
    marker = UNREADABLE_MARKER
    reply: dict[str, Json] = {"agent": agent, "protocol": 1, "steps": [], "undone": [], "always": []}
    try:
        fields = parsed(request_text)
        marker = marker_of(fields)
        request = checked(fields)
    except AgentRefusal as refusal:
        return marker, canonical({**reply, "error": refusal.as_json()})
    run = AgentRun(windows, script)
    with exclusively(run, request.verbs(), request.lock_seconds):
        reply["steps"], reply["undone"] = _in_order(request.steps, run)
        reply["always"] = [_answered(step, run) for step in request.always]
    return marker, canonical(reply)


def framed(marker: str, reply: bytes) -> bytes:
    """The reply as the agent writes it to standard output."""
    packed = base64.b64encode(gzip.compress(reply, mtime=0)).decode("ascii")
    lines = [packed[at : at + 76] for at in range(0, len(packed), 76)]
    first = f"IVN-BEGIN {marker} {len(reply)} {hashlib.sha256(reply).hexdigest()}"
    return "\r\n".join([first, *lines, f"IVN-END {marker}", ""]).encode("ascii")


def _in_order(steps: list[Object], run: AgentRun) -> tuple[list[Json], list[Json]]:
    """The answers up to the first failure and of what is undone then, the failed step's first."""
    results: list[Json] = []
    for at, step in enumerate(steps):
        result = _answered(step, run)
        results.append(result)
        if result["ok"] is False:
            skipped = AgentRefusal("skipped", "an earlier step failed")
            results += [_refused(text(each, "verb"), skipped) for each in steps[at + 1 :]]
            return results, _undone(steps[: at + 1], run)
    return results, []


def _undone(attempted: list[Object], run: AgentRun) -> list[Json]:
    if run.barred is not None:
        return []
    return [_answered(each, run) for step in reversed(attempted) for each in undo_of(step)]


def _answered(step: Object, run: AgentRun) -> Object:
    verb = text(step, "verb")
    try:
        if run.barred is not None:
            raise run.barred
        run.windows.before_step(verb, run.count)
        run.count += 1
        return {"verb": verb, "ok": True, **_result(verb, step, run)}
    except AgentRefusal as refusal:
        return _refused(verb, refusal)


def _result(verb: str, step: Object, run: AgentRun) -> Object:
    if verb in _VERBS:
        return _VERBS[verb](step, run.windows)
    if verb in _RUN_VERBS:
        return _RUN_VERBS[verb](step, run)
    raise AgentRefusal("bad_request", "unknown verb")


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


_VERBS: Mapping[str, Callable[[Object, Windows], Object]] = {
    "facts": _facts,
    "file_versions": _file_versions,
    "read_files": read_files,
    "services": services,
    "require_not_running": require_not_running,
    "processes": processes,
    "backup": backup,
    "service_control": service_control,
    "require_running": require_running,
    "snapshot": snapshot,
    "http": http,
    "require_http": require_http,
    "smtp": smtp,
    "exchange": exchange,
    "restore": restore,
    "listening": listening,
    "firewall": firewall,
    "firewall_rule": firewall_rule,
    "service_config": service_config,
    "windows": about_windows,
    "lease": lease,
    "take_lease": take_lease,
    "drop_lease": drop_lease,
    "reverts": reverts,
    "revert": revert,
    "disarm_revert": disarm_revert,
}
_RUN_VERBS: Mapping[str, Callable[[Object, AgentRun], Object]] = {
    "wait_idle": wait_idle,
    "write_files": write_files,
    "arm_revert": arm_revert,
    "require_unchanged": require_unchanged,
    "mark_logs": mark_logs,
    "require_clean_logs": require_clean_logs,
}
