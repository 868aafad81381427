"""How a recorder keeps its configuration: what the services read from it, and what a person's save does to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from ivn_provision.errors import LabError
from ivn_provision.lab.nvr.access import Access
from ivn_provision.lab.nvr.config_active import ActiveConfiguration
from ivn_provision.lab.nvr.product_logs import ADMIN_LOG, log_line
from ivn_provision.lab.nvr.tree import WindowsTree

FOLDER = r"C:\ProgramData\Milestone\Milestone Surveillance"
RESTORE_POINTS = rf"{FOLDER}\RestorePoints"
_MOST_RESTORE_POINTS = 10
ACTIONS = ("add", "change", "remove", "save", "restore")


@dataclass(frozen=True, slots=True)
class Edit:
    """One thing that a person does in the Management Application before the save.

    `save` changes nothing. `restore` puts the settings of `kind` back as they were at the last `save`.
    """

    action: str
    kind: str = ""
    key: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


class Store(Protocol):
    """The configuration of one recorder, in files."""

    @property
    def files(self) -> Sequence[str]:
        """Windows paths of every configuration file, the main one first."""

    def install(self, event_port: int) -> None:
        """Write the files that are missing, as a technician leaves them after the wizard."""

    def load(self) -> ActiveConfiguration:
        """What the Recording Server takes at its start. Raises Unreadable, OSError."""

    def access(self, computer: str) -> Access:
        """What the Image Server takes at its start. Raises Unreadable, OSError."""

    def edit(self, edit: Edit, now: datetime) -> Sequence[str]:
        """Do it and save; the services to restart, in the order of stopping. Raises LabError."""

    def touch(self, now: datetime) -> None:
        """The product changes something of its own, unasked."""


def check_action(edit: Edit) -> None:
    """Raises LabError for an action that does not exist."""
    if edit.action not in ACTIONS:
        raise LabError(f"{edit.action!r} is no action", next_step=f"actions: {', '.join(ACTIONS)}")


def restore_point(tree: WindowsTree, files: Sequence[str], now: datetime) -> None:
    """Copies of all files in a new folder, as every save makes them; the oldest folders go."""
    root = tree.locate(RESTORE_POINTS)
    root.mkdir(parents=True, exist_ok=True)
    folder = root / f"{now:%Y%m%d-%H%M%S}-{now.microsecond:06d}"
    folder.mkdir(exist_ok=True)
    for path in files:
        place = tree.locate(path)
        if place.is_file():
            (folder / place.name).write_bytes(place.read_bytes())
    for old in sorted(each for each in root.iterdir() if each.is_dir())[:-_MOST_RESTORE_POINTS]:
        for file in old.iterdir():
            file.unlink()
        old.rmdir()


def admin_line(tree: WindowsTree, edit: Edit, now: datetime) -> None:
    """The Management Application's own log."""
    what = " ".join(word for word in (edit.action, edit.kind, edit.key) if word)
    log_line(tree, ADMIN_LOG, now, f"Configuration saved ({what})")
