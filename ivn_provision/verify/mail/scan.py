"""Grammars of one line that know at which character a text stops to fit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """A piece of a grammar, and what it is in words. The words say what is wanted where the piece is not."""

    pattern: str
    expected: str


@dataclass(frozen=True, slots=True)
class Stop:
    """The index of the first character that does not fit; it may be the length of the text."""

    index: int
    expected: str


class Grammar:
    """Steps one after the other. A later step may refer back to a group of an earlier one."""

    def __init__(self, *steps: Step) -> None:
        patterns = [step.pattern for step in steps]
        # one expression for each beginning of the grammar: the longest that matches says where it ends
        self._beginnings = tuple(
            re.compile("".join(patterns[: count + 1]), re.ASCII | re.DOTALL) for count in range(len(steps))
        )
        self._steps = steps
        self.pattern = self._beginnings[-1]

    def match(self, text: str) -> re.Match[str] | None:
        """All of `text`, or nothing."""
        return self.pattern.fullmatch(text)

    def stop(self, text: str) -> Stop | None:
        """Where `text` leaves the grammar; None if it fits."""
        if self.pattern.fullmatch(text):
            return None
        index = 0
        for beginning, step in zip(self._beginnings, self._steps, strict=True):
            found = beginning.match(text)
            if found is None:
                return Stop(index, step.expected)
            index = found.end()
        return Stop(index, "the end of the line")

    def __iter__(self) -> Iterator[Step]:
        return iter(self._steps)


# facts/portal.md, part 5: one space, no leading zero, capital letter
EVENT = Grammar(
    Step(r"(?P<pin>[1-9][0-9]{0,2})", "a pin from 1 to 999 without a leading zero"),
    Step(r" ", "one space after the pin"),
    Step(r"(?P<kind>[HS])", "the letter H or S"),
    Step(r"(?= |\Z)", "the end of the name, or a space before its text"),
    Step(r"(?P<label>.*)\Z", "any text"),
)

#
CAMERA = Grammar(
    Step(r"(?P<number>[1-9][0-9]{0,2})", "a camera number from 1 to 999 without a leading zero"),
    Step(r" ", "one space after the number"),
    Step(r"(?P<label>\S.*)\Z", "the camera's text"),
)
