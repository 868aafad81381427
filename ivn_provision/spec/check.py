"""All problems of all files of some paths: what `validate` does. Streams: holds one site's tree at a time."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ivn_provision
from ivn_provision.diagnostics import Diagnostic
from ivn_provision.spec.cache import Cache, Entry
from ivn_provision.spec.discovery import discover
from ivn_provision.spec.fleet import collector_paused, unique
from ivn_provision.spec.levels import Levels
from ivn_provision.spec.load import LoadedSite, load_site
from ivn_provision.spec.ruleset import RuleSet, all_rules
from ivn_provision.spec.schema_check import FLEET, SITE
from ivn_provision.spec.schema_files import schema_text
from ivn_provision.spec.source import read_bytes

if TYPE_CHECKING:
    from ivn_provision.spec.rules import FleetKey


@dataclass(frozen=True, slots=True)
class Checked:
    """`unchanged` of `sites` were known from an earlier run."""

    sites: int
    unchanged: int
    diagnostics: tuple[Diagnostic, ...]

    @property
    def errors(self) -> int:
        return sum(1 for each in self.diagnostics if each.is_error)

    @property
    def warnings(self) -> int:
        return len(self.diagnostics) - self.errors


@dataclass(frozen=True, slots=True)
class _Result:
    diagnostics: tuple[Diagnostic, ...]
    keys: tuple[FleetKey, ...]


def check_paths(
    paths: Sequence[str | os.PathLike[str]], *, cache_folder: str | None = None, rules: RuleSet | None = None
) -> Checked:
    """Raises UsageProblem for a path that is not there."""
    rules = rules if rules is not None else all_rules()
    found = discover([os.fspath(path) for path in paths])
    cache = Cache(cache_folder, _version(rules)) if cache_folder else None
    levels = {root: Levels(root) for root in found.roots}
    diagnostics = list(found.diagnostics)
    keys: list[FleetKey] = []
    unchanged = 0
    with collector_paused():
        for path, root in found.sites:
            if root not in levels:
                levels[root] = Levels(root)
            result, known = _check_one(path, levels[root], rules, cache)
            diagnostics += result.diagnostics
            keys += result.keys
            unchanged += known
    for level in levels.values():
        diagnostics += level.diagnostics()
    diagnostics += rules.check_fleet(keys)
    if cache is not None:
        cache.save()
    return Checked(len(found.sites), unchanged, unique(diagnostics))


def _check_one(path: str, levels: Levels, rules: RuleSet, cache: Cache | None) -> tuple[_Result, bool]:
    content = read_bytes(path)
    if isinstance(content, Diagnostic):
        return _Result((content,), ()), False
    digest = hashlib.sha256(content).hexdigest() if cache is not None else ""
    if cache is not None:
        entry = cache.get(path, digest)
        if entry is not None and entry.base == levels.digest(entry.groups):
            cache.keep(path)
            return _Result(entry.diagnostics, entry.keys), True
    loaded = load_site(path, content, levels, rules)
    if cache is not None and _may_be_kept(loaded):
        base = levels.digest(loaded.groups)
        cache.put(path, Entry(digest, loaded.groups, base, loaded.diagnostics, loaded.keys))
    return _Result(loaded.diagnostics, loaded.keys), False


def _may_be_kept(loaded: LoadedSite) -> bool:
    return loaded.site is not None and not any(each.is_error for each in loaded.diagnostics)


def _version(rules: RuleSet) -> str:
    """Changes with the tool, this room's code, the schemas and the rules."""
    total = hashlib.sha256()
    for part in (
        ivn_provision.__version__,
        rules.version,
        schema_text(SITE),
        schema_text(FLEET),
        _code_version(),
    ):
        total.update(part.encode())
        total.update(b"\0")
    return total.hexdigest()


def _code_version() -> str:
    """Sizes and times of this room's files: in a checkout the code changes without the version."""
    folder = os.path.dirname(os.path.abspath(__file__))
    with os.scandir(folder) as entries:
        files = sorted((entry.name, entry.stat()) for entry in entries if entry.name.endswith(".py"))
    return ";".join(f"{name}:{status.st_size}:{status.st_mtime_ns}" for name, status in files)
