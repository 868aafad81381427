"""`!ref a.b.c`: another value of the same merged site, looked up before the schema is asked.

Items of lists are named by their key: `cameras.10.label`, `nvr.users.ivnview.name`, `portal.pins.2H.camera`.
"""

from __future__ import annotations

from ivn_provision.diagnostics import Diagnostic, Related, Severity
from ivn_provision.secret import SecretRef
from ivn_provision.spec.merge import KEYED, PLAIN, Identity, Shape, identity_of
from ivn_provision.spec.nodes import BAD, Bad, Node, Reference
from ivn_provision.spec.suggest import did_you_mean, listing
from ivn_provision.spec.values import Computed

COMPUTED = frozenset({"portal.smtp_account_id"})
"""What a live system generates: a reference to it stays open until that system was read."""

Resolved = bool | int | float | str | SecretRef | Computed | Bad


class Resolver:
    """Follows the references of one merged document and collects their diagnostics."""

    def __init__(self, root: Node) -> None:
        self.root = root
        self.diagnostics: list[Diagnostic] = []
        self._known: dict[int, Resolved] = {}

    def value_of(self, node: Node) -> Resolved:
        """The value that a reference stands for; BAD if it was reported."""
        known = self._known.get(id(node))
        return known if known is not None else self._follow(node, ())

    def _follow(self, node: Node, trail: tuple[Node, ...]) -> Resolved:
        assert isinstance(node.value, Reference)
        if node in trail:
            return self._cycle(trail[trail.index(node) :])
        if id(node) in self._known:
            return self._known[id(node)]
        found = self._target(node, node.value.path)
        value = self._value(node, found, trail) if isinstance(found, Node) else found
        self._known.setdefault(id(node), value)
        return value

    def _value(self, node: Node, target: Node, trail: tuple[Node, ...]) -> Resolved:
        value = target.value
        if isinstance(value, Reference):
            return self._follow(target, (*trail, node))
        if isinstance(value, dict | list):
            kind = "map" if isinstance(value, dict) else "list"
            hint = "Refer to one of the values in it."
            return self._report("SCH033", f"`{node.value}` is a {kind}, not one value", node, hint, target)
        return value if value is not None else BAD

    def _target(self, node: Node, path: str) -> Node | Resolved:
        at, shape = self.root, KEYED
        parts = path.split(".")
        for position, part in enumerate(parts):
            below = _step(at, part, shape)
            if below is None or below.value is None:
                return self._missing(node, parts[:position], part, _names(at, shape))
            shape = _below(shape, part) if isinstance(at.value, dict) else PLAIN
            at = below
        return at

    def _missing(self, node: Node, done: list[str], part: str, names: list[str]) -> Resolved:
        assert isinstance(node.value, Reference)
        path = node.value.path
        if path in COMPUTED:
            return Computed(path)
        where = f"`{'.'.join(done)}`" if done else "the site"
        guess = did_you_mean(part, names)
        there = f"{where} has: {listing(names)}." if names else f"{where} has no values inside."
        return self._report(
            "SCH031", f"`!ref {path}` leads nowhere: {where} has no `{part}`", node, guess + there
        )

    def _cycle(self, circle: tuple[Node, ...]) -> Resolved:
        paths = [each.value.path for each in circle if isinstance(each.value, Reference)]
        shown = " -> ".join((*paths, paths[0]))
        hint = "One of them must be a value."
        for each in circle:
            self._known[id(each)] = BAD
        others = tuple(Related(each.place(), "and on from here") for each in circle[1:])
        self.diagnostics.append(
            Diagnostic(
                Severity.ERROR,
                "SCH032",
                f"references go in a circle: {shown}",
                circle[0].place(),
                hint=hint,
                related=others,
            )
        )
        return BAD

    def _report(self, code: str, summary: str, node: Node, hint: str, target: Node | None = None) -> Bad:
        related = (Related(target.place(), "this is what it refers to"),) if target is not None else ()
        self.diagnostics.append(
            Diagnostic(Severity.ERROR, code, summary, node.place(), hint=hint, related=related)
        )
        return BAD


def identity_text(identity: Identity) -> str:
    """How a path names an item: `10`, `ivnview`, or `2H` for pin 2 of source hardware."""
    if len(identity) == 1:
        return str(identity[0])
    return f"{identity[0]}{str(identity[1])[:1].upper()}"


def find(root: Node, path: str) -> tuple[str, Node] | None:
    """The JSON pointer and node at a dotted path such as `cameras.10.label`; None if nothing is there."""
    at, shape, pointer = root, KEYED, ""
    for part in path.split("."):
        below = _step(at, part, shape)
        if below is None:
            return None
        if isinstance(at.value, list):
            index = next(i for i, each in enumerate(at.value) if each is below)
            pointer, shape = f"{pointer}/{index}", PLAIN
        else:
            pointer, shape = f"{pointer}/{part}", _below(shape, part)
        at = below
    return pointer, at


def dotted(root: Node, pointer: str) -> str:
    """The dotted path of a JSON pointer: the inverse of `find`; items without a key by their position."""
    at: Node | None = root
    shape, parts = KEYED, []
    for raw in pointer.split("/")[1:]:
        part = raw.replace("~1", "/").replace("~0", "~")
        if at is not None and isinstance(at.value, list):
            item = at.value[int(part)] if part.isdigit() and int(part) < len(at.value) else None
            identity = identity_of(item, shape.identity) if item is not None and shape.identity else None
            parts.append(identity_text(identity) if identity else f"[{part}]")
            at, shape = item, PLAIN
        else:
            parts.append(part)
            shape = _below(shape, part)
            at = at.value.get(part) if at is not None and isinstance(at.value, dict) else None
    return ".".join(parts)


def names_at(root: Node, path: str) -> list[str]:
    """What a dotted path may go on with, at the deepest part of it that exists."""
    at, shape = root, KEYED
    for part in path.split("."):
        below = _step(at, part, shape)
        if below is None:
            break
        shape = _below(shape, part) if isinstance(at.value, dict) else PLAIN
        at = below
    return _names(at, shape)


def _step(at: Node, part: str, shape: Shape) -> Node | None:
    if isinstance(at.value, dict):
        return at.value.get(part)
    if isinstance(at.value, list) and shape.identity:
        for item in at.value:
            identity = identity_of(item, shape.identity)
            if identity is not None and identity_text(identity) == part:
                return item
    return None


def _below(shape: Shape, part: str) -> Shape:
    return (shape.children or {}).get(part, PLAIN)


def _names(at: Node, shape: Shape) -> list[str]:
    if isinstance(at.value, dict):
        return list(at.value)
    if isinstance(at.value, list) and shape.identity:
        found = (identity_of(item, shape.identity) for item in at.value)
        return [identity_text(identity) for identity in found if identity is not None]
    return []
