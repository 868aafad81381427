"""`Places.by_pointer` without the cost: origins are made from the merged tree when they are asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from ivn_provision.secret import MASK
from ivn_provision.spec.nodes import Bad, Content, Node, at_pointer, walk
from ivn_provision.spec.secret_keys import looks_secret
from ivn_provision.spec.site import Origin, Places


class TreeOrigins(Mapping[str, tuple[Origin, ...]]):
    """Every pointer of a merged tree -> what each level says there, the winning one last."""

    __slots__ = ("_root",)

    def __init__(self, root: Node) -> None:
        self._root = root

    def __getitem__(self, pointer: str) -> tuple[Origin, ...]:
        node = at_pointer(self._root, pointer)
        if node is None:
            raise KeyError(pointer)
        return origins_of(node, pointer)

    def __iter__(self) -> Iterator[str]:
        return (pointer for pointer, _ in walk(self._root))

    def __len__(self) -> int:
        return sum(1 for _ in walk(self._root))


def places_of(root: Node, path: str) -> Places:
    """The places of a merged document whose site file is `path`."""
    return Places(TreeOrigins(root), path)


def origins_of(node: Node, pointer: str) -> tuple[Origin, ...]:
    """What each level says, the winning one last."""
    key = pointer.rpartition("/")[2]
    found = [Origin(each.source.level, shown(each.value, key), each.place()) for each in node.levels()]
    return tuple(reversed(found))


def shown(value: Content, key: str) -> str:
    """A value as it may be printed: secrets as references, what may be a password masked."""
    if isinstance(value, dict | list):
        kind = "map" if isinstance(value, dict) else "list"
        return f"({kind} of {len(value)})"
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, Bad):
        return "(not valid)"
    if isinstance(value, str) and looks_secret(key):
        return MASK
    if isinstance(value, str) and (not value.isprintable() or not value):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
