"""Figures as Markdown, and the sections of docs/performance.md that they are written to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "performance.md"


@dataclass(frozen=True, slots=True)
class Aim:
    """At most `limit` was wished for, `measured` was found; both in `unit` (`times`, `ms`)."""

    what: str
    limit: float
    measured: float
    unit: str

    def text(self) -> str:
        """`--help: met, 1.1 times of at most 1.3`, or by how much it is missed."""
        found = f"{self.measured:.2f} {self.unit}"
        if self.measured <= self.limit:
            return f"- {self.what}: **met**, {found} (aim: at most {self.limit:.3g} {self.unit})"
        over = self.measured / self.limit
        return f"- {self.what}: **missed**, {found} (aim: at most {self.limit:.3g} {self.unit}; {over:.2f} times that)"


@dataclass(frozen=True, slots=True)
class Report:
    """What one benchmark found. The first column of `rows` is text, the others figures."""

    name: str
    conditions: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    aims: Sequence[Aim] = ()
    notes: Sequence[str] = ()

    def markdown(self) -> str:
        """Conditions, table, verdicts, notes."""
        parts = [self.conditions, _table(self.header, self.rows)]
        if self.aims:
            parts.append("\n".join(aim.text() for aim in self.aims))
        return "\n\n".join([*parts, *self.notes]) + "\n"


def write_section(document: Path, report: Report) -> None:
    """Replace the section of `report` between its markers. Raises ValueError if they are not there."""
    text = document.read_text("utf-8")
    begin, end = markers(report.name)
    pattern = re.compile(f"{re.escape(begin)}\n.*?{re.escape(end)}", re.DOTALL)
    section = f"{begin}\n\n{report.markdown()}\n{end}"
    changed, count = pattern.subn(lambda _: section, text)
    if count != 1:
        raise ValueError(f"{document.name} has {count} sections {report.name}, not one")
    document.write_text(changed, "utf-8")


def markers(name: str) -> tuple[str, str]:
    """The lines around the section of a benchmark."""
    return (
        f"<!-- begin {name}: written by benchmarks/run --write, do not edit -->",
        f"<!-- end {name} -->",
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rule = ["---", *["--:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))
