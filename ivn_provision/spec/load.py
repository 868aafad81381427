"""One site file over its levels -> `Site` and every diagnostic of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from ivn_provision.diagnostics import Diagnostic, Severity, sort_key
from ivn_provision.spec import schema_check
from ivn_provision.spec.build import build_site, default_name
from ivn_provision.spec.levels import Base, Levels, fingerprint, parse_map
from ivn_provision.spec.merge import merge
from ivn_provision.spec.nodes import Node
from ivn_provision.spec.origins import places_of
from ivn_provision.spec.plain import Plain
from ivn_provision.spec.ruleset import RuleSet
from ivn_provision.spec.shapes import SiteData
from ivn_provision.spec.site import Site
from ivn_provision.spec.source import Source
from ivn_provision.spec.suggest import did_you_mean, listing

if TYPE_CHECKING:
    from ivn_provision.spec.rules import FleetKey

_FOLLOW_FROM_MISSING_LEVELS = frozenset({"SCH004", "SCH031"})


@dataclass(frozen=True, slots=True)
class LoadedSite:
    """A site file. `site` is None if it has errors (or its levels have); `keys` is what the fleet's rules compare."""

    path: str
    name: str
    site: Site | None
    diagnostics: tuple[Diagnostic, ...]
    groups: tuple[str, ...] = ()
    keys: tuple[FleetKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Merged:
    """A site's own file over its levels, before the schema looks at it."""

    root: Node
    base: Base
    groups: tuple[str, ...]
    complete: bool


def load_site(path: str, content: bytes, levels: Levels, rules: RuleSet) -> LoadedSite:
    """Everything that is known of one site file from its text."""
    name = default_name(path)
    merged, found = merge_site(path, content, levels)
    if merged is None:
        return LoadedSite(path, name, None, _tagged(found, name))
    plain = Plain(merged.root)
    found += _misnamed(merged.root, name)
    wrong = plain.diagnostics + schema_check.check(schema_check.SITE, plain, merged.root)
    found += _own(wrong, merged)
    if not merged.complete or wrong_in(found) or wrong_in(wrong):
        return LoadedSite(path, name, None, _tagged(found, name), merged.groups)
    plain.settle()
    site = build_site(cast("SiteData", plain.data), path, places_of(merged.root, path))
    found += rules.check_site(site)
    keys = tuple(rules.fleet_keys(site))
    return LoadedSite(path, name, site, _tagged(found, name), merged.groups, keys)


def merge_site(path: str, content: bytes, levels: Levels) -> tuple[Merged | None, list[Diagnostic]]:
    """The merged tree, or None if the text of the site file cannot be used."""
    parsed = parse_map(content, Source(path, "site"))
    found = list(parsed.diagnostics)
    if parsed.root is None:
        return None, found
    groups, unknown = _groups(parsed.root, levels)
    base = levels.base(groups)
    root = parsed.root if base.root is None else merge(base.root, parsed.root)
    return Merged(root, base, groups, base.complete and not unknown), found + unknown


def wrong_in(found: list[Diagnostic]) -> bool:
    """Is an error among them?"""
    return any(each.is_error for each in found)


def _groups(root: Node, levels: Levels) -> tuple[tuple[str, ...], list[Diagnostic]]:
    """The groups that a site names and that exist, and what is said about the others."""
    assert isinstance(root.value, dict)
    listed = root.value.get("groups")
    if listed is None or not isinstance(listed.value, list):
        return (), []
    names: list[str] = []
    unknown: list[Diagnostic] = []
    for item in listed.value:
        if not isinstance(item.value, str):
            continue
        if item.value in levels.group_files:
            names.append(item.value)
        else:
            unknown.append(_unknown_group(item, item.value, levels))
    return tuple(dict.fromkeys(names)), unknown


def _unknown_group(item: Node, name: str, levels: Levels) -> Diagnostic:
    known = list(levels.group_files)
    there = f"There is: {listing(known)}." if known else "There is no groups/ folder beside the sites."
    hint = f"{did_you_mean(name, known)}{there}"
    return Diagnostic(Severity.ERROR, "SCH041", f"unknown group `{name[:60]}`", item.place(), hint=hint)


def _misnamed(root: Node, name: str) -> list[Diagnostic]:
    assert isinstance(root.value, dict)
    node = root.value.get("site")
    if node is None or not isinstance(node.value, str) or node.value == name:
        return []
    summary = f"the site is called `{node.value[:63]}` but its file `{name[:63]}`"
    hint = f"Write `site: {name[:63]}`, or rename the file."
    return [Diagnostic(Severity.ERROR, "SCH040", summary, node.place(), hint=hint)]


def _own(wrong: list[Diagnostic], merged: Merged) -> list[Diagnostic]:
    """Without what a level was already told, and without what only follows from a level that is missing."""
    kept = [each for each in wrong if fingerprint(each) not in merged.base.reported]
    if merged.complete:
        return kept
    return [each for each in kept if each.code not in _FOLLOW_FROM_MISSING_LEVELS]


def _tagged(found: list[Diagnostic], name: str) -> tuple[Diagnostic, ...]:
    tagged = (each if each.site else replace(each, site=name) for each in found)
    return tuple(sorted(tagged, key=sort_key))
