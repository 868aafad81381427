"""Inputs are tripped by a person or through their cameras: the options, and how the person is told."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ivn_provision.errors import UsageProblem

if TYPE_CHECKING:
    from ivn_provision.run.triggers import Ask
    from ivn_provision.verify.acceptance.shots import Shot

CAMERAS = "cameras"
_WAYS = ["skip", "ask", "wait", CAMERAS, f"{CAMERAS},ask", f"{CAMERAS},wait"]
Command = TypeVar("Command", bound=Callable[..., Any])


def hardware_options(command: Command) -> Command:
    """`--hardware skip|ask|wait|cameras|cameras,ask|cameras,wait --hardware-wait DURATION`."""
    for option in (
        click.option(
            "--hardware",
            type=click.Choice(_WAYS),
            default="skip",
            show_default=True,
            help="Who trips inputs: a person (`ask` at the terminal, or `wait` for each without asking), or `cameras`: "
            "those with an axis section trip theirs by themselves, and their own rules mail as well.",
        ),
        click.option(
            "--hardware-wait",
            metavar="DURATION",
            default="2m",
            show_default=True,
            help="How long a person may take for each input (at least 60s).",
        ),
    )[::-1]:
        command = option(command)
    return command


def by_cameras(hardware: str) -> bool:
    """Do cameras trip their inputs?"""
    return CAMERAS in hardware.split(",")


def by_person(hardware: str) -> str:
    """`ask` or `wait`; "skip" for nobody."""
    return hardware.rsplit(",", maxsplit=1)[-1].replace(CAMERAS, "skip")


def ask_of(hardware: str, seconds: float = 120.0, stopping: Callable[[], bool] = lambda: False) -> Ask | None:
    """How a person is asked; None for nobody. Raises UsageProblem where nobody can be asked.

    An answer is waited for so long, or until `stopping`: the test window does not wait for ever either.
    """
    hardware = by_person(hardware)
    if hardware == "skip":
        return None
    if hardware == "ask" and not sys.stdin.isatty():
        raise UsageProblem(
            "--hardware ask asks at a terminal, and there is none",
            next_step="Give --hardware wait, and trip each input when its line appears.",
        )

    def ask(shot: Shot) -> None:
        where = f"input {shot.input} of {shot.device}" if shot.device else "its input"
        label = f" ({shot.label})" if shot.label else ""
        text = f"Trip {shot.name}{label} now: {where}, camera {shot.camera}"
        if hardware == "ask":
            click.echo(f"{text}; press Enter when it is done", err=True)
            _wait_for_enter(seconds, stopping)
        else:
            click.echo(text, err=True)

    return ask


def _wait_for_enter(seconds: float, stopping: Callable[[], bool]) -> None:
    """Windows cannot wait so for a terminal: there the mail itself says that it is done."""
    if os.name == "nt":
        return
    end = time.monotonic() + seconds
    while time.monotonic() < end and not stopping():
        ready, _, _ = select.select([sys.stdin], [], [], 0.2)
        if ready:
            sys.stdin.readline()
            return
