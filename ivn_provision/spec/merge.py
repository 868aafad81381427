"""The merge of the levels: fleet < groups in their order < site.

Maps merge key by key. Lists whose items have an identity (`KEYED`) merge item by item, the lower level's
order first; other lists are replaced. A value of another kind (a scalar or null over a map) ends the
history: nothing of the levels below shines through it, which also makes the merge associative. A null
stays in the tree as a tombstone and is dropped when the tree becomes plain data. Nodes are never changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ivn_provision.spec.nodes import Content, Node


@dataclass(frozen=True, slots=True)
class Shape:
    """Which lists below a place have items with an identity, made of the values of `identity`."""

    identity: tuple[str, ...] = ()
    children: Mapping[str, Shape] | None = None


PLAIN = Shape()
KEYED = Shape(
    children={
        "cameras": Shape(("number",)),
        "hardware_events": Shape(("pin",)),
        "generic_events": Shape(("pin",)),
        "alarms": Shape(("name",)),
        "nvr": Shape(children={"users": Shape(("name",))}),
        "portal": Shape(children={"pins": Shape(("pin", "source"))}),
    }
)

Identity = tuple[int | str, ...]


def merge(lower: Node, upper: Node, shape: Shape = KEYED) -> Node:
    """`upper` over `lower`."""
    if upper.reset or _kind(lower) is not _kind(upper):
        return _stack(lower, upper, upper.value, reset=True)
    low, high = lower.value, upper.value
    if isinstance(low, dict) and isinstance(high, dict):
        return _stack(lower, upper, _merge_maps(low, high, shape), reset=lower.reset)
    if isinstance(low, list) and isinstance(high, list) and shape.identity:
        return _stack(lower, upper, _merge_items(low, high, shape.identity), reset=lower.reset)
    return _stack(lower, upper, high, reset=lower.reset)


def identity_of(item: Node, keys: tuple[str, ...]) -> Identity | None:
    """What an item of a keyed list is recognised by; None if it does not say."""
    if not isinstance(item.value, dict):
        return None
    found: list[int | str] = []
    for key in keys:
        node = item.value.get(key)
        if node is None or not isinstance(node.value, int | str) or isinstance(node.value, bool):
            return None
        found.append(node.value)
    return tuple(found)


def _merge_maps(low: dict[str, Node], high: dict[str, Node], shape: Shape) -> dict[str, Node]:
    merged = dict(low)
    children = shape.children or {}
    for key, node in high.items():
        below = low.get(key)
        merged[key] = node if below is None else merge(below, node, children.get(key, PLAIN))
    return merged


def _merge_items(low: list[Node], high: list[Node], keys: tuple[str, ...]) -> list[Node]:
    """The first item of an identity merges; what repeats it in its own list stays (a rule reports it)."""
    merged = list(low)
    index: dict[Identity, int] = {}
    for position, item in enumerate(low):
        identity = identity_of(item, keys)
        if identity is not None:
            index.setdefault(identity, position)
    for item in high:
        identity = identity_of(item, keys)
        position = index.pop(identity, -1) if identity is not None else -1
        if position < 0:
            merged.append(item)
        else:
            merged[position] = merge(merged[position], item, PLAIN)
    return merged


def _stack(lower: Node, upper: Node, value: Content, *, reset: bool) -> Node:
    below = lower if upper.below is None else _chain(upper.below, lower)
    return Node(value, upper.start, upper.end, upper.key, upper.source, below, reset)


def _chain(upper: Node, lower: Node) -> Node:
    below = lower if upper.below is None else _chain(upper.below, lower)
    return Node(upper.value, upper.start, upper.end, upper.key, upper.source, below, upper.reset)


def _kind(node: Node) -> type:
    value = node.value
    return type(value) if isinstance(value, dict | list) else object
