"""`ivn-provision validate` of generated 300-line sites: cold, unchanged, one changed, and against other checkers.

The aims: 2 ms CPU per site cold, 0.2 ms when nothing changed since the last run.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import peers
from benchmarks.fleet_files import Fleet, write_fleet
from benchmarks.machine import Watch, conditions
from benchmarks.measure import Usage, interleaved, run
from benchmarks.options import Options, main
from benchmarks.report import Aim, Report

NAME = "validate"
ROUNDS = 3
COLD_MS = 2.0
WARM_MS = 0.2
COLD_RATIO = COLD_MS / 1.2
"""The same aim without the machine in it: it was set where composing with libyaml costs 1.2 ms."""

_CACHE = ".ivn"
_COLD, _FIRST, _WARM, _ONE = "`--no-cache`", "empty cache", "unchanged", "one site changed"
_START = "`--no-cache`, one site only"
_FLOOR = "libyaml composing only (PyYAML's `CSafeLoader`)"
_COMPOSE = """\
import gc, pathlib, sys, yaml
gc.disable()
for path in pathlib.Path(sys.argv[1]).glob("batch-*/*.yml"):
    yaml.compose(path.read_text("utf-8"), Loader=yaml.CSafeLoader)
"""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sites of our own runs, and files that the peers get."""

    fleets: tuple[int, ...] = (1000, 10_000)
    schema_files: int = 100
    playbooks: int = 20
    rounds: int = ROUNDS


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: what was run over how many files."""

    what: str
    files: int
    usage: Usage

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds per file, starting the program included."""
        return self.usage.cpu * 1000 / self.files


QUICK = Sizes(fleets=(20, 40), schema_files=3, playbooks=2, rounds=1)


def measure(options: Options) -> Report:
    """The report of this benchmark."""
    sizes = QUICK if options.quick else Sizes()
    watch = Watch.started()
    with tempfile.TemporaryDirectory(prefix="bench-validate-") as temporary:
        folder = Path(temporary)
        found = peers.install(options.peers or folder / "peers")
        fleets = [
            fleet_figures(write_fleet(folder / f"{count}", count), sizes.rounds) for count in sizes.fleets
        ]
        rows = [_row(each, figures[_COLD]) for figures in fleets for each in figures.values()]
        if not isinstance(found, str):
            rows += peer_rows(found, folder, sizes)
    return Report(
        NAME,
        _conditions(watch.others(), found, sizes),
        ("what", "files", "CPU ms per file", "wall s in all", "peak RSS MB", "CPU ratio"),
        rows,
        [aim for figures in fleets for aim in _aims(figures)],
        [
            _ratio_note(),
            *map(_slopes, fleets),
            *([f"Not measured: {found}."] if isinstance(found, str) else []),
        ],
    )


def fleet_figures(fleet: Fleet, rounds: int) -> dict[str, Figure]:
    """Our own runs over one fleet, and the floor: composing its YAML and nothing else."""
    folder = fleet.folder
    usages = interleaved(
        {
            _COLD: partial(validate, folder, "--no-cache"),
            _START: partial(validate, folder, "--no-cache", fleet.sites[0]),
            _FIRST: partial(_first, folder),
            _WARM: partial(validate, folder),
            _ONE: partial(_one_changed, fleet),
            _FLOOR: partial(run, [sys.executable, "-c", _COMPOSE, folder], cwd=folder),
        },
        rounds,
    )
    return {
        name: Figure(name, 1 if name == _START else len(fleet.sites), usage) for name, usage in usages.items()
    }


def validate(folder: Path, *arguments: str | Path) -> Usage:
    """`ivn-provision validate` in a fleet's folder."""
    return run([sys.executable, "-m", "ivn_provision", "validate", *arguments], cwd=folder)


def _first(folder: Path) -> Usage:
    shutil.rmtree(folder / _CACHE, ignore_errors=True)
    return validate(folder)


def _one_changed(fleet: Fleet) -> Usage:
    with fleet.sites[0].open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    return validate(fleet.folder)


