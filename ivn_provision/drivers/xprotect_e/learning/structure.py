"""XML files as plain values that can be compared: nodes, leaves by path, differences of two versions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from xml.parsers import expat

from ivn_provision.drivers.xprotect_e.xml_document import parse

Leaves = Mapping[str, tuple[str, ...]]
_PAIRS = 40_000


@dataclass(frozen=True, slots=True)
class Node:
    """An element: its attributes, the text directly inside, its children."""

    tag: str
    attributes: tuple[tuple[str, str], ...] = ()
    text: str = ""
    children: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. `path` counts from below the root; of a changed leaf it ends in the leaf's name."""

    what: Literal["added", "removed", "changed"]
    path: str
    node: Node | None = None


def tree(raw: bytes, path: str) -> Node:
    """The tree of a file. Raises ProtocolFault as the driver does: not well-formed, a DTD, too deep."""
    return _Builder().build(parse(raw, path=path).utf8)


class _Builder:
    """Nodes from expat's events; `parse` has refused everything hostile before."""

    def __init__(self) -> None:
        self._open: list[tuple[str, tuple[tuple[str, str], ...], list[str], list[Node]]] = []
        self._root: Node | None = None

    def build(self, utf8: bytes) -> Node:
        parser = expat.ParserCreate(encoding="utf-8")
        parser.buffer_text = True
        parser.ordered_attributes = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.Parse(utf8, True)
        assert self._root is not None
        return self._root

    def _start(self, tag: str, flat: Sequence[str]) -> None:
        pairs = tuple(zip(flat[::2], flat[1::2], strict=True))
        self._open.append((tag, pairs, [], []))

    def _text(self, data: str) -> None:
        self._open[-1][2].append(data)

    def _end(self, _tag: str) -> None:
        tag, attributes, pieces, children = self._open.pop()
        text = "".join(pieces)
        node = Node(tag, attributes, text.strip() if children else text, tuple(children))
        if self._open:
            self._open[-1][3].append(node)
        else:
            self._root = node


def leaves(node: Node) -> dict[str, tuple[str, ...]]:
    """Texts below a node by path (`@id`, `Rule`, `Mail/@on`), in document order; several if a path repeats."""
    found: dict[str, list[str]] = {}
    for path, text in _leaves(node, ""):
        found.setdefault(path, []).append(text)
    return {path: tuple(texts) for path, texts in found.items()}


def _leaves(node: Node, path: str) -> Iterator[tuple[str, str]]:
    for name, value in node.attributes:
        yield _join(path, f"@{name}"), value
    if node.text.strip() or not (node.children or node.attributes):
        yield path or ".", node.text
    for child in node.children:
        yield from _leaves(child, _join(path, child.tag))


def below(node: Node, path: str) -> Iterator[Node]:
    """Descendants at a path of tags; `*` is any tag; `.` or nothing is the node itself."""
    if path in {"", "."}:
        yield node
        return
    step, _, rest = path.partition("/")
    for child in node.children:
        if step in {"*", child.tag}:
            yield from below(child, rest)


def differences(before: Node, after: Node) -> list[Difference]:
    """What differs below two roots: whole elements that came or went, and leaves that changed."""
    return list(_compare(before, after, ""))


def _compare(before: Node, after: Node, path: str) -> Iterator[Difference]:
    if before == after:
        return
    old, new = dict(before.attributes), dict(after.attributes)
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield Difference("changed", _join(path, f"@{name}"))
    if before.text.strip() != after.text.strip() or (
        before.text != after.text and not before.children and not after.children
    ):
        yield Difference("changed", path or ".")
    yield from _compare_children(before, after, path)


def _compare_children(before: Node, after: Node, path: str) -> Iterator[Difference]:
    gone, come = _unequal(before.children, after.children)
    for tag in dict.fromkeys(node.tag for node in [*gone, *come]):
        old = [node for node in gone if node.tag == tag]
        new = [node for node in come if node.tag == tag]
        pairs = _pairs(old, new)
        for first, second in pairs:
            yield from _compare(first, second, _join(path, tag))
        paired = {id(node) for pair in pairs for node in pair}
        yield from (Difference("removed", _join(path, tag), n) for n in old if id(n) not in paired)
        yield from (Difference("added", _join(path, tag), n) for n in new if id(n) not in paired)


def _unequal(before: Sequence[Node], after: Sequence[Node]) -> tuple[list[Node], list[Node]]:
    """Children that have no equal on the other side."""
    have, want = Counter(before), Counter(after)
    gone, come = have - want, want - have
    return _take(before, gone), _take(after, come)


def _take(nodes: Sequence[Node], count: Counter[Node]) -> list[Node]:
    left = Counter(count)
    taken = []
    for node in reversed(nodes):
        if left[node] > 0:
            left[node] -= 1
            taken.append(node)
    return taken[::-1]


def _pairs(old: Sequence[Node], new: Sequence[Node]) -> list[tuple[Node, Node]]:
    """Which old element became which new one: those that have most in common."""
    if len(old) * len(new) > _PAIRS or len(old) == len(new) == 1:
        return list(zip(old, new, strict=False))
    left, right = [_content(node) for node in old], [_content(node) for node in new]
    ranked = sorted(
        ((-sum((a & b).values()), i, j) for i, a in enumerate(left) for j, b in enumerate(right)),
    )
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for _, i, j in ranked:
        if i not in pairs and j not in taken:
            pairs[i] = j
            taken.add(j)
    return [(old[i], new[j]) for i, j in sorted(pairs.items())]


def _content(node: Node) -> Counter[tuple[str, str]]:
    """Leaves, identifiers (long texts) counting more than switches."""
    found: Counter[tuple[str, str]] = Counter()
    for path, text in _leaves(node, ""):
        found[path, text] += 1 + min(len(text), 40)
    return found


def _join(path: str, step: str) -> str:
    return f"{path}/{step}" if path else step
