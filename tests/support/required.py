"""An environment that holds one distribution's requirements and nothing else, linked from the present one."""

from __future__ import annotations

import sysconfig
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def required_by(one: Distribution) -> dict[str, Distribution]:
    """What it requires without extras, and what that requires, by name, as it is installed here.

    Raises AssertionError where what is here is of a version that it does not take.
    """
    found: dict[str, Distribution] = {}
    todo = [(one, frozenset({""}))]
    seen: set[tuple[str, frozenset[str]]] = set()
    while todo:
        present, extras = todo.pop()
        for wanted in map(Requirement, present.requires or ()):
            if wanted.marker and not any(wanted.marker.evaluate({"extra": each}) for each in extras):
                continue
            key = (canonicalize_name(wanted.name), frozenset({"", *wanted.extras}))
            if key not in seen:
                seen.add(key)
                here = found.setdefault(key[0], distribution(wanted.name))
                assert wanted.specifier.contains(here.version, prereleases=True), f"{wanted}: {here.version}"
                todo.append((here, key[1]))
    return found


def link_required(name: str, site_packages: Path) -> None:
    """Make what `name`, which is installed there, requires importable there, and nothing else of what is here."""
    (one,) = Distribution.discover(name=name, path=[str(site_packages)])
    here = Path(sysconfig.get_path("purelib"))
    for each in required_by(one).values():
        for top in {file.parts[0] for file in each.files or ()} - {"..", "__pycache__"}:
            place = site_packages / top
            if not place.exists():
                place.symlink_to(here / top)
