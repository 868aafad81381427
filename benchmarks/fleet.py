"""`ivn-provision plan` of a fleet's recorders against ansible-core and a plain pywinrm thread pool.

The lab adds a round trip's time to each HTTP request. All three read the same recorders; `plan` reads the whole
recorder and compares it with its site file, the others read ten facts.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import ansible_raw, peers, plain_pywinrm
from benchmarks.lab_server import RunningLab, Traffic, lab_of
from benchmarks.machine import Watch, conditions
from benchmarks.measure import Usage, interleaved, run
from benchmarks.nvr_side import write_nvr_side
from benchmarks.options import Options, main
from benchmarks.peers import Peers
from benchmarks.report import Aim, Report

NAME = "fleet"
SIZES = (200, 1000)
LARGE = (500, 5000)
"""Recorders of the lab, and sites of the fleet over them."""
ROUNDS = 3
LATENCY = 50
"""Milliseconds added to each request."""

PLAN, ANSIBLE, PYWINRM = "`ivn-provision plan`", "ansible-core, ten `raw` tasks", "pywinrm thread pool"


@dataclass(frozen=True, slots=True)
class Figure:
    """Medians of one program over `sites` sites; `traffic` is that of its last run."""

    what: str
    sites: int
    usage: Usage
    traffic: Traffic

    @property
    def cpu_ms(self) -> float:
        """CPU per site."""
        return self.usage.cpu * 1000 / self.sites


@dataclass(frozen=True, slots=True)
class Measured:
    """All programs over one lab; `lab_cpu` are the lab's seconds with its start."""

    figures: Mapping[str, Figure]
    lab_cpu: float


def measure(options: Options) -> Report:
    """The report of this benchmark."""
    sizes, large = ((2,), (2, 4)) if options.quick else (SIZES, LARGE)
    rounds = 1 if options.quick else ROUNDS
    with ExitStack() as stack:
        folder = options.peers or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-peers-"))
        )
        others = peers.install(folder)
        watch = Watch.started()
        found = [measured(count, rounds, others) for count in sizes]
        memory = plan_of_many(*large)
        busy = watch.others(helpers=sum(each.lab_cpu for each in [*found, memory]))
    versions = others.versions if isinstance(others, Peers) else ()
    text = conditions(["ivn-provision", "requests", "pyspnego"], busy, versions)
    return Report(
        NAME,
        f"{text} Medians of {rounds} runs each, in turn; {LATENCY} ms added to each request.",
        (
            "program",
            "sites",
            "wall s",
            "CPU ms per site",
            "peak RSS MB",
            "HTTP requests per site",
            "NTLM handshakes per site",
            "wall ratio",
            "CPU ratio",
        ),
        [_row(each, one.figures[PLAN]) for one in [*found, memory] for each in one.figures.values()],
        aims=[aim for one in found for aim in _aims(one.figures)] + [_memory_aim(memory.figures[PLAN])],
        notes=[] if isinstance(others, Peers) else [f"ansible-core is left out: {others}."],
    )


def measured(count: int, rounds: int, others: Peers | str) -> Measured:
    """All programs over a lab of `count` recorders."""
    with tempfile.TemporaryDirectory(prefix="bench-fleet-") as temporary:
        folder = Path(temporary)
        with lab_of(count, folder, latency=LATENCY) as lab:
            write_nvr_side(lab.sites, folder / "fleet")
            commands = {PLAN: _plan(folder / "fleet"), **_peers(lab, folder, others)}
            _plan_of(folder, commands[PLAN])  # the lab's first reading of each recorder makes its files
            return Measured(_figures(lab, folder, commands, count, rounds), lab.cpu())


def plan_of_many(recorders: int, sites: int) -> Measured:
    """One plan of more sites than the lab has recorders: some sites share one, as behind a tunnel."""
    with tempfile.TemporaryDirectory(prefix="bench-fleet-") as temporary:
        folder = Path(temporary)
        with lab_of(recorders, folder, latency=LATENCY) as lab:
            write_nvr_side(lab.sites, folder / "fleet", count=sites)
            figures = _figures(lab, folder, {PLAN: _plan(folder / "fleet")}, sites, rounds=1)
            return Measured(figures, lab.cpu())


def _plan(fleet: Path) -> list[str | Path]:
    return [sys.executable, "-m", "ivn_provision", "plan", "--fleet", fleet, "--format", "json"]


def _peers(lab: RunningLab, folder: Path, others: Peers | str) -> dict[str, list[str | Path]]:
    targets = lab.targets()
    file = folder / "targets.json"
    file.write_text(json.dumps([dataclasses.asdict(each) for each in targets]), "utf-8")
    found: dict[str, list[str | Path]] = {PYWINRM: [sys.executable, plain_pywinrm.__file__, file]}
    if isinstance(others, Peers):
        found[ANSIBLE] = [others.ansible_playbook, *ansible_raw.write_play(folder, targets)]
    return found


def _plan_of(folder: Path, command: list[str | Path]) -> None:
    run(command, cwd=folder)


def _figures(
    lab: RunningLab, folder: Path, commands: Mapping[str, list[str | Path]], count: int, rounds: int
) -> dict[str, Figure]:
    traffic: dict[str, Traffic] = {}

    def once(name: str) -> Usage:
        before = lab.traffic()
        usage = run(commands[name], cwd=folder)
        traffic[name] = lab.traffic() - before
        return usage

    programs: dict[str, Callable[[], Usage]] = {name: partial(once, name) for name in commands}
    usages = interleaved(programs, rounds)
    return {name: Figure(name, count, usages[name], traffic[name]) for name in commands}


def _row(figure: Figure, base: Figure) -> tuple[str, ...]:
    return (
        figure.what,
        f"{figure.sites:,}",
        f"{figure.usage.wall:.1f}",
        f"{figure.cpu_ms:.0f}",
        f"{figure.usage.peak:.0f}",
        f"{figure.traffic.requests / figure.sites:.1f}",
        f"{figure.traffic.handshakes / figure.sites:.1f}",
        f"{figure.usage.wall / base.usage.wall:.2f}",
        f"{figure.usage.cpu / base.usage.cpu:.2f}",
    )


def _aims(figures: Mapping[str, Figure]) -> list[Aim]:
    """Against ansible-core as shares of it, so that less is better everywhere."""
    ours = figures[PLAN]
    found = [
        Aim(f"{ours.sites:,} sites, {what} against {PYWINRM}", 1.3, value, "times")
        for what, value in _ratios(ours, figures[PYWINRM])
    ]
    if ANSIBLE in figures:
        shares = dict(_ratios(ours, figures[ANSIBLE]))
        found += [
            Aim(
                f"{ours.sites:,} sites, CPU as a share of ansible-core's", 100 / 25, shares["CPU"] * 100, "%"
            ),
            Aim(
                f"{ours.sites:,} sites, wall as a share of ansible-core's",
                100 / 12,
                shares["wall"] * 100,
                "%",
            ),
        ]
    return found


def _ratios(ours: Figure, peer: Figure) -> tuple[tuple[str, float], ...]:
    return (("wall", ours.usage.wall / peer.usage.wall), ("CPU", ours.usage.cpu / peer.usage.cpu))


def _memory_aim(figure: Figure) -> Aim:
    return Aim(f"{figure.sites:,} sites, peak memory", 300, figure.usage.peak, "MB")


if __name__ == "__main__":
    main(__doc__, measure)
