"""What the figures were measured on, and whether anything else ran meanwhile."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

BUSY = 0.1
"""Share of the machine that others may use before figures are marked."""


def conditions(packages: Sequence[str], others: float | None, extra: Sequence[str] = ()) -> str:
    """Date, machine, versions and how busy the machine was with other things, in one paragraph."""
    versions = [f"Python {platform.python_version()}", *map(_version, packages), *extra]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {_processor()}, {os.cpu_count()} logical cores, "
        f"{memory:.0f} GB, Linux {platform.release().partition('-')[0]}; {', '.join(versions)}. {_busy(others)}"
    )


@dataclass(slots=True)
class Watch:
    """How much of the machine others used since it was made."""

    _all: tuple[float, float] | None
    _own: float

    @classmethod
    def started(cls) -> Watch:
        return cls(_machine_seconds(), _own_seconds())

    def others(self, helpers: float = 0.0) -> float | None:
        """Share of all cores (0 to 1) used neither by us nor by `helpers` (CPU seconds); None if unknown."""
        now = _machine_seconds()
        if self._all is None or now is None:
            return None
        busy, passed = now[0] - self._all[0], now[1] - self._all[1]
        own = _own_seconds() - self._own + helpers
        return min(max((busy - own) / passed, 0.0), 1.0) if passed > 0 else None


def process_seconds(pid: int) -> float:
    """CPU seconds of a running process that is not ours."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _busy(others: float | None) -> str:
    if others is None:
        return "How busy the machine was otherwise is not known."
    if others > BUSY:
        return (
            f"**The machine was busy**: other programs used {others:.0%} of it meanwhile, so times are too long "
            "and only the ratios tell something."
        )
    return f"Other programs used {others:.0%} of the machine meanwhile."


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"{package} (not installed)"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _machine_seconds() -> tuple[float, float] | None:
    """Busy (stolen time too) and all CPU seconds of the machine since it started, over all cores."""
    try:
        first = Path("/proc/stat").read_text("utf-8").split("\n", 1)[0]
    except OSError:
        return None
    ticks = [int(part) for part in first.split()[1:9]]
    idle = ticks[3] + ticks[4]
    rate = os.sysconf("SC_CLK_TCK")
    return (sum(ticks) - idle) / rate, sum(ticks) / rate


def _own_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
