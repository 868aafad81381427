"""One line that says how far a run is, in as many columns as there are. Pure."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size

from ivn_provision.report.paint import Paint, safe
from ivn_provision.report.site_ends import End, says
from ivn_provision.report.tally import Tally

_COLOURS = {End.PARTLY: "red", End.UNREACHABLE: "red", End.ERROR: "red", End.INVALID: "red"}
_QUIET = (End.CLEAN, End.APPLIED, End.SKIPPED, End.WAIVED)
_BAR = 20
Part = tuple[str, str]
"""Text and its colour, "" for none."""


def progress_line(
    tally: Tally, seconds: float, columns: int, paint: Paint, *, ascii_only: bool = False
) -> str:
    """At most `columns` wide. What is least needed goes first: the bar, what is done now, the wave's name."""
    head, counts, tail = _wave(tally), _counts(tally), elapsed(seconds)
    done: Part = (f"{tally.done}/{tally.total}", "bold")
    now, bar = _now(tally), _bar(tally, ascii_only=ascii_only)
    ways: tuple[list[Part], ...] = (
        [(head, "bold"), (bar, "green"), done, *counts, (now, "cyan"), (tail, "dim")],
        [(head, "bold"), done, *counts, (now, "cyan"), (tail, "dim")],
        [(head, "bold"), done, *counts, (tail, "dim")],
        [(head.partition(":")[0], "bold"), done, *counts, (tail, "dim")],
        *([done, *counts[:number]] for number in range(len(counts), -1, -1)),
    )
    for way in ways:
        parts = [part for part in way if part[0]]
        if sum(cell_len(text) + 2 for text, _ in parts) - 2 <= columns:
            return "  ".join(paint(text, *filter(None, [colour])) for text, colour in parts)
    return set_cell_size(done[0], max(0, columns))


def wave_line(tally: Tally, seconds: float, paint: Paint) -> str:
    """What stays of a wave that has ended."""
    parts = [(_wave(tally), "bold"), (f"{tally.done}/{tally.total}", "bold"), *_all_counts(tally)]
    words = "  ".join(paint(text, *filter(None, [colour])) for text, colour in parts if text)
    return f"{words}  {paint(elapsed(seconds), 'dim')}"


def elapsed(seconds: float) -> str:
    """`0:07`, `12:34`, `1:02:03`."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _wave(tally: Tally) -> str:
    wave = tally.wave
    if wave is None:
        return ""
    return f"wave {wave.number}/{wave.of}" + (f": {safe(wave.name)}" if wave.name else "")


def _bar(tally: Tally, *, ascii_only: bool) -> str:
    if tally.total <= 1:
        return ""
    full, empty = ("#", ".") if ascii_only else ("━", "╌")
    filled = min(_BAR, tally.done * _BAR // tally.total)
    return full * filled + empty * (_BAR - filled)


def _counts(tally: Tally) -> list[Part]:
    """What a person should know before the end, and how many sites are worked on."""
    found = [part for part in _all_counts(tally) if part[1] != "green"]
    running = len(tally.doing)
    return [*found, (f"{running} running", "")] if running > 1 else found


def _all_counts(tally: Tally) -> list[Part]:
    found = [(end, tally.ends[end]) for end in End if tally.ends[end]]
    return [(f"{number} {says(end)}", _colour(end)) for end, number in found]


def _colour(end: End) -> str:
    return "green" if end in _QUIET else _COLOURS.get(end, "yellow")


def _now(tally: Tally) -> str:
    now = tally.now()
    return f"{safe(now[0])}: {safe(now[1])}" if now else ""
