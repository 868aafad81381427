"""Reverts as they lie on the emulated machine: one folder each, with all that undoing a write needs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from ivn_provision.lab.nvr.agent_files import located, place_whole
from ivn_provision.lab.nvr.agent_leases import is_name, name_of
from ivn_provision.lab.nvr.agent_machine import AgentRun, Windows
from ivn_provision.lab.nvr.agent_values import (
    AgentRefusal,
    Json,
    Object,
    bad_arguments,
    canonical,
    objects,
    text,
    text_order,
    texts,
    whole,
)

FOLDER = r"C:\ProgramData\ivn-provision\reverts"
STEPS = ("firewall_rule", "service_config", "service_control")
_MOST = 1_000_000_000


def folder_of(name: str) -> str:
    """The Windows path of a revert's folder."""
    return f"{FOLDER}\\{name}"


def all_kept(windows: Windows) -> list[Object]:
    """Every revert that can be read, the oldest first."""
    folder = windows.tree.locate(FOLDER)
    places = [each for each in folder.iterdir() if each.is_dir()] if folder.is_dir() else []
    found = [kept for each in places if (kept := _read(each)) is not None]
    return sorted(found, key=lambda kept: (whole(kept, "number"), text_order(text(kept, "id"))))


def next_number(windows: Windows) -> int:
    """Tells which of two reverts was made later."""
    return max((whole(each, "number") for each in all_kept(windows)), default=0) + 1


def keep(kept: Object, windows: Windows) -> None:
    """Put a revert's state in place. Raises AgentRefusal."""
    place_whole(f"{folder_of(text(kept, 'id'))}\\revert.json", canonical(kept), windows)


def keep_new(kept: Object, run: AgentRun) -> None:
    """Make the folder of a revert: the agent itself, what it will be asked, and the state last."""
    windows, folder = run.windows, folder_of(text(kept, "id"))
    try:
        windows.tree.locate(folder).mkdir(parents=True)
        place_whole(f"{folder}\\agent.ps1", run.script.encode(), windows)
        place_whole(f"{folder}\\request.json", _request(text(kept, "run")), windows)
        keep(kept, windows)
    except (OSError, AgentRefusal) as error:
        remove(text(kept, "id"), windows)
        raise AgentRefusal("io", "the file could not be written", folder) from error


def remove(name: str, windows: Windows) -> None:
    """Remove a revert's folder, if it is there."""
    place = located(windows.tree, folder_of(name))
    try:
        shutil.rmtree(place)
    except FileNotFoundError:
        return
    except OSError as error:
        raise AgentRefusal("io", "the file could not be written", folder_of(name)) from error


def also_of(step: Object) -> list[Object]:
    """The steps that a revert takes besides. Their values are plain: texts, numbers, flags, lists of texts."""
    found = objects(step, "also")
    for each in found:
        if each.get("verb") not in STEPS or not all(_is_plain(value) for value in each.values()):
            raise bad_arguments()
    return found


def _is_plain(value: Json) -> bool:
    if isinstance(value, list):
        return all(isinstance(each, str) for each in value)
    return isinstance(value, str | int)


def _read(place: Path) -> Object | None:
    try:
        kept = json.loads((place / "revert.json").read_bytes().decode("ascii"))
        for name in ("from", "state", "due_at", "detail"):
            text(kept, name)
        texts(kept, "stop"), texts(kept, "start"), also_of(kept), name_of(kept, "run")
        sound = 0 < whole(kept, "number") <= _MOST and kept.get("id") == place.name and is_name(place.name)
    except (OSError, ValueError, RecursionError, AttributeError, AgentRefusal):
        return None
    return dict(kept) if sound else None


def _request(run: str) -> bytes:
    """What the task asks the kept agent to do."""
    step: Json = {"verb": "revert", "run": run, "by_task": True}
    request: dict[str, Json] = {
        "protocol": 1,
        "marker": "SCHEDULEDREVERT0",
        "lock_seconds": 600,
        "steps": [step],
    }
    return canonical(request)
