"""Where in a product's own program a person makes what is declared: values, read by a driver from its data.

A label that no manual prints is the text `UNDOCUMENTED`; nothing is made up in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

UNDOCUMENTED = "label not documented"


@dataclass(frozen=True, slots=True)
class Control:
    """One control of a dialog. `words` are the literal texts that stand for values (`match` -> `Match`).

    `refers` says that the value is the number of a `camera`, or names an `event`: the person sees its name
    there. `seen_by` is what can observe the field from outside: `login`, `mail` or "".
    """

    label: str = UNDOCUMENTED
    requirements: tuple[str, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict)
    refers: str = ""
    seen_by: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """How one gets to the dialog, from the program's main window, and what to know there."""

    go_to: str
    dialog: str = UNDOCUMENTED
    requirements: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """The screens of one kind. `key` is the control for what identifies an object (a user's name)."""

    kind: str
    title: str
    create: Way
    change: Way
    remove: Way
    controls: Mapping[str, Control]
    key: Control | None = None


@dataclass(frozen=True, slots=True)
class Exercise:
    """A step that is no setting: a workaround or a test. It is for runbooks that touch one of `kinds`.

    `after` is the kind after which it comes, "" for the end. `mails` restricts it to events that send mail.
    """

    title: str
    go_to: str
    lines: tuple[str, ...]
    requirements: tuple[str, ...]
    kinds: frozenset[str]
    after: str
    mails: bool = False


@dataclass(frozen=True, slots=True)
class Screens:
    """The sections in the order in which a person goes, and the exercises."""

    program: str
    sections: tuple[Section, ...] = ()
    exercises: tuple[Exercise, ...] = ()

    def section(self, kind: str) -> Section | None:
        return next((each for each in self.sections if each.kind == kind), None)

    def rank(self, kind: str) -> int:
        """Where a kind stands in the order of work; unknown kinds come last."""
        kinds = [each.kind for each in self.sections]
        return kinds.index(kind) if kind in kinds else len(kinds)
