"""The failure table as a page: `docs/reference/failure-table.md` is made of the cases and the checks."""

from __future__ import annotations

from collections.abc import Iterator

from ivn_provision.spec.rules import RULES
from ivn_provision.verify.checks import CHECKS
from tests.support.failure_table import Row, Shown, rows

_HEAD = """\
# Failure table

<!-- Made by scripts/make-failure-table from tests/cases/failure_table, and shown by tests. Do not edit. -->

What goes wrong at monitored sites, and what of it this tool finds. For each row with a lab command a test makes the
failure so, and sees that the named [check](checks.md) says it, that no other check does (but those in brackets), and
that all is well when it is undone; where `apply` heals it, after an `apply`. Rows found by `verify` are found by firing
the pins in a test window.

**All of it ran against the embedded lab, not against a real recorder or the real portal.** What the lab assumes about
them is in `ivn-provision lab status`. Commands are those of `ivn-provision lab`; SITE is the site's name, ACCOUNT its SMTP
Account ID.

"""
_NOT = """
## What is not shown

"""


def markdown() -> str:
    """The page."""
    table = [
        "| row | failure | found by | in the lab by | healed by `apply` | the remedy says |",
        "|---|---|---|---|---|---|",
    ]
    all_rows = rows()
    table += [line for row in all_rows for line in _lines(row)]
    return "\n".join([_HEAD.rstrip("\n"), "", *table, *_summary(all_rows), ""])


def _lines(row: Row) -> Iterator[str]:
    """A line for each way in which it is shown; the first says what the row is, and what else is to say."""
    whole = row.failure + (f". {row.why[:1].upper()}{row.why[1:]}" if row.why else "")
    for place, shown in enumerate(row.shown):
        cells = [str(row.row) if place == 0 else "", whole if place == 0 else "", *_cells(row, shown)]
        yield _line(cells)
    if not row.shown:
        yield _line([str(row.row), whole, _found_by(row), "-", "-", "-"])


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(each.replace('|', chr(92) + '|') for each in cells)} |"


def _cells(row: Row, shown: Shown) -> list[str]:
    healed = "yes" if shown.heals else f"no: {shown.by_hand}" if shown.by_hand else "no"
    lab = "<br>".join(f"`{each}`" for each in map(_words, shown.lab))
    return [_shown_by(row, shown), lab, healed, f"… {shown.remedy} …"]


def _words(command: str) -> str:
    """A window is opened by a run of `verify`, not by a command of the lab."""
    return "verify SITE" if command == "window SITE" else f"lab {command}"


def _shown_by(row: Row, shown: Shown) -> str:
    if shown.by == "verify":
        return f"`verify`: {shown.check}"
    name = f"[{shown.check}](checks.md#{shown.check})"
    state = "" if shown.state == "fail" else f" ({shown.state})"
    also = f" [{', '.join(shown.also)}]" if shown.also else ""
    rules = f"{_found_by(row)}; " if row.rules else ""
    return f"{rules}{name}{state}{also}"


def _found_by(row: Row) -> str:
    if row.by == "validate":
        return "`validate`: " + ", ".join(f"[{each}](rules.md#{each.lower()})" for each in row.rules)
    return {"verify": "`verify`", "apply": "`apply` refuses", "nothing": "nothing"}[row.by]


def _summary(all_rows: tuple[Row, ...]) -> Iterator[str]:
    shown = [row for row in all_rows if row.shown]
    ruled = [row for row in all_rows if row.rules and not row.shown]
    rest = [row for row in all_rows if not row.shown and not row.rules]
    yield _NOT.rstrip("\n")
    yield ""
    yield (
        f"Of {len(all_rows)} rows {len(shown)} are shown here in the lab, {len(ruled)} more are rules that `validate`"
        f" checks before anything is written ({len(RULES)} in all, each with good and bad cases of its own), and"
        f" {len(rest)} are not shown here: {', '.join(str(row.row) for row in rest)}. The reason stands in the row."
    )
    blind = [
        each
        for each in CHECKS
        if not any(each.id == one.check or each.id in one.also for row in all_rows for one in row.shown)
    ]
    yield ""
    yield f"Checks that no row makes fail: {', '.join(f'[{each.id}](checks.md#{each.id})' for each in blind)}."
