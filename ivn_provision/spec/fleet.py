"""A fleet from its files: `load_fleet` for all, `find_site` for one."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ivn_provision.diagnostics import Diagnostic, sort_key
from ivn_provision.errors import SpecError, UsageProblem
from ivn_provision.spec.build import default_name
from ivn_provision.spec.discovery import Found, discover
from ivn_provision.spec.levels import Levels
from ivn_provision.spec.load import LoadedSite, load_site
from ivn_provision.spec.ruleset import RuleSet, all_rules
from ivn_provision.spec.site import Site
from ivn_provision.spec.source import read_bytes
from ivn_provision.spec.suggest import did_you_mean, listing

__all__ = ["Fleet", "LoadedSite", "find_site", "iter_sites", "load_fleet"]


@dataclass(frozen=True, slots=True)
class Fleet:
    """All sites of some paths, in path order, and all diagnostics of all files, sorted."""

    sites: tuple[LoadedSite, ...]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def has_errors(self) -> bool:
        return any(each.is_error for each in self.diagnostics)


def load_fleet(paths: Sequence[str | os.PathLike[str]], *, rules: RuleSet | None = None) -> Fleet:
    """Reads site files and fleet folders. Raises UsageProblem only: problems in files are diagnostics.

    Keeps the tree of every site for its places, about 0.5 MB each: for a very large fleet use `iter_sites`.
    """
    rules = rules if rules is not None else all_rules()
    found = discover([os.fspath(path) for path in paths])
    levels = {root: Levels(root) for root in found.roots}
    with collector_paused():
        sites = tuple(_load_each(found, levels, rules))
    keys = [key for each in sites for key in each.keys]
    diagnostics = [*found.diagnostics, *(each for level in levels.values() for each in level.diagnostics())]
    diagnostics += [each for site in sites for each in site.diagnostics]
    diagnostics += rules.check_fleet(keys)
    return Fleet(sites, unique(diagnostics))


def iter_sites(
    paths: Sequence[str | os.PathLike[str]], *, rules: RuleSet | None = None
) -> Iterator[LoadedSite]:
    """The sites of some paths one by one, without the rules that compare sites."""
    rules = rules if rules is not None else all_rules()
    found = discover([os.fspath(path) for path in paths])
    yield from _load_each(found, {}, rules)


def find_site(root: str | os.PathLike[str], name: str, *, rules: RuleSet | None = None) -> Site:
    """The site `name` below a fleet's folder.

    Raises UsageProblem if there is none, SpecError with its diagnostics if it has errors.
    """
    path, folder = site_file(os.fspath(root), name)
    levels = Levels(folder)
    loaded = load_one(path, levels, rules if rules is not None else all_rules())
    if loaded.site is not None and not any(each.is_error for each in loaded.diagnostics):
        return loaded.site
    problems = unique([*levels.diagnostics(), *loaded.diagnostics])
    raise SpecError(problems, next_step=f"Run `ivn-provision validate {path}` to see them.")


def site_file(root: str, name: str) -> tuple[str, str]:
    """The path of a site's file and the folder of its fleet. Raises UsageProblem if there is none."""
    found = discover([root])
    named = [(path, folder) for path, folder in found.sites if default_name(path) == name]
    if len(named) == 1:
        return named[0]
    if named:
        both = " and ".join(path for path, _ in named[:2])
        raise UsageProblem(f"there is more than one site {name}: {both}", next_step="Rename one of them.")
    known = [default_name(path) for path, _ in found.sites]
    there = f"There is: {listing(known)}." if known else f"There is no site file in {root}."
    raise UsageProblem(
        f"there is no site {name!r} in {root}", next_step=f"{did_you_mean(name, known)}{there}"
    )


def unique(diagnostics: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sorted, and each once: a level's problem may be found with several sites."""
    return tuple(dict.fromkeys(sorted(diagnostics, key=sort_key)))


@contextmanager
def collector_paused() -> Iterator[None]:
    """Trees have no cycles, and looking for some in them costs a fifth of the time of loading."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _load_each(found: Found, levels: dict[str, Levels], rules: RuleSet) -> Iterator[LoadedSite]:
    for path, root in found.sites:
        if root not in levels:
            levels[root] = Levels(root)
        yield load_one(path, levels[root], rules)


def load_one(path: str, levels: Levels, rules: RuleSet) -> LoadedSite:
    content = read_bytes(path)
    if isinstance(content, Diagnostic):
        return LoadedSite(path, default_name(path), None, (content,))
    return load_site(path, content, levels, rules)
