"""Topic expressions: their prefixes mean what the request declares (facts/axis.md, 5 and 5.4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ivn_provision.lab.camera.soap import TNS1, TNSAXIS

DIALECTS = frozenset(
    {
        "http://docs.oasis-open.org/wsn/t-1/TopicExpression/Concrete",
        "http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet",
    }
)
_PREFIXES = {TNS1: "tns1", TNSAXIS: "tnsaxis"}
_STEP = re.compile(r"(?:([A-Za-z_][\w.-]*):)?([A-Za-z_][\w.-]*)")
_BELOW = "//."


@dataclass(frozen=True, slots=True)
class Step:
    """One name of a path; `space` is empty where none was said."""

    space: str
    name: str

    def fits(self, other: Step) -> bool:
        """Names without a namespace in the tree are written with and without `tnsaxis:` by clients."""
        return self.name == other.name and (
            self.space == other.space or {self.space, other.space} == {"", TNSAXIS}
        )


@dataclass(frozen=True, slots=True)
class Topic:
    """A path; `below` takes in all that is under it (`//.`)."""

    steps: tuple[Step, ...]
    below: bool = False

    def matches(self, leaf: tuple[Step, ...]) -> bool:
        """Whether this expression means a leaf of the tree."""
        if len(leaf) < len(self.steps) or (len(leaf) > len(self.steps) and not self.below):
            return False
        return all(mine.fits(its) for mine, its in zip(self.steps, leaf, strict=False))

    def text(self) -> str:
        """With the prefixes that every reply declares."""
        return "/".join(_named(step) for step in self.steps) + (_BELOW if self.below else "")


def parse_topic(text: str, spaces: Mapping[str | None, str]) -> Topic:
    """Read an expression. Raises ValueError for one that is none, or a prefix that nobody declared."""
    below = text.endswith(_BELOW)
    steps = []
    for part in text.removesuffix(_BELOW).split("/"):
        match = _STEP.fullmatch(part.strip())
        if match is None or (match[1] and match[1] not in spaces):
            raise ValueError(text)
        steps.append(Step(spaces[match[1]] if match[1] else "", match[2]))
    return Topic(tuple(steps), below)


def well_known(text: str) -> Topic:
    """Of the lab's own texts, with `tns1` and `tnsaxis`."""
    return parse_topic(text, {prefix: space for space, prefix in _PREFIXES.items()})


def _named(step: Step) -> str:
    prefix = _PREFIXES.get(step.space, "")
    return f"{prefix}:{step.name}" if prefix else step.name
