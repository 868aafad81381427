"""The options that every command which writes has in common, and the Guards that they make."""

from __future__ import annotations

import getpass
import os
import re
import socket
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ivn_provision.errors import UsageProblem

if TYPE_CHECKING:
    from ivn_provision.run.accepting import Acceptance
    from ivn_provision.run.attestation_files import HasFile
    from ivn_provision.run.guards import Guards
    from ivn_provision.run.saved_plan import SavedPlan
    from ivn_provision.run.state import StateFolder
    from ivn_provision.spec.site import Site

Command = TypeVar("Command", bound=Callable[..., Any])
OVERRIDES = ("window", "armed", "incident", "lease")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SHORTEST, _LONGEST = 60, 86400
SHORTEST_KEY = 32
_OWNER = re.compile(r"[^A-Za-z0-9._@+-]")


def guard_options(command: Command) -> Command:
    """`--confirm-within --hold --on-failure --allow --override`, gathered under `guarding`."""
    for option in (
        click.option(
            "--confirm-within",
            metavar="DURATION",
            help="Arm the recorder: it puts the earlier state back after DURATION (10m), unless this run ends well before.",
        ),
        click.option(
            "--hold",
            is_flag=True,
            help="With --confirm-within: leave it armed after the proof, until `ivn-provision confirm SITE`.",
        ),
        click.option(
            "--on-failure",
            type=click.Choice(["rollback", "stop"]),
            default="rollback",
            show_default=True,
            help="What becomes of a site whose change fails half-way.",
        ),
        click.option(
            "--allow", multiple=True, metavar="KIND=N", help="Pass a limit, with exactly the number found."
        ),
        click.option(
            "--override",
            type=click.Choice(OVERRIDES),
            multiple=True,
            help="Write in spite of the maintenance window, the alarm state, or an expired lease. It is logged.",
        ),
    )[::-1]:
        command = option(command)
    return command


def select_options(command: Command) -> Command:
    """`--target GLOB --exclude GLOB`."""
    for option in (
        click.option("--target", "targets", multiple=True, metavar="GLOB", help="Only these addresses."),
        click.option("--exclude", "excludes", multiple=True, metavar="GLOB", help="Not these addresses."),
    )[::-1]:
        command = option(command)
    return command


def seconds_of(text: str | None, option: str) -> int:
    """`90s`, `10m`, `2h`, `1d` as seconds; 0 for None. Raises UsageProblem."""
    if text is None:
        return 0
    found = re.fullmatch(r"([1-9][0-9]{0,5})([smhd])", text.strip())
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not _SHORTEST <= seconds <= _LONGEST * 30:
        raise UsageProblem(f"{option} {text}: not a duration from 60s to 30d", next_step="Write it like 10m.")
    return seconds


def state_folder() -> StateFolder:
    """`.ivn` of the working directory; its key may come from the environment, where machines share it."""
    from ivn_provision.run.state import StateFolder

    key = os.fsencode(os.environ.get("IVN_PROVISION_KEY", ""))
    if key and len(key) < SHORTEST_KEY:
        raise UsageProblem(
            f"IVN_PROVISION_KEY is shorter than {SHORTEST_KEY} characters: what it seals could be guessed",
            next_step="Make one with `openssl rand -hex 32`, and give it to all machines that share plans or journals.",
        )
    return StateFolder(Path(".ivn"), key)


def utc_now() -> datetime:
    return datetime.now(UTC)


def owner() -> str:
    """`user@host`, for leases and journals."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid{os.getuid()}"
    return _OWNER.sub("_", f"{user}@{socket.gethostname()}")[:100]


def guards_of(
    sites: Sequence[HasFile],
    *,
    command: str,
    stopping: Callable[[], bool],
    confirm_within: str | None = None,
    hold: bool = False,
    on_failure: str = "rollback",
    allow: Sequence[str] = (),
    override: Sequence[str] = (),
    targets: Sequence[str] = (),
    excludes: Sequence[str] = (),
    saved: SavedPlan | None = None,
    accept: Callable[[Site], Acceptance] | None = None,
) -> Guards:
    """The guards of a run. Raises UsageProblem."""
    from ivn_provision.plan.limits import parse_allowances
    from ivn_provision.run.guards import Guards, OnFailure
    from ivn_provision.run.revision import revision_of

    seconds = seconds_of(confirm_within, "--confirm-within")
    if seconds > _LONGEST:
        raise UsageProblem("--confirm-within is longer than a day", next_step="Give at most 24h.")
    if hold and not seconds:
        raise UsageProblem("--hold needs --confirm-within", next_step="Add --confirm-within 10m.")
    folder = Path(sites[0].path).parent if sites else Path()
    revision, dirty = revision_of(folder)
    return Guards(
        state=state_folder(),
        owner=owner(),
        command=command,
        revision=revision,
        dirty=dirty,
        confirm_within=seconds,
        hold=hold,
        on_failure=OnFailure(on_failure),
        allowances=parse_allowances(allow),
        overrides=frozenset(override),
        targets=tuple(targets),
        excludes=tuple(excludes),
        saved=saved,
        fleet_size=fleet_size(folder),
        stopping=stopping,
        accept=accept,
    )


def fleet_size(folder: Path) -> int:
    """How many site files the fleet has, for the share that a run may touch."""
    from ivn_provision.spec.discovery import discover, fleet_root

    return len(discover([fleet_root(str(folder))]).sites)
