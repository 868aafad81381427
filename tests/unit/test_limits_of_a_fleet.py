"""`--workers --per-network --portal-rate`: what the command line says is what a run keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from ivn_provision.cli.choosing import Choice, choose_sites
from ivn_provision.run.fleet.limits import STANDARD, FleetLimits
from ivn_provision.run.fleet.refs import SiteRef
from ivn_provision.run.fleet.runners import Threads


def chosen(*arguments: str) -> tuple[int, Choice | None]:
    found: list[Choice] = []

    @click.command()
    @choose_sites
    def command(*, choice: Choice) -> None:
        found.append(choice)

    ran = CliRunner().invoke(command, arguments)
    return ran.exit_code, found[0] if found else None


@pytest.mark.parametrize(
    ("arguments", "limits"),
    [
        ((), STANDARD),
        (("--workers", "4"), FleetLimits(4, 8, 8, 50.0)),
        (("--per-network", "2", "--portal-rate", "0.5"), FleetLimits(32, 2, 8, 0.5)),
    ],
)
def test_limits_as_asked(arguments: tuple[str, ...], limits: FleetLimits) -> None:
    code, choice = chosen(*arguments)
    assert code == 0
    assert choice == Choice(Path("sites"), limits=limits)


@pytest.mark.parametrize("option", ["--workers", "--per-network", "--portal-rate"])
@pytest.mark.parametrize("value", ["0", "-1", "many", "nan", "1e9"])
def test_what_is_no_limit(option: str, value: str) -> None:
    assert chosen(option, value) == (2, None)


def test_no_more_workers_than_asked() -> None:
    import threading

    lock, now, most = threading.Lock(), 0, 0

    def work(_: SiteRef) -> Any:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        threading.Event().wait(0.01)
        with lock:
            now -= 1

    refs = [SiteRef(f"s{number}", f"s{number}.yml", ".") for number in range(40)]
    assert len(list(Threads(limits=FleetLimits(3)).run(work, refs))) == 40
    assert most == 3