def peer_rows(found: peers.Peers, folder: Path, sizes: Sizes) -> list[tuple[str, ...]]:
    """Each peer over its files, beside ours over as many sites."""
    schema = _as_schema_file(folder)
    plain = write_fleet(folder / "plain", sizes.schema_files)
    for site in plain.sites:
        site.write_text(peers.untagged(site.read_text("utf-8")), "utf-8")
    tagged = write_fleet(folder / "tagged", sizes.schema_files)
    plays = _playbooks(folder / "plays", sizes.playbooks)
    names = [f"{_COLD}, for comparison", "check-jsonschema", f"{_COLD}, for comparison ", "ansible-playbook"]
    usages = interleaved(
        {
            names[0]: partial(validate, tagged.folder, "--no-cache"),
            names[1]: partial(
                run, [found.check_jsonschema, "--schemafile", schema, *plain.sites], cwd=plain.folder
            ),
            names[2]: partial(validate, tagged.folder, "--no-cache", *tagged.sites[: sizes.playbooks]),
            names[3]: partial(
                run,
                [found.ansible_playbook, "-i", "localhost,", "--syntax-check", *plays],
                cwd=folder / "plays",
            ),
        },
        sizes.rounds,
    )
    counts = (sizes.schema_files, sizes.schema_files, sizes.playbooks, sizes.playbooks)
    figures = [Figure(name, count, usages[name]) for name, count in zip(names, counts, strict=True)]
    return [_row(each, figures[index // 2 * 2]) for index, each in enumerate(figures)]


def _as_schema_file(folder: Path) -> Path:
    from ivn_provision.spec.schema_files import schema_text

    path = folder / "site.schema.json"
    path.write_text(schema_text(path.name), "utf-8")
    return path


def _playbooks(folder: Path, count: int) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"play-{number}.yml" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_text(peers.playbook(number), "utf-8")
    return paths


def _row(figure: Figure, base: Figure) -> tuple[str, ...]:
    return (
        figure.what.strip(),
        f"{figure.files:,}",
        f"{figure.cpu_ms:.2f}",
        f"{figure.usage.wall:.1f}",
        f"{figure.usage.peak:.0f}",
        f"{figure.usage.cpu / base.usage.cpu:.2f}",
    )


def _aims(figures: Mapping[str, Figure]) -> list[Aim]:
    files, cold = f"{figures[_COLD].files:,} sites", figures[_COLD].usage.cpu
    return [
        Aim(f"{files} cold, CPU per site", COLD_MS, figures[_COLD].cpu_ms, "ms"),
        Aim(f"{files} unchanged, CPU per site", WARM_MS, figures[_WARM].cpu_ms, "ms"),
        Aim(f"{files} cold, against composing only", COLD_RATIO, cold / figures[_FLOOR].usage.cpu, "times"),
    ]


def _slopes(figures: Mapping[str, Figure]) -> str:
    """What one more site costs, without the start of the program: both from the same rounds."""
    start = figures[_START].usage.cpu
    cold, warm = ((figures[name].usage.cpu - start) * 1000 / figures[name].files for name in (_COLD, _WARM))
    return (
        f"Of {figures[_COLD].files:,} sites, the start of the program takes {start:.2f} s CPU; beside it each site "
        f"costs {cold:.2f} ms CPU cold and {warm:.2f} ms unchanged."
    )


def _conditions(others: float | None, found: peers.Peers | str, sizes: Sizes) -> str:
    packages = ["ivn-provision", "PyYAML", "jsonschema-rs"]
    versions = () if isinstance(found, str) else found.versions
    return f"{conditions(packages, others, versions)} Medians of {sizes.rounds} runs each, in turn."


def _ratio_note() -> str:
    return (
        "CPU ratio: to the `--no-cache` run over as many sites, above it. All figures contain the start of the "
        "program; the peers get as many files as their row says in one call."
    )


if __name__ == "__main__":
    main(__doc__, measure)
