"""The failure table as data (`tests/cases/failure_table/*.yml`): each row, who detects it, and how the lab makes it.

A row's fields: `row`, `failure`, `by` (`check`, `validate`, `verify`, `apply`, `nothing`), `rules` (those of
`validate`), `why` (what else there is to say), `shown`. Each of `shown`: `lab` (commands of the lab, SITE being the
site), `check` (which must say so), `state` (default fail), `also` (other checks that must fail or warn with it, each
with the reason), `remedy` (what its remedy must hold), and either `heals: true` (`apply` makes it good) or `by_hand`
(why `apply` does not) with `undo` (what takes it back; a fault is switched off by itself).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

CASES = Path(__file__).resolve().parents[1] / "cases" / "failure_table"
ROWS = 44
DETECTORS = ("check", "validate", "verify", "apply", "nothing")


@dataclass(frozen=True, slots=True)
class Shown:
    """One way in which the lab makes a failure come true, and what must be said of it."""

    row: int
    number: int
    by: str
    lab: tuple[str, ...]
    check: str
    state: str
    also: Mapping[str, str]
    remedy: str
    heals: bool
    by_hand: str
    undo: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"row {self.row}, {self.number}: {self.lab[0]}"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table."""

    row: int
    failure: str
    by: str
    rules: tuple[str, ...] = ()
    why: str = ""
    shown: tuple[Shown, ...] = field(default=())


@cache
def rows() -> tuple[Row, ...]:
    """All rows in order. Raises ValueError where one is missing, twice there, or not whole."""
    files = sorted(CASES.glob("*.yml"))
    found = [_row(each) for file in files for each in yaml.safe_load(file.read_text("utf-8"))]
    if [each.row for each in found] != list(range(1, ROWS + 1)):
        raise ValueError(f"the table does not have rows 1 to {ROWS}, each once and in order")
    return tuple(found)


def shown_by(detector: str) -> tuple[Shown, ...]:
    """All that is shown of one detector."""
    return tuple(one for row in rows() for one in row.shown if one.by == detector)


def _row(given: Mapping[str, Any]) -> Row:
    number, by = int(given["row"]), str(given["by"])
    shown = tuple(
        _shown(number, place, by, each) for place, each in enumerate(given.get("shown", ()), start=1)
    )
    row = Row(
        number, str(given["failure"]), by, tuple(given.get("rules", ())), str(given.get("why", "")), shown
    )
    _check(set(given) <= {"row", "failure", "by", "rules", "why", "shown"}, number, "has an unknown field")
    _check(by in DETECTORS, number, f"is detected by {by}")
    _check(by != "check" or bool(shown), number, "is detected by a check, and that is not shown")
    _check(by != "validate" or bool(row.rules), number, "names no rule")
    _check(bool(shown or row.rules or row.why), number, "neither shows anything nor says why not")
    return row


def _shown(row: int, number: int, by: str, given: Mapping[str, Any]) -> Shown:
    known = {"lab", "by", "check", "state", "also", "remedy", "heals", "by_hand", "undo"}
    _check(set(given) <= known, row, "has an unknown field in `shown`")
    shown = Shown(
        row=row,
        number=number,
        by=str(given.get("by", by)),
        lab=tuple(given["lab"]),
        check=str(given["check"]),
        state=str(given.get("state", "fail")),
        also=dict(given.get("also", {})),
        remedy=str(given["remedy"]),
        heals=bool(given.get("heals", False)),
        by_hand=str(given.get("by_hand", "")),
        undo=tuple(given.get("undo", ())),
    )
    _check(shown.by != "check" or shown.heals != bool(shown.by_hand), row, "heals, or says why it does not")
    return shown


def _check(good: bool, row: int, what: str) -> None:
    if not good:
        raise ValueError(f"row {row} of the failure table {what}")
