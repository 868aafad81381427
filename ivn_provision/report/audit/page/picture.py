"""The picture of a fleet: a square for each site, in blocks of the sites that belong together.

A square says its state by colour and by the shape in it. Lengths are in units of the drawing: a
square is 12 wide and stands every 14; `scale` makes pixels of them, smaller where there are more sites.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil

from ivn_provision.report.audit.page.rows import Row
from ivn_provision.run.audit.record import SiteAudit, SiteState

PITCH = 14
WIDEST = 344
"""Pixels of a block: what a phone has room for."""
_SQUARE = "h12v12h-12z"
_CUT = {
    SiteState.UNREACHABLE: "m2.5 4l1.5-1.5 2 2 2-2 1.5 1.5-2 2 2 2-1.5 1.5-2-2-2 2-1.5-1.5 2-2z",
    SiteState.ERROR: "m5 2h2v5h-2zm0 6h2v2h-2z",
    SiteState.INVALID: "m2.5 2.5h7v1.5h-7zm0 2.75h7v1.5h-7zm0 2.75h7v1.5h-7z",
    SiteState.DRIFT: "m6 2.5l4 7h-8z",
    SiteState.FAILING: "m2.5 5h7v2h-7z",
    SiteState.OPEN: "m6 2.5a3.5 3.5 0 1 0 .01 0z",
    SiteState.UNAPPLIED: "m3 2.5l6 3.5-6 3.5z",
    SiteState.WAIVED: "m2 8l6-6h2v2l-6 6h-2z",
    SiteState.CLEAN: "",
}
_SCALES = ((120, 2.0), (600, 1.5), (2000, 1.15))
_FEWEST, _MOST = 2, 30
_MOST_ROWS = 30
_NAMED = 12


@dataclass(frozen=True, slots=True)
class Cell:
    row: Row
    x: int
    y: int

    @property
    def square(self) -> str:
        return f"M{self.x} {self.y}{_SQUARE}"

    @property
    def shape(self) -> str:
        """Drawn upon the square, not cut out: a hole would not be hit by a pointer. "" for a clean site."""
        cut = _CUT[self.row.site.state]
        return f"M{self.x} {self.y}{cut}" if cut else ""


@dataclass(frozen=True, slots=True)
class Block:
    """Sites that belong together. `columns` is how many cells stand side by side, `unwell` how many to look at.

    `part` of `parts`, from 1, where there are too many for one block.
    """

    name: str
    cells: tuple[Cell, ...]
    columns: int
    part: int
    parts: int

    @property
    def width(self) -> int:
        return self.columns * PITCH

    @property
    def height(self) -> int:
        return ceil(len(self.cells) / self.columns) * PITCH

    @property
    def unwell(self) -> int:
        return sum(cell.row.unwell for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Picture:
    """`by` says what the blocks are; `named`: there are so few sites that their names stand beside."""

    by: str
    scale: float
    named: bool
    blocks: tuple[Block, ...]


def mark(state: SiteState) -> str:
    """The path of a state's square from its upper left corner, for `fill-rule: evenodd`."""
    return _SQUARE + _CUT[state]


def picture_of(rows: Sequence[Row]) -> Picture:
    """Blocks by the region, the label, the network, or the group that divides the fleet best; the worst first."""
    scale = next((scale for most, scale in _SCALES if len(rows) <= most), 0.85)
    named = len(rows) <= _NAMED
    columns = 1 if named else int(WIDEST / (PITCH * scale))
    by, key = _division(rows)
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(key(row.site) or f"no {by}", []).append(row)
    ordered = sorted(found.items(), key=lambda item: (-sum(row.unwell for row in item[1]), item[0]))
    blocks = tuple(block for name, those in ordered for block in _blocks(name, those, columns))
    return Picture(by, scale, named, blocks)


def _division(rows: Sequence[Row]) -> tuple[str, Callable[[SiteAudit], str]]:
    sites = [row.site for row in rows]
    keys = sorted({key for site in sites for key in site.labels}, key=lambda key: (key != "region", key))
    ways: list[tuple[str, Callable[[SiteAudit], str]]] = [(key, partial(_label, key)) for key in keys]
    for name, value in (*ways, ("network", _network), ("group", _group)):
        if _divides([value(site) for site in sites]):
            return name, value
    return "", lambda _: "All sites"


def _label(key: str, site: SiteAudit) -> str:
    return site.labels.get(key, "")


def _network(site: SiteAudit) -> str:
    return site.network


def _group(site: SiteAudit) -> str:
    return site.groups[0] if site.groups else ""


def _divides(values: Sequence[str]) -> bool:
    given = [value for value in values if value]
    return len(given) * 5 >= len(values) * 4 and _FEWEST <= len(set(given)) <= _MOST


def _blocks(name: str, rows: Sequence[Row], columns: int) -> Iterator[Block]:
    """Very many sites in pieces of about the same height: they stand side by side where there is room."""
    parts = ceil(len(rows) / (columns * _MOST_ROWS))
    size = ceil(len(rows) / parts / columns) * columns
    for part, start in enumerate(range(0, len(rows), size), 1):
        cells = [
            Cell(row, at % columns * PITCH, at // columns * PITCH)
            for at, row in enumerate(rows[start : start + size])
        ]
        yield Block(name, tuple(cells), columns, part, ceil(len(rows) / size))
