"""`ivn-provision plan` of lab sites against a plain pywinrm thread pool that reads facts from the same hosts.

The lab runs in another process on the same cores. `plan` also reads the portal, and compares everything.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import plain_pywinrm
from benchmarks.lab_server import RunningLab, lab_of
from benchmarks.machine import Watch, conditions
from benchmarks.measure import Usage, interleaved, run
from benchmarks.options import Options, main
from benchmarks.report import Report

NAME = "plan"
SIZES = (50, 200)
ROUNDS = 3
NEEDS_A_PERSON = 4

_PLAN, _FACTS = "`ivn-provision plan`", "pywinrm thread pool, facts only"


@dataclass(frozen=True, slots=True)
class Figure:
    """Medians of one program over `sites` sites; `posts` and `handshakes` are per site and run."""

    what: str
    sites: int
    usage: Usage
    posts: float
    handshakes: float


@dataclass(frozen=True, slots=True)
class Measured:
    """CPU seconds of the lab: `serving` what is measured, and `lab_cpu` with its start."""

    figures: tuple[Figure, ...]
    serving: float
    lab_cpu: float


def measure(options: Options) -> Report:
    """The report of this benchmark."""
    sizes = (2,) if options.quick else SIZES
    rounds = 1 if options.quick else ROUNDS
    watch = Watch.started()
    found = [measured(count, rounds) for count in sizes]
    others = watch.others(helpers=sum(each.lab_cpu for each in found))
    runs = f"Medians of {rounds} runs each, in turn, after one that does not count."
    return Report(
        NAME,
        f"{conditions(['ivn-provision', 'pywinrm', 'requests', 'httpx'], others)} {runs}",
        (
            "program",
            "sites",
            "wall s",
            "CPU ms per site",
            "peak RSS MB",
            "WS-Man posts per site",
            "NTLM handshakes per site",
            "wall ratio",
            "CPU ratio",
        ),
        [_row(each, one.figures[-1]) for one in found for each in one.figures],
        notes=[_lab_note(found, rounds)],
    )


def measured(count: int, rounds: int) -> Measured:
    """Both programs over a lab of `count` sites."""
    with tempfile.TemporaryDirectory(prefix="bench-plan-") as temporary:
        folder = Path(temporary)
        with lab_of(count, folder) as lab:
            before = lab.cpu()
            figures = _figures(lab, folder, count, rounds)
            after = lab.cpu()
            return Measured(figures, after - before, after)


def _figures(lab: RunningLab, folder: Path, count: int, rounds: int) -> tuple[Figure, ...]:
    targets = folder / "targets.json"
    targets.write_text(json.dumps([dataclasses.asdict(each) for each in lab.targets()]), "utf-8")
    plan: list[str | Path] = [
        sys.executable,
        "-m",
        "ivn_provision",
        "plan",
        "--fleet",
        lab.sites,
        "--format",
        "json",
    ]
    facts: list[str | Path] = [sys.executable, plain_pywinrm.__file__, targets]
    programs = {
        _PLAN: partial(run, plan, cwd=folder, allowed=(0, NEEDS_A_PERSON)),
        _FACTS: partial(run, facts, cwd=folder),
    }
    traffic = {name: _traffic(lab, program, count) for name, program in programs.items()}
    usages = interleaved(programs, rounds)
    return tuple(Figure(name, count, usages[name], *traffic[name]) for name in programs)


def _traffic(lab: RunningLab, program: partial[Usage], count: int) -> tuple[float, float]:
    """WS-Man posts and NTLM handshakes per site of one run, which also warms the lab up."""
    before = lab.traffic()
    program()
    after = lab.traffic()
    return (after.posts - before.posts) / count, (after.handshakes - before.handshakes) / count


def _row(figure: Figure, base: Figure) -> tuple[str, ...]:
    return (
        figure.what,
        str(figure.sites),
        f"{figure.usage.wall:.1f}",
        f"{figure.usage.cpu * 1000 / figure.sites:.0f}",
        f"{figure.usage.peak:.0f}",
        f"{figure.posts:.1f}",
        f"{figure.handshakes:.1f}",
        f"{figure.usage.wall / base.usage.wall:.2f}",
        f"{figure.usage.cpu / base.usage.cpu:.2f}",
    )


def _lab_note(found: list[Measured], rounds: int) -> str:
    served = sum(each.figures[0].sites * len(each.figures) * (rounds + 1) for each in found)
    used = sum(each.serving for each in found) * 1000 / served
    return f"The lab's own process used {used:.0f} ms CPU for each site that it served, on the same cores."


if __name__ == "__main__":
    main(__doc__, measure)
