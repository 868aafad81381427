"""Folders of the emulated machine as the agent walks them: verb `snapshot`, and the files a backup takes along."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ivn_provision.lab.nvr.agent_files import LARGEST_FILE, located, sha256
from ivn_provision.lab.nvr.agent_machine import Windows
from ivn_provision.lab.nvr.agent_values import AgentRefusal, Json, Object, text_order, texts, whole

_SNAPSHOT_DEPTH = 8
_LONGEST_LIST = 10_000


@dataclass(frozen=True, slots=True)
class Found:
    """A file below a folder, or a folder too deep to look into. `path` keeps the request's spelling."""

    path: str
    place: Path
    too_deep: bool = False


def files_below(folder: str, place: Path, depth: int) -> Iterator[Found]:
    """Every file directly in and below a folder; links are not followed."""
    for each in place.iterdir():
        path = f"{folder.rstrip(chr(92))}\\{each.name}"
        if each.is_symlink():
            continue
        if each.is_file():
            yield Found(path, each)
        elif depth > 0:
            yield from files_below(path, each, depth - 1)
        else:
            yield Found(path, each, too_deep=True)


def sorted_below(folders: list[tuple[str, Path]], depth: int) -> list[Found]:
    """What is below the folders, each path once, sorted by path."""
    found = {each.path: each for folder, place in folders for each in files_below(folder, place, depth)}
    return [found[path] for path in sorted(found, key=text_order)]


def snapshot(step: Object, windows: Windows) -> Object:
    """Verb `snapshot`."""
    folders = [(folder, located(windows.tree, folder)) for folder in texts(step, "folders")]
    most = max(0, min(whole(step, "max_files"), _LONGEST_LIST))
    there = [each for each in folders if each[1].is_dir()]
    found = sorted_below(there, _SNAPSHOT_DEPTH)
    files = [each for each in found if not each.too_deep]
    return {
        "files": [_row(each, windows) for each in files[:most]],
        "missing": [folder for folder, place in folders if not place.is_dir()],
        "truncated": len(files) > most or len(files) < len(found),
    }


def _row(file: Found, windows: Windows) -> Json:
    size = file.place.stat().st_size
    hashed = size <= LARGEST_FILE and windows.readable(file.path)
    return {
        "path": file.path,
        "size": size,
        "sha256": sha256(file.place.read_bytes()) if hashed else "",
    }


def folder_named(windows: Windows, path: str) -> Path:
    """The place of a folder that exists."""
    place = located(windows.tree, path)
    if not place.is_dir():
        raise AgentRefusal("missing", "the folder does not exist", path)
    return place
