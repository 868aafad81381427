"""The capability table as text: a heading per recorder, a block per kind, one line per field."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from ivn_provision.model.capability_table import CapabilityRow, CapabilityTable
from ivn_provision.report.paint import Paint, safe

_STYLES = {"managed": "green", "observable": "cyan", "manual": "yellow", "absent": "dim"}


def render(tables: Sequence[CapabilityTable], paint: Paint, *, wide: bool = False) -> str:
    """All tables. With `wide` also the file, path and programs of each field."""
    return "\n\n".join("\n".join(_table(table, paint, wide=wide)) for table in tables)


def _table(table: CapabilityTable, paint: Paint, *, wide: bool) -> Iterator[str]:
    yield paint(safe(f"{table.site}: {table.product} {table.version or '(not asked)'}".rstrip()), "bold")
    yield safe(f"  {_layout(table)}")
    yield from (paint(safe(f"  note: {note}"), "dim") for note in table.notes)
    yield f"  {_count(table)}"
    widths = (max((len(_name(row)) for row in table.rows), default=0), 10, 10)
    for kind, rows in groupby(table.rows, key=lambda row: row.kind):
        listed = list(rows)
        usual = _usual(listed)
        reason = _common_reason(listed)
        yield ""
        yield "  " + paint(safe(kind), "bold") + (paint(safe(f"  {reason}"), "dim") if reason else "")
        if wide:
            yield from (paint(safe(f"    {line}"), "dim") for line in _place(listed, usual))
        for row in listed:
            shown = replace(row, reason="") if reason else row
            yield from _row(shown, widths, paint, usual=usual if wide else None)


def _common_reason(rows: Sequence[CapabilityRow]) -> str:
    """One reason for all of a kind is said once."""
    reasons = {row.reason for row in rows}
    return reasons.pop() if len(reasons) == 1 and len(rows) > 1 else ""


def _layout(table: CapabilityTable) -> str:
    if not table.layout:
        return "no layout is known: everything in the recorder's own files is by hand"
    where = f"from {table.origin}" if table.origin else "ships with ivn-provision"
    learned = f"; learned {table.learned}" if table.learned else ""
    versions = f"; for versions that fit {table.versions}" if table.versions else ""
    return f"layout {table.layout} ({where}{learned}{versions})"


def _count(table: CapabilityTable) -> str:
    fields = [row.ability for row in table.rows if row.field not in {"", "-"}]
    parts = [f"{fields.count(name)} {name}" for name in ("managed", "observable", "manual") if name in fields]
    return f"{len(fields)} fields: {', '.join(parts)}"


def _usual(rows: Sequence[CapabilityRow]) -> tuple[str, ...]:
    """The programs that most of a kind's changes restart."""
    given = [row.restarts for row in rows if row.restarts]
    return max(given, key=given.count, default=())


def _place(rows: Sequence[CapabilityRow], usual: tuple[str, ...]) -> Iterator[str]:
    yield from sorted({row.file for row in rows if row.file})
    if usual:
        yield f"restarts {', '.join(usual)}"


def _row(
    row: CapabilityRow, widths: Sequence[int], paint: Paint, *, usual: tuple[str, ...] | None
) -> Iterator[str]:
    """With `usual` also the path, and the programs where they are not the usual ones."""
    name, ability, evidence = widths
    told = f"    {safe(_name(row)):<{name}}  {paint(f'{row.ability:<{ability}}', _STYLES[row.ability])}"
    told += f"  {row.evidence or '-':<{evidence}}"
    yield f"{told}  {safe(row.reason)}".rstrip()
    if usual is not None and row.path:
        other = f"; restarts {', '.join(row.restarts)}" if row.restarts not in {(), usual} else ""
        yield paint(safe(f"    {'':<{name}}  {row.path}{other}"), "dim")


def _name(row: CapabilityRow) -> str:
    return {"": "(objects)", "-": "(removal)"}.get(row.field, row.field)
