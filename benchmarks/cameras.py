"""`ivn-provision plan` of 200 Axis cameras side by side against a plain httpx thread pool.

The lab adds a round trip's time to each HTTP request. Both ask each camera the same six things over HTTPS; `plan`
compares the answers with the site files, the others do nothing with them.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import plain_vapix
from benchmarks.camera_lab import CameraLab, cameras_of
from benchmarks.machine import Watch, conditions
from benchmarks.measure import Usage, interleaved, run
from benchmarks.options import Options, main
from benchmarks.report import Aim, Report

NAME = "cameras"
SITES, CAMERAS = 20, 10
ROUNDS = 5
LATENCY = 20
"""Milliseconds added to each request."""

PLAN = "`ivn-provision plan`"
SHARED = "httpx thread pool, one TLS context"
OWN = "httpx thread pool, a TLS context each"


@dataclass(frozen=True, slots=True)
class Figure:
    """Medians of one program over `cameras`; `requests` are those of its last run."""

    cameras: int
    usage: Usage
    requests: int


@dataclass(frozen=True, slots=True)
class Measured:
    """All programs over one lab; `lab_cpu` are the lab's seconds with its start."""

    figures: Mapping[str, Figure]
    lab_cpu: float


def measure(options: Options) -> Report:
    """The report of this benchmark."""
    sites, cameras, rounds = (1, 2, 1) if options.quick else (SITES, CAMERAS, ROUNDS)
    watch = Watch.started()
    found = measured(sites, cameras, rounds)
    text = conditions(["ivn-provision", "httpx"], watch.others(helpers=found.lab_cpu), ())
    base = found.figures[PLAN]
    return Report(
        NAME,
        f"{text} Medians of {rounds} runs each, in turn; {sites} sites with {cameras} cameras each, "
        f"{LATENCY} ms added to each request.",
        (
            "program",
            "cameras",
            "wall s",
            "CPU ms per camera",
            "peak RSS MB",
            "requests per camera",
            "wall ratio",
        ),
        [_row(name, each, base) for name, each in found.figures.items()],
        aims=[
            Aim(f"wall against {SHARED}", 1.5, base.usage.wall / found.figures[SHARED].usage.wall, "times"),
            Aim("requests per camera, with the 401", 7, base.requests / base.cameras, "requests"),
        ],
    )


def measured(sites: int, cameras: int, rounds: int) -> Measured:
    """All programs over a lab of `sites` sites with `cameras` cameras each."""
    with tempfile.TemporaryDirectory(prefix="bench-cameras-") as temporary:
        folder = Path(temporary)
        with cameras_of(sites, cameras, folder, LATENCY) as lab:
            figures = _figures(lab, folder, sites * cameras, rounds)
            return Measured(figures, lab.cpu())


def _figures(lab: CameraLab, folder: Path, cameras: int, rounds: int) -> dict[str, Figure]:
    file = folder / "targets.json"
    file.write_text(json.dumps([dataclasses.asdict(each) for each in lab.targets]), "utf-8")
    peer: list[str | Path] = [sys.executable, str(plain_vapix.__file__), file]
    commands: dict[str, list[str | Path]] = {
        PLAN: [sys.executable, "-m", "ivn_provision", "plan", "--fleet", lab.sites, "--format", "json"],
        SHARED: [*peer, "shared"],
        OWN: [*peer, "own"],
    }
    asked: dict[str, int] = {}

    def once(name: str) -> Usage:
        before = lab.requests()
        usage = run(commands[name], cwd=folder)
        asked[name] = lab.requests() - before
        return usage

    programs: dict[str, Callable[[], Usage]] = {name: partial(once, name) for name in commands}
    usages = interleaved(programs, rounds)
    return {name: Figure(cameras, usages[name], asked[name]) for name in commands}


def _row(name: str, figure: Figure, base: Figure) -> tuple[str, ...]:
    return (
        name,
        f"{figure.cameras:,}",
        f"{figure.usage.wall:.1f}",
        f"{figure.usage.cpu * 1000 / figure.cameras:.0f}",
        f"{figure.usage.peak:.0f}",
        f"{figure.requests / figure.cameras:.1f}",
        f"{figure.usage.wall / base.usage.wall:.2f}",
    )


if __name__ == "__main__":
    main(__doc__, measure)
