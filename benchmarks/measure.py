"""Programs run one after the other, and what each of them used."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_SHOWN = 2000


class BenchmarkError(Exception):
    """A measured program did not do what it should: its figures would mean nothing."""


@dataclass(frozen=True, slots=True)
class Usage:
    """`wall` and `cpu` (user and system, of the program and its children) in seconds; `peak` RSS in MB."""

    wall: float
    cpu: float
    peak: float


def run(command: Sequence[str | Path], *, cwd: Path, allowed: Collection[int] = (0,)) -> Usage:
    """Run a program to its end, with Python's compiled files kept as for an installed program. Raises
    BenchmarkError for an exit code that is not allowed.

    Linux counts the peak from the fork on: it is never below this process's own, some 20 MB.
    """
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env={name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in allowed:
            output.seek(0)
            text = output.read().decode("utf-8", "replace")[-_SHOWN:]
            raise BenchmarkError(f"{command[0]} ended with {process.returncode}:\n{text}")
    return Usage(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def median(usages: Sequence[Usage]) -> Usage:
    """Each figure's median of its own."""
    return Usage(
        statistics.median(each.wall for each in usages),
        statistics.median(each.cpu for each in usages),
        statistics.median(each.peak for each in usages),
    )


def interleaved(programs: Mapping[str, Callable[[], Usage]], rounds: int) -> dict[str, Usage]:
    """Medians of `rounds` rounds, each of which runs every program once: what disturbs, disturbs all."""
    found: dict[str, list[Usage]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, program in programs.items():
            found[name].append(program())
    return {name: median(usages) for name, usages in found.items()}
