"""The tree of a YAML document: values with their positions, levels and merge history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from ivn_provision.diagnostics import Place
from ivn_provision.secret import SecretRef
from ivn_provision.spec.source import Source


class Mark(Protocol):
    """A position as PyYAML gives it: both count from 0, in characters."""

    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Reference:
    """`!ref a.b.c`, not yet resolved."""

    path: str

    def __str__(self) -> str:
        return f"!ref {self.path}"


class Bad:
    """A value that was already reported: nothing more is said about it."""

    __slots__ = ()


BAD = Bad()

Leaf = None | bool | int | float | str | SecretRef | Reference | Bad
Content = Leaf | dict[str, "Node"] | list["Node"]


@dataclass(slots=True, eq=False)
class Node:
    """One value. Never changed after it was made; not frozen because that triples the cost of making one.

    `key` is the mark of the key in its map. `below` is what this value was merged over (the level
    below, which may go on), `reset` says that it does not merge with anything further down.
    """

    value: Content
    start: Mark
    end: Mark
    key: Mark | None
    source: Source
    below: Node | None = None
    reset: bool = False

    def place(self) -> Place:
        """Where the value stands."""
        start, end = self.start, self.end
        return Place(self.source.path, start.line + 1, start.column + 1, end.line + 1, end.column + 1)

    def key_place(self, key: str) -> Place:
        """Where the key of this value stands; the value's own place if it has no key."""
        if self.key is None:
            return self.place()
        line, column = self.key.line + 1, self.key.column + 1
        return Place(self.source.path, line, column, line, column + len(key))

    def levels(self) -> Iterator[Node]:
        """All levels that say something here, the winning one first."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.below


def escape(part: str) -> str:
    """A part of a JSON pointer (RFC 6901)."""
    return part.replace("~", "~0").replace("/", "~1")


def child(node: Node, part: str) -> Node | None:
    """The child under a map key or list index, if there is one."""
    value = node.value
    if isinstance(value, dict):
        return value.get(part)
    if isinstance(value, list) and part.isascii() and part.isdigit() and int(part) < len(value):
        return value[int(part)]
    return None


def at_pointer(root: Node, pointer: str) -> Node | None:
    """The node at a JSON pointer."""
    node: Node | None = root
    for part in pointer.split("/")[1:]:
        if node is None:
            return None
        node = child(node, part.replace("~1", "/").replace("~0", "~"))
    return node


def walk(node: Node, pointer: str = "") -> Iterator[tuple[str, Node]]:
    """Every node with its JSON pointer, in document order."""
    yield pointer, node
    if isinstance(node.value, dict):
        for key, each in node.value.items():
            yield from walk(each, f"{pointer}/{escape(key)}")
    elif isinstance(node.value, list):
        for index, each in enumerate(node.value):
            yield from walk(each, f"{pointer}/{index}")
