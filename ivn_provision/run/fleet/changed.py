"""Which sites the files changed since a git revision: `--changed-since main`. Read only.

As `git diff main...` the files are compared with where what is checked out left `main` (the merge base): what
others did on `main` since is not our change. On our side the work tree counts, committed or not, ignored or not.

| changed, added or removed | affected |
|---|---|
| a site's file | the site |
| `groups/NAME.yml` | the sites that name the group |
| `fleet.yml`, anything in `layouts/` | all sites of that fleet |
| `attestations/SITE.yml` | the site |
| `waivers.yml`, files of another kind | none |

A file that a site names (a certificate, a secret) is not looked at.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ivn_provision.diagnostics import Diagnostic
from ivn_provision.run.fleet.loading import FleetFiles
from ivn_provision.run.fleet.refs import SiteRef
from ivn_provision.run.git_tree import Entry, FleetRepository, Parts, check_name
from ivn_provision.run.revision import files_there, is_blob
from ivn_provision.spec.build import default_name
from ivn_provision.spec.discovery import ATTESTATIONS, FLEET_FILE, GROUPS, LAYOUTS, site_paths
from ivn_provision.spec.levels import parse_map
from ivn_provision.spec.source import Source, read_bytes


@dataclass(frozen=True, slots=True)
class Changed:
    """Sites by their reference, and the names of those that are not there any more."""

    sites: tuple[SiteRef, ...]
    removed: tuple[str, ...]


def changed_sites(folder: Path, revision: str, files: FleetFiles, refs: Sequence[SiteRef]) -> Changed:
    """Those of `refs` that are affected, in their order. `files` are those of the folder, with all of its sites.

    Raises PlanError if the folder is in no repository, or the revision is not to be found in it.
    """
    check_name(revision)
    with FleetRepository(folder) as repository:
        fork = repository.fork_of(revision)
        then = repository.files_of(fork, revision) or {}
        root = repository.root
    now = {tuple(name.split("/")): file for name, file in files_there(root)}
    changed = set(_changed(then, now))
    below = Path(os.path.realpath(folder)).relative_to(root).parts
    names = {ref.name for ref in files.refs}
    gone = {default_name(parts[-1]) for parts in site_paths(then) if parts[: len(below)] == below} - names
    inside = {each: _inside(each, root, changed) for each in {ref.root for ref in refs}}
    affected = tuple(ref for ref in refs if _is_affected(ref, root, changed, now, inside[ref.root]))
    return Changed(affected, tuple(sorted(gone)))


def _changed(then: Mapping[Parts, Entry], now: Mapping[Parts, Path]) -> Iterator[Parts]:
    for parts in then.keys() | now.keys():
        entry, file = then.get(parts), now.get(parts)
        if entry is None or file is None or not is_blob(entry.blob, file):
            yield parts


@dataclass(frozen=True, slots=True)
class _Inside:
    """What changed in a fleet besides its sites: something of all of them, some groups, attestations of some."""

    all: bool
    groups: frozenset[str]
    attested: frozenset[str]


def _inside(fleet: str, root: Path, changed: Collection[Parts]) -> _Inside:
    above = _parts(os.path.join(fleet, FLEET_FILE), root)[:-1]
    inside = [parts[len(above) :] for parts in changed if parts[: len(above)] == above]
    named = [(parts[0], default_name(parts[1])) for parts in inside if len(parts) == 2]
    linked = any(os.path.islink(os.path.join(fleet, each)) for each in (GROUPS, LAYOUTS, ATTESTATIONS))
    return _Inside(
        all=linked or (FLEET_FILE,) in inside or any(folder == LAYOUTS for folder, _ in named),
        groups=frozenset(name for folder, name in named if folder == GROUPS),
        attested=frozenset(name for folder, name in named if folder == ATTESTATIONS),
    )


def _is_affected(
    ref: SiteRef, root: Path, changed: Collection[Parts], now: Mapping[Parts, Path], inside: _Inside
) -> bool:
    own = _parts(ref.path, root)
    if own in changed or own not in now:  # what is a link may have changed
        return True
    if inside.all or ref.name in inside.attested or not inside.groups.isdisjoint(ref.groups):
        return True
    return bool(inside.groups) and _names(ref.path, inside.groups)


def _parts(path: str, root: Path) -> Parts:
    file = Path(os.path.realpath(os.path.dirname(path) or "."), os.path.basename(path))
    return file.relative_to(root).parts


def _names(path: str, groups: Collection[str]) -> bool:
    """Does the site's own text name one of the groups? A group that was removed is no group of the site any more.

    A file that cannot be read may.
    """
    content = read_bytes(path)
    if isinstance(content, Diagnostic):
        return True
    if not any(name.encode() in content for name in groups):
        return False
    tree = parse_map(content, Source(path, "site")).root
    if tree is None or not isinstance(tree.value, dict):
        return True
    named = tree.value.get("groups")
    return (
        named is not None
        and isinstance(named.value, list)
        and any(isinstance(each.value, str) and each.value in groups for each in named.value)
    )
