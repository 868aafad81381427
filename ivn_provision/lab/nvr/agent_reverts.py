"""The agent's verbs on reverts: what undoes a run's writes later, by request or by a scheduled task."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

from ivn_provision.lab.nvr.agent_backup import manifest_of, restore
from ivn_provision.lab.nvr.agent_files import existing, located, sha256
from ivn_provision.lab.nvr.agent_leases import dropped, later, name_of
from ivn_provision.lab.nvr.agent_machine import AgentRun, Windows
from ivn_provision.lab.nvr.agent_reverts_kept import (
    all_kept,
    also_of,
    folder_of,
    keep,
    keep_new,
    next_number,
    remove,
)
from ivn_provision.lab.nvr.agent_services import service_control
from ivn_provision.lab.nvr.agent_values import (
    AgentRefusal,
    Json,
    Object,
    bad_arguments,
    text,
    text_order,
    texts,
    whole,
)
from ivn_provision.lab.nvr.agent_windows import firewall_rule, service_config

TASK = "ivn-provision-revert-"
_SHORTEST, _LONGEST = 30, 86400
_ALSO: dict[str, Callable[[Object, Windows], Object]] = {
    "firewall_rule": firewall_rule,
    "service_config": service_config,
    "service_control": service_control,
}
_WAITS = frozenset({"prepared", "armed", "failed"})
_FIRED = frozenset({"reverted", "left", "failed"})


def arm_revert(step: Object, run: AgentRun) -> Object:
    """Verb `arm_revert`: keep what undoes a write; with a time, Windows does it then."""
    windows, name, seconds = run.windows, name_of(step, "id"), whole(step, "after_seconds")
    kept: dict[str, Json] = {
        "also": also_of(step),
        "detail": "",
        "from": text(step, "from"),
        "id": name,
        "run": name_of(step, "run"),
        "start": texts(step, "start"),
        "state": "armed" if seconds else "prepared",
        "stop": texts(step, "stop"),
    }
    if seconds and not _SHORTEST <= seconds <= _LONGEST:
        raise bad_arguments()
    if kept["from"]:
        located(windows.tree, text(step, "from"))
    if located(windows.tree, folder_of(name)).exists():
        raise AgentRefusal("exists", "there is a revert of that id already", folder_of(name))
    kept["number"], kept["due_at"] = next_number(windows), later(windows, seconds) if seconds else ""
    keep_new(kept, run)
    if seconds and not windows.schedule(TASK + name, text(kept, "due_at"), folder_of(name)):
        remove(name, windows)
        raise AgentRefusal("refused", f"Windows refused to make the scheduled task: {TASK}{name}")
    return _row(kept)


def reverts(_: Object, windows: Windows) -> Object:
    """Verb `reverts`."""
    rows = [_row(each) for each in all_kept(windows)]
    return {"reverts": sorted(rows, key=lambda row: text_order(text(row, "id")))}


def revert(step: Object, windows: Windows) -> Object:
    """Verb `revert`: all that a run still has, the newest first."""
    run, by_task = name_of(step, "run"), step.get("by_task", False)
    if not isinstance(by_task, bool):
        raise bad_arguments()
    mine = [each for each in all_kept(windows) if each["run"] == run and each["state"] in _WAITS]
    done: list[Json] = [_reverted(each, windows) for each in reversed(mine)]
    if by_task:
        dropped(run, windows)
    return {"reverts": done}


def disarm_revert(step: Object, windows: Windows) -> Object:
    """Verb `disarm_revert`: what the run wrote stays."""
    run, unless_fired = name_of(step, "run"), step.get("unless_fired", False)
    if not isinstance(unless_fired, bool):
        raise bad_arguments()
    mine = {text(each, "id"): text(each, "state") for each in all_kept(windows) if each["run"] == run}
    names = sorted(mine, key=text_order)
    for name in names if unless_fired else ():
        if mine[name] in _FIRED:
            raise AgentRefusal("fired", f"the revert has fired: {name} is {mine[name]}")
    for name in names:
        if not windows.unschedule(TASK + name):
            raise AgentRefusal("refused", f"Windows refused to remove the scheduled task: {TASK}{name}")
        remove(name, windows)
    return {"disarmed": names}


def _reverted(kept: Object, windows: Windows) -> Json:
    try:
        state, detail = _way_back(kept, windows)
    except AgentRefusal as refusal:
        state, detail = "failed", _said(refusal)
    done = {**kept, "state": state, "detail": detail}
    keep(done, windows)
    # only now: a machine that goes off in the middle does it again when it is on
    windows.unschedule(f"{TASK}{kept['id']}")
    return _row(done)


def _way_back(kept: Object, windows: Windows) -> tuple[str, str]:
    source = text(kept, "from")
    try:
        before = {text(each, "path"): text(each, "sha256") for each in _named(source, windows)}
        now = {path: _hash(path, windows) for path in before}
    except AgentRefusal as refusal:
        _done("start", kept, windows)
        return "failed", _said(refusal)
    troubles: list[str] = []
    other = _changed_by_others(source, before, now, windows)
    if not other and now != before:
        troubles = _done("stop", kept, windows)
        # it may be saved while services stop
        other = _changed_by_others(source, before, {path: _hash(path, windows) for path in before}, windows)
        # a file is not put back below a service that did not stop: it might write it again
        if not other and not troubles:
            troubles = _tried(partial(restore, {"from": kept["from"]}, windows))
    if other:
        _done("start", kept, windows)
        return "left", f"somebody changed {other}"
    for each in also_of(kept):
        troubles += _tried(partial(_ALSO[text(each, "verb")], each, windows))
    troubles += _done("start", kept, windows)
    return ("failed", troubles[0]) if troubles else ("reverted", "")


def _changed_by_others(source: str, before: dict[str, str], now: dict[str, str], windows: Windows) -> str:
    """The first file that is neither what it was nor what the run wrote."""
    written = _written(source, windows)
    others = (path for path, was in before.items() if now[path] not in {was, written.get(path.lower(), was)})
    return next(others, "")


def _done(action: str, kept: Object, windows: Windows) -> list[str]:
    """Start or stop every service of the revert, each for itself; what went wrong."""
    troubles: list[str] = []
    for name in texts(kept, action):
        step: Object = {"action": action, "names": [name], "timeout_seconds": 60}
        troubles += _tried(partial(service_control, step, windows))
    return troubles


def _tried(action: Callable[[], object]) -> list[str]:
    try:
        action()
    except AgentRefusal as refusal:
        return [_said(refusal)]
    return []


def _said(refusal: AgentRefusal) -> str:
    return refusal.message if refusal.path is None else f"{refusal.message}: {refusal.path}"


def _named(source: str, windows: Windows) -> list[Object]:
    return [each for each in manifest_of(source, windows) if each["named"]] if source else []


def _written(source: str, windows: Windows) -> dict[str, str]:
    """By path in lower case; nothing was written where there is none."""
    if not source:
        return {}
    try:
        found = json.loads((located(windows.tree, source) / "written.json").read_bytes().decode("ascii"))
        return {path.lower(): value for path, value in found.items() if isinstance(value, str)}
    except (OSError, ValueError, RecursionError, AttributeError):
        return {}


def _hash(path: str, windows: Windows) -> str:
    """Nothing for a file that is gone."""
    if not located(windows.tree, path).is_file():
        return ""
    return sha256(existing(windows, path).read_bytes())


def _row(kept: Object) -> Object:
    return {name: kept[name] for name in ("detail", "due_at", "id", "run", "state")}
