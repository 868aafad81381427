"""Where a value of a site comes from: every level that says something about it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from ivn_provision.diagnostics import Diagnostic
from ivn_provision.errors import SpecError, UsageProblem
from ivn_provision.secret import MASK, SecretRef
from ivn_provision.spec.fleet import site_file, unique
from ivn_provision.spec.levels import Levels
from ivn_provision.spec.load import merge_site
from ivn_provision.spec.nodes import BAD, Node, Reference, walk
from ivn_provision.spec.origins import origins_of, shown
from ivn_provision.spec.references import Resolver, dotted, find, names_at
from ivn_provision.spec.secret_keys import key_text, knows, looks_secret, without_user_information
from ivn_provision.spec.site import Origin
from ivn_provision.spec.source import read_bytes
from ivn_provision.spec.suggest import did_you_mean, listing
from ivn_provision.spec.values import Computed


@dataclass(frozen=True, slots=True)
class Explained:
    """`path` is dotted; `value` is printable; the last of `origins` wins."""

    path: str
    value: str
    origins: tuple[Origin, ...]


def explain(folder: str | os.PathLike[str], name: str, path: str = "") -> tuple[Explained, ...]:
    """The value at `path`, all leaves below it if it is a map or list, all of the site if it is empty.

    Raises UsageProblem for a site or path that is not there, SpecError if the site's text cannot be used.
    """
    file, root_folder = site_file(os.fspath(folder), name)
    root = _merged(file, Levels(root_folder))
    resolver = Resolver(root)
    pointer, node = _at(root, path)
    leaves = ((f"{pointer}{below}", each) for below, each in walk(node) if not _is_branch(each))
    return tuple(_explained(root, each_pointer, each, resolver) for each_pointer, each in leaves)


def _merged(file: str, levels: Levels) -> Node:
    content = read_bytes(file)
    if isinstance(content, Diagnostic):
        raise SpecError((content,))
    merged, found = merge_site(file, content, levels)
    if merged is None:
        raise SpecError(unique(found), next_step=f"Run `ivn-provision validate {file}`.")
    return merged.root


def _at(root: Node, path: str) -> tuple[str, Node]:
    if not path:
        return "", root
    found = find(root, path)
    if found is None:
        known = names_at(root, path)
        there = f"It goes on with: {listing(known)}." if known else "There is nothing further."
        missing = _first_missing(root, path)
        raise UsageProblem(
            f"no level says anything about {path!r}", next_step=f"{did_you_mean(missing, known)}{there}"
        )
    return found


def _first_missing(root: Node, path: str) -> str:
    parts = path.split(".")
    there = (end for end in range(1, len(parts) + 1) if find(root, ".".join(parts[:end])) is None)
    return parts[next(there, len(parts)) - 1]


def _is_branch(node: Node) -> bool:
    return isinstance(node.value, dict | list) and bool(node.value)


def _explained(root: Node, pointer: str, node: Node, resolver: Resolver) -> Explained:
    path = dotted(root, pointer)
    hidden = not _may_be_shown(pointer)
    value = MASK if hidden and _is_open(node) else _value(root, node, path.rpartition(".")[2], resolver)
    levels = zip(origins_of(node, pointer), reversed(tuple(node.levels())), strict=True)
    origins = (
        replace(each, value=MASK if hidden and _is_open(level) else without_user_information(each.value))
        for each, level in levels
    )
    return Explained(key_text(path), without_user_information(value), tuple(origins))


def _is_open(node: Node) -> bool:
    """Is it a value, and no reference to one?"""
    return node.value is not None and not isinstance(node.value, SecretRef | Reference)


def _value(root: Node, node: Node, key: str, resolver: Resolver) -> str:
    """The winning value; a reference with what it leads to."""
    if not isinstance(node.value, Reference):
        return shown(node.value, key) if node.value is not None else "(removed)"
    target = resolver.value_of(node)
    if isinstance(target, Computed):
        return f"{target} (known only after the live system was read)"
    if isinstance(target, SecretRef):
        return str(target)
    value = shown(target, key) if target is BAD or _is_harmless(root, node) else MASK
    return f"{value} (by {node.value})"


def _is_harmless(root: Node, node: Node) -> bool:
    """Do all keys on the way of a reference, which is no circle, hold what may be shown?"""
    while isinstance(node.value, Reference):
        found = find(root, node.value.path)
        if found is None or not _may_be_shown(found[0]):
            return False
        node = found[1]
    return True


def _may_be_shown(pointer: str) -> bool:
    """Not what may be a password: under a key that looks like it, or one that the schema does not know."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    return knows(parts) and not any(looks_secret(part) for part in parts)
