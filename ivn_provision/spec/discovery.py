"""Paths of a command line -> site files, each with the folder of its fleet.

A fleet's folder holds `fleet.yml`, `groups/NAME.yml` and, at any depth, site files (`*.yml`). Hidden files and
folders and `waivers.yml` are no sites.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from ivn_provision.diagnostics import Diagnostic, Place, Severity
from ivn_provision.errors import UsageProblem

FLEET_FILE = "fleet.yml"
WAIVERS_FILE = "waivers.yml"
GROUPS = "groups"
LAYOUTS = "layouts"
ATTESTATIONS = "attestations"
_OTHER_FOLDERS = frozenset({GROUPS, LAYOUTS, ATTESTATIONS})
NOT_SITES = frozenset({FLEET_FILE, WAIVERS_FILE})


@dataclass(frozen=True, slots=True)
class Found:
    """What the paths of a command line name. `sites` are (path, folder of the fleet), in path order."""

    sites: tuple[tuple[str, str], ...]
    roots: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]


def discover(paths: Sequence[str]) -> Found:
    """Raises UsageProblem for a path that is not there."""
    sites: dict[str, str] = {}
    roots: dict[str, None] = {}
    found: list[Diagnostic] = []
    for path in paths:
        if os.path.isdir(path):
            root = fleet_root(path)
            roots[root] = None
            for file, its_root in _walk(path, root, found):
                sites.setdefault(file, its_root)
                roots[its_root] = None
        elif os.path.lexists(path):
            _one_file(path, sites, roots)
        else:
            raise UsageProblem(
                f"{path}: no such file or folder", next_step="Name a site file or a fleet's folder."
            )
    return Found(tuple(sorted(sites.items())), tuple(roots), tuple(found))


def fleet_root(folder: str) -> str:
    """The nearest folder with a `fleet.yml`, from `folder` upwards as far as its repository; else `folder`."""
    here = folder
    for _ in range(64):
        if os.path.isfile(os.path.join(here, FLEET_FILE)):
            return here
        if os.path.exists(os.path.join(here, ".git")) or os.path.ismount(here):
            return folder
        here = _parent(here)
    return folder


def group_files(root: str) -> dict[str, str]:
    """Group name -> path of its file."""
    folder = _join(root, GROUPS)
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return {}
    visible = (name for name in names if name.endswith(".yml") and not name.startswith("."))
    return {name.removesuffix(".yml"): os.path.join(folder, name) for name in visible}


def fleet_file(root: str) -> str | None:
    """The path of the fleet's defaults, if there are any."""
    path = _join(root, FLEET_FILE)
    return path if os.path.lexists(path) else None


def site_paths(files: Collection[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Of a list of files below a fleet's folder, by the parts of their paths, the sites: as `discover` finds them."""
    fleets = {parts[:-1] for parts in files if parts[-1] == FLEET_FILE}

    def is_root(folder: tuple[str, ...]) -> bool:
        above = (folder[:depth] for depth in range(len(folder), -1, -1))
        return next((each for each in above if each in fleets), folder) == folder

    for parts in files:
        *folders, name = parts
        hidden = any(each.startswith(".") for each in parts)
        aside = any(each in _OTHER_FOLDERS and is_root(parts[:depth]) for depth, each in enumerate(folders))
        if name.endswith(".yml") and name not in NOT_SITES and not hidden and not aside:
            yield parts


def _one_file(path: str, sites: dict[str, str], roots: dict[str, None]) -> None:
    folder = os.path.dirname(path) or "."
    if os.path.basename(path) in NOT_SITES:
        roots[folder] = None
    elif os.path.basename(os.path.abspath(folder)) in _OTHER_FOLDERS and path.endswith(".yml"):
        roots[_parent(folder)] = None
    else:
        sites.setdefault(path, fleet_root(folder))


def _walk(folder: str, root: str, found: list[Diagnostic]) -> Iterator[tuple[str, str]]:
    for here, folders, files in os.walk(folder):
        its_root = root if here == folder else fleet_root(here)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and not (name in _OTHER_FOLDERS and here == its_root)
        )
        for name in files:
            path = _join(here, name)
            if name == WAIVERS_FILE and here != its_root:
                found.append(_not_read(path, "waivers stand beside fleet.yml", "Move it there."))
            if name.startswith(".") or name in NOT_SITES:
                continue
            if name.endswith(".yml"):
                yield path, its_root
            elif name.endswith(".yaml"):
                hint = "Rename it to end in .yml, or move it out of the fleet's folder."
                found.append(_not_read(path, "site files end in .yml", hint))


def _not_read(path: str, why: str, hint: str) -> Diagnostic:
    place = Place(path, 1, 1, 1, 1)
    return Diagnostic(Severity.WARNING, "SCH043", f"the file is not read: {why}", place, hint=hint)


def _join(folder: str, name: str) -> str:
    """Without a leading `./`: paths in reports are as short as they can be."""
    return os.path.join("" if folder == "." else folder, name)


def _parent(folder: str) -> str:
    """`folder/..`, written as short as it can be; stays relative as long as that is possible."""
    normal = os.path.normpath(folder)
    if normal in {".", ""} or normal.endswith(".."):
        return os.path.join(normal, "..") if normal.endswith("..") else ".."
    return os.path.dirname(normal) or "."
