"""What came of many crashes, as Markdown."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from tests.support.crash import Ending
from tests.support.crash_rows import Row

_COLUMNS = ("old", "new", "neither", "written twice", "lease left", "anything else wrong")


def gathered(rows: Iterable[Row]) -> dict[str, list[Ending]]:
    """By kill point, in the order in which they came first."""
    found: dict[str, list[Ending]] = defaultdict(list)
    for point, ending in rows:
        found[point].append(ending)
    return found


def table(title: str, endings: Mapping[str, list[Ending]]) -> str:
    """Kill point -> outcome."""
    lines = [f"| {title} | times | {' | '.join(_COLUMNS)} |", "|---|" + "---|" * (1 + len(_COLUMNS))]
    for point, all_of in endings.items():
        lines.append(f"| {point} | {len(all_of)} | {' | '.join(map(str, _numbers(all_of)))} |")
    return "\n".join(lines)


def sums(endings: Iterable[Ending]) -> str:
    """All of them in one sentence."""
    every = list(endings)
    numbers = [f"{number} {name}" for name, number in zip(_COLUMNS, _numbers(every), strict=True)]
    return f"{len(every)} crashes: {', '.join(numbers)}."


def _numbers(all_of: list[Ending]) -> list[int]:
    states = Counter(each.state for each in all_of)
    flaws = [sum(map(bool, column)) for column in zip(*(_flaws(each) for each in all_of), strict=True)]
    return [states["old"], states["new"], states["neither"], *flaws]


def _flaws(ending: Ending) -> tuple[int, int, int]:
    return len(ending.twice), len(ending.leases), len(ending.other)
