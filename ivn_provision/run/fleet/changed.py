"""Which sites a change of the files concerns: since the commit from which a revision and HEAD part, committed or not.

| changed | concerns |
|---|---|
| a site's file, `attestations/SITE.yml` | that site |
| `groups/NAME.yml` | the sites of that group |
| `fleet.yml`, `layouts/*.yml` | all sites of that fleet |
| `waivers.yml` and others | none |
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ivn_provision.run.fleet.loading import FleetFiles
from ivn_provision.run.fleet.refs import SiteRef
from ivn_provision.run.git_tree import NoFolder, read_fleet, repository_of
from ivn_provision.spec.discovery import ATTESTATIONS, FLEET_FILE, GROUPS, LAYOUTS, NOT_SITES

_SUFFIX = ".yml"
Parts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """Sites by their reference, and the names of those whose file is not there any more."""

    sites: tuple[SiteRef, ...]
    removed: tuple[str, ...]


def changed_sites(folder: Path, revision: str, files: FleetFiles, refs: Sequence[SiteRef]) -> Changed:
    """Those of `refs` that are concerned, in their order. Raises PlanError.

    Where the fleet's folder was not there at all, every site is.
    """
    repository, root = repository_of(folder, revision)
    try:
        _, before = read_fleet(repository, root, revision, merge_base=True)
    except NoFolder:
        return Changed(tuple(refs), ())
    now = dict(_there(root))
    differing = {parts for parts in before.keys() | now.keys() if _differs(before, now, parts)}
    sites = tuple(ref for ref in refs if _is_concerned(ref, _parts(root, ref.path), root, differing, files))
    gone = {parts for parts in differing if parts not in now and _may_be_site(parts)}
    return Changed(sites, tuple(sorted(parts[-1].removesuffix(_SUFFIX) for parts in gone)))


def _is_concerned(ref: SiteRef, own: Parts, root: Path, differing: set[Parts], files: FleetFiles) -> bool:
    above = _parts(root, ref.root)
    if own in differing or (*above, ATTESTATIONS, ref.name + _SUFFIX) in differing:
        return True
    if (*above, FLEET_FILE) in differing or any(
        each[: len(above) + 1] == (*above, LAYOUTS) for each in differing
    ):
        return True
    groups = {each[-1].removesuffix(_SUFFIX) for each in differing if each[:-1] == (*above, GROUPS)}
    if not groups:
        return False
    head = files.head(ref)
    return head is None or bool(groups.intersection(head.groups))


def _parts(root: Path, path: str) -> Parts:
    """A path of the fleet below its folder."""
    return Path(os.path.relpath(os.path.realpath(path), root)).parts


def _may_be_site(parts: Parts) -> bool:
    hidden = any(part.startswith(".") for part in parts)
    return not hidden and parts[-1] not in NOT_SITES and not {GROUPS, LAYOUTS, ATTESTATIONS} & set(parts[:-1])


def _differs(before: Mapping[Parts, bytes], now: Mapping[Parts, Path], parts: Parts) -> bool:
    """Line ends that git may have changed are no difference."""
    if parts not in before or parts not in now:
        return True
    try:
        content = now[parts].read_bytes()
    except OSError:
        return True
    return content != before[parts] and content.replace(b"\r\n", b"\n") != before[parts].replace(
        b"\r\n", b"\n"
    )


def _there(root: Path) -> Iterator[tuple[Parts, Path]]:
    for here, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.endswith(_SUFFIX) and not name.startswith("."):
                file = Path(here, name)
                yield file.relative_to(root).parts, file
