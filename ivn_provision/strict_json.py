"""Strict reading of JSON from outside: values that know their place, and accessors that convert nothing."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import NoReturn

MAX_DEPTH = 64
_SHOWN = 120


class WrongShape(ValueError):
    """A value is not what was promised. `pointer` (RFC 6901) says where, `what` says how.

    Neither repeats a value of the document; names of members can be in the pointer.
    """

    def __init__(self, pointer: str, what: str) -> None:
        self.pointer = pointer if len(pointer) <= _SHOWN else f"{pointer[:_SHOWN]}..."
        self.what = what
        super().__init__(f"{self.pointer or 'the document'} {what}")


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a parsed document. Every accessor raises WrongShape for a value of another kind."""

    value: object
    pointer: str = ""

    def wrong(self, what: str) -> NoReturn:
        raise WrongShape(self.pointer, what)

    def find(self, name: str) -> Node | None:
        """The member, or None where it is absent (a null is there)."""
        members = self._members()
        return Node(members[name], self._below(name)) if name in members else None

    def __getitem__(self, name: str) -> Node:
        """The member that must be there."""
        found = self.find(name)
        return found if found is not None else Node(None, self._below(name)).wrong("is missing")

    def members(self) -> tuple[tuple[str, Node], ...]:
        """All members of an object."""
        return tuple((name, Node(value, self._below(name))) for name, value in self._members().items())

    def items(self) -> tuple[Node, ...]:
        """The items of a list."""
        if not isinstance(self.value, list):
            self.wrong("is not a list")
        return tuple(Node(value, f"{self.pointer}/{index}") for index, value in enumerate(self.value))

    def text(self, form: re.Pattern[str] | None = None, expected: str = "") -> str:
        """A string that can be encoded; where `form` is given, all of it matches and `expected` names it."""
        if not isinstance(self.value, str):
            self.wrong("is not text")
        if not encodable(self.value):
            self.wrong("holds half of a surrogate pair")
        if form is not None and not form.fullmatch(self.value):
            self.wrong(f"is not {expected}")
        return self.value

    def integer(self, low: int, high: int) -> int:
        """A whole number; true and 1.0 are none."""
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            self.wrong("is not a whole number")
        if not low <= self.value <= high:
            self.wrong(f"is not from {low} to {high}")
        return self.value

    def number(self, low: float, high: float) -> float:
        """A finite number, whole or not; true is none."""
        if isinstance(self.value, bool) or not isinstance(self.value, (int, float)):
            self.wrong("is not a number")
        if not low <= self.value <= high:
            self.wrong(f"is not from {low:g} to {high:g}")
        return float(self.value)

    def flag(self) -> bool:
        """true or false, nothing that could be taken for them."""
        if not isinstance(self.value, bool):
            self.wrong("is not true or false")
        return self.value

    @property
    def is_null(self) -> bool:
        return self.value is None

    def _members(self) -> dict[str, object]:
        if not isinstance(self.value, dict):
            self.wrong("is not an object")
        return self.value

    def _below(self, name: str) -> str:
        return f"{self.pointer}/{name.replace('~', '~0').replace('/', '~1')}"


def encodable(text: str) -> bool:
    """Is there no lone surrogate in it?"""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_sound(document: Node) -> None:
    """Text that can be encoded, finite numbers and a sane depth everywhere. Raises WrongShape."""
    waiting = [(document, 0)]
    while waiting:
        node, depth = waiting.pop()
        if depth > MAX_DEPTH:
            node.wrong("is nested too deeply")
        if isinstance(node.value, dict):
            waiting += [(each, depth + 1) for each in _named(node)]
        elif isinstance(node.value, list):
            waiting += [(each, depth + 1) for each in node.items()]
        elif isinstance(node.value, str):
            node.text()
        elif isinstance(node.value, float) and not math.isfinite(node.value):
            node.wrong("is not a finite number")


def _named(node: Node) -> list[Node]:
    found = []
    for name, each in node.members():
        if not encodable(name):
            node.wrong("has a member whose name holds half of a surrogate pair")
        found.append(each)
    return found
