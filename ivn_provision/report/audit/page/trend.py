"""The trend as a drawing: a bar for each audit, in it the sites of each state that are not clean, one upon the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from ivn_provision.report.audit.page.ages import moment
from ivn_provision.run.audit.record import Moment, SiteState

MOST = 60
"""Bars: the last ones."""
WIDTH, HEIGHT = 480, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 42, 334, 10, 200
_LINE = 14
_STACK = tuple(state for state in SiteState if state is not SiteState.CLEAN)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a bar: the sites of one state in one audit."""

    state: SiteState
    count: int
    at: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of an axis, where it is in the drawing, and what stands at it."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Name:
    """A state's name beside the last bar: at `y`, drawn to the middle of its piece at `to`."""

    state: SiteState
    count: int
    y: float
    to: float


@dataclass(frozen=True, slots=True)
class Chart:
    pieces: tuple[Piece, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    names: tuple[Name, ...]
    left: int = _LEFT
    right: int = _RIGHT
    bottom: int = _BOTTOM
    width: int = WIDTH
    height: int = HEIGHT


def chart_of(trend: Sequence[Moment]) -> Chart | None:
    """None where there is nothing to compare: fewer than two audits."""
    shown = trend[-MOST:]
    if len(shown) < 2:
        return None
    most = max(1, *(sum(each.states.get(state, 0) for state in _STACK) for each in shown))
    step = _step(most)
    top = ceil(most / step) * step
    bars = [_bar(each, at, len(shown), top) for at, each in enumerate(shown)]
    pieces = tuple(piece for bar in bars for piece in bar)
    up = tuple(Tick(_y(count, top), f"{count:,}") for count in range(0, top + 1, step))
    return Chart(pieces, _days(shown), up, _names(bars[-1]))


def _step(most: int) -> int:
    """Between two lines of the axis, of which there are at most six: 1, 2, 5 or 10, 20, 50 and so on."""
    size = 1
    while True:
        for of in (1, 2, 5):
            if of * size * 5 >= most:
                return of * size
        size *= 10


def _y(count: int, top: int) -> float:
    return round(_BOTTOM - (_BOTTOM - _TOP) * count / top, 1)


def _place(at: int, bars: int) -> tuple[float, float]:
    slot = (_RIGHT - _LEFT) / bars
    width = min(slot * 0.8, 40)
    return round(_LEFT + slot * at + (slot - width) / 2, 1), round(width, 1)


def _bar(each: Moment, at: int, bars: int, top: int) -> list[Piece]:
    x, width = _place(at, bars)
    pieces, below = [], 0
    for state in _STACK:
        if count := each.states.get(state, 0):
            high = _y(below + count, top)
            pieces.append(Piece(state, count, each.at, x, high, width, round(_y(below, top) - high, 1)))
            below += count
    return pieces


def _days(shown: Sequence[Moment]) -> tuple[Tick, ...]:
    """At most five days below the axis, the first and the last among them."""
    last = len(shown) - 1
    chosen = sorted({round(last * part / min(4, last)) for part in range(min(4, last) + 1)})
    ticks = []
    for at in chosen:
        x, width = _place(at, len(shown))
        when = moment(shown[at].at)
        ticks.append(Tick(round(x + width / 2, 1), f"{when:%b} {when.day}" if when else ""))
    return tuple(ticks)


def _names(last: Sequence[Piece]) -> tuple[Name, ...]:
    """From the bottom up, each at its piece, or so much higher that it does not touch the one below."""
    names: list[Name] = []
    limit = float(_BOTTOM)
    for piece in last:
        middle = piece.y + piece.height / 2
        y = min(middle + 4, limit)
        limit = y - _LINE
        names.append(Name(piece.state, piece.count, round(y, 1), round(middle, 1)))
    return tuple(names)
