"""The files of a fleet: its sites by reference, and each of them loaded when its turn comes. Thread-safe.

`Levels` (fleet.yml, groups) are read once. What a site's file is worth is known only when it is loaded; the rules
that compare sites look at all that were loaded so far.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING

from ivn_provision.diagnostics import Diagnostic
from ivn_provision.errors import SpecError, UsageProblem
from ivn_provision.run.fleet.refs import SiteRef
from ivn_provision.run.fleet.selection import Selector, is_glob, named, select
from ivn_provision.spec.build import default_name
from ivn_provision.spec.discovery import discover, fleet_file, group_files
from ivn_provision.spec.fleet import load_one, site_file, unique
from ivn_provision.spec.levels import Levels
from ivn_provision.spec.load import merge_site
from ivn_provision.spec.ruleset import RuleSet, all_rules
from ivn_provision.spec.site import Site
from ivn_provision.spec.source import read_bytes

if TYPE_CHECKING:
    from ivn_provision.spec.nodes import Node
    from ivn_provision.spec.rules import FleetKey


class FleetFiles:
    """A folder of a fleet. `refs` are all of its sites, in the order of their paths."""

    def __init__(self, folder: str | os.PathLike[str], rules: RuleSet | None = None) -> None:
        self._folder = os.fspath(folder)
        self._rules = rules if rules is not None else all_rules()
        found = discover([self._folder])
        self.refs = tuple(SiteRef(default_name(path), path, root) for path, root in found.sites)
        self._diagnostics = list(found.diagnostics)
        self._levels: dict[str, Levels] = {}
        self._keys: list[FleetKey] = []
        self._networks: dict[str, bool] = {}
        self._lock = Lock()

    def chosen(self, names: Sequence[str] = (), selectors: Sequence[Selector] = ()) -> tuple[SiteRef, ...]:
        """The sites that names (or globs) and selectors mean: all of both. Raises UsageProblem.

        A site whose file is too broken to know its labels is always chosen: it may be meant.
        """
        for name in names:
            if not is_glob(name) or not any(named(self.refs, [name])):
                site_file(self._folder, name)
        refs = tuple(named(self.refs, names)) if names else self.refs
        if not selectors:
            return refs
        heads = [self.head(ref) for ref in refs]
        groups = {name for root in {ref.root for ref in refs} for name in group_files(root)}
        try:
            known = select([head for head in heads if head is not None], selectors, groups)
        except UsageProblem:
            if None not in heads:
                raise
            known = ()  # those of which it is not known may be the ones that are meant
        by_path = {ref.path: ref for ref in known}
        unknown = (ref for ref, head in zip(refs, heads, strict=True) if head is None)
        by_path.update((ref.path, ref) for ref in unknown)
        return tuple(by_path[ref.path] for ref in refs if ref.path in by_path)

    def head(self, ref: SiteRef) -> SiteRef | None:
        """The reference with groups, labels and network; None where they cannot be known: the file or one of its
        levels cannot be read, or says them in a wrong way."""
        content = read_bytes(ref.path)
        if isinstance(content, Diagnostic):
            return None
        with self._lock:
            merged, _ = merge_site(ref.path, content, self._level(ref.root))
        if merged is None or not merged.complete:
            return None
        root = _map(merged.root)
        if not (_is_list(root.get("groups")) and _are_texts(root.get("labels"))):
            return None
        nodes = _map(root.get("labels")).items()
        labels = {key: node.value for key, node in nodes if isinstance(node.value, str)}
        network = root["network"].value if "network" in root else ""
        return replace(
            ref,
            groups=merged.groups,
            labels=labels,
            network=network if isinstance(network, str) else "",
        )

    def network(self, ref: SiteRef) -> str:
        """The network segment of a site; "" for none, and where its file cannot be read.

        Most fleets name none: then no file is parsed for it.
        """
        if ref.network:
            return ref.network
        content = read_bytes(ref.path)
        if isinstance(content, Diagnostic) or not (self._names_networks(ref.root) or b"network" in content):
            return ""
        head = self.head(ref)
        return head.network if head is not None else ""

    def load(self, ref: SiteRef) -> Site:
        """The site. Raises SpecError with its diagnostics if it has errors."""
        with self._lock:  # parsing holds the interpreter anyway
            levels = self._level(ref.root)
            loaded = load_one(ref.path, levels, self._rules)
            self._keys += loaded.keys
        if loaded.site is not None and not any(each.is_error for each in loaded.diagnostics):
            return loaded.site
        raise SpecError(
            unique([*levels.diagnostics(), *loaded.diagnostics]),
            next_step=f"Run `ivn-provision validate {ref.path}` to see them.",
        )

    def problems(self) -> tuple[Diagnostic, ...]:
        """Of what is no site's own: of levels, of file names, and between the sites that were loaded."""
        with self._lock:
            levels = [each for level in self._levels.values() for each in level.diagnostics()]
            return unique([*self._diagnostics, *levels, *self._rules.check_fleet(self._keys)])

    def _names_networks(self, root: str) -> bool:
        """Is there a network in fleet.yml or a group?"""
        if root not in self._networks:
            fleet = fleet_file(root)
            contents = map(read_bytes, [*group_files(root).values(), *([fleet] if fleet else [])])
            self._networks[root] = any(isinstance(each, bytes) and b"network" in each for each in contents)
        return self._networks[root]

    def _level(self, root: str) -> Levels:
        if root not in self._levels:
            self._levels[root] = Levels(root)
        return self._levels[root]


def _is_list(node: Node | None) -> bool:
    return node is None or isinstance(node.value, list)


def _are_texts(node: Node | None) -> bool:
    if node is None:
        return True
    return isinstance(node.value, dict) and all(isinstance(each.value, str) for each in node.value.values())


def _map(node: Node | None) -> dict[str, Node]:
    return node.value if node is not None and isinstance(node.value, dict) else {}
