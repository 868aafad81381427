"""A problem found in a file or on a target, with its place: what `validate` reports."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """`error` fails a run, `warning` does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A range in a text file. Lines and columns count from 1, in characters; the end is exclusive."""

    path: str
    line: int
    column: int
    end_line: int = 0
    end_column: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Related:
    """A second place that explains the first, for example where a name was used before."""

    place: Place
    message: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem.

    `code` is stable (`IVN014`), `summary` one line, `detail` may be longer, `hint` says what to do;
    `requirements` are R-numbers of the installation manual that the code enforces.
    """

    severity: Severity
    code: str
    summary: str
    place: Place | None = None
    detail: str = ""
    hint: str = ""
    site: str = ""
    requirements: tuple[str, ...] = ()
    related: tuple[Related, ...] = ()

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR


def sort_key(diagnostic: Diagnostic) -> tuple[str, int, int, str, str]:
    """Order of reports: file, line, column, code, text."""
    place = diagnostic.place or Place("", 0, 0)
    return (place.path, place.line, place.column, diagnostic.code, diagnostic.summary)
