"""`ivn-provision --help` against a bare click application with the same lazy commands.

The aim: at most 1.3 times. Processes run in turn, so that what disturbs one disturbs all.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from benchmarks.machine import Watch, conditions
from benchmarks.measure import Usage, interleaved, run
from benchmarks.options import Options, main
from benchmarks.report import Aim, Report
from ivn_provision.cli.main import COMMANDS

NAME = "startup"
ROUNDS = 40
LIMIT = 1.3

_OURS = "`ivn-provision --help`"
_BARE = "bare lazy click application"
_PYTHON = "`python -c pass`"

_BARE_MODULE = '''\
import importlib
import sys

import click

COMMANDS = {commands!r}


class LazyGroup(click.Group):
    def list_commands(self, ctx):
        return list(COMMANDS)

    def get_command(self, ctx, cmd_name):
        return importlib.import_module(COMMANDS[cmd_name][0]).command

    def format_commands(self, ctx, formatter):
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup)
@click.version_option("1.0", prog_name="bare")
def cli():
    """A bare application."""


def main():
    sys.exit(cli())
'''
_SCRIPT = "import sys\nfrom {module} import main\nsys.exit(main())\n"


def measure(options: Options) -> Report:
    """The report of this benchmark."""
    rounds = 2 if options.quick else ROUNDS
    watch = Watch.started()
    with tempfile.TemporaryDirectory(prefix="bench-startup-") as folder:
        found = interleaved(programs(Path(folder)), rounds)
    ours, bare = found[_OURS], found[_BARE]
    return Report(
        NAME,
        f"{conditions(['ivn-provision', 'click'], watch.others())} Medians of {rounds} runs each, in turn.",
        ("program", "wall ms", "CPU ms", "wall ratio", "CPU ratio"),
        [_row(name, usage, bare) for name, usage in found.items()],
        [Aim("`--help` against the bare application, wall", LIMIT, ours.wall / bare.wall, "times")],
    )


def programs(folder: Path) -> Mapping[str, partial[Usage]]:
    """What is run. Both applications start from a script of the form that pip writes."""
    (folder / "bare_application.py").write_text(_BARE_MODULE.format(commands=dict(COMMANDS)), "utf-8")
    ours = _script(folder / "ours.py", "ivn_provision.cli.main")
    bare = _script(folder / "bare.py", "bare_application")
    return {
        _OURS: partial(run, [sys.executable, ours, "--help"], cwd=folder),
        _BARE: partial(run, [sys.executable, bare, "--help"], cwd=folder),
        _PYTHON: partial(run, [sys.executable, "-c", "pass"], cwd=folder),
    }


def _script(path: Path, module: str) -> Path:
    path.write_text(_SCRIPT.format(module=module), "utf-8")
    return path


def _row(name: str, usage: Usage, bare: Usage) -> tuple[str, ...]:
    return (
        name,
        f"{usage.wall * 1000:.0f}",
        f"{usage.cpu * 1000:.0f}",
        f"{usage.wall / bare.wall:.2f}",
        f"{usage.cpu / bare.cpu:.2f}",
    )


if __name__ == "__main__":
    main(__doc__, measure)
