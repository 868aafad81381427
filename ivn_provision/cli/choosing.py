"""Which sites a command is about: `[SITE]... --fleet DIR --sites SELECTOR --changed-since REV`, the same everywhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ivn_provision.cli.numbers import RealRange
from ivn_provision.errors import SpecError, UsageProblem
from ivn_provision.run.fleet.limits import STANDARD, FleetLimits

if TYPE_CHECKING:
    from ivn_provision.run.fleet.loading import FleetFiles
    from ivn_provision.run.fleet.refs import SiteRef
    from ivn_provision.spec.site import Site

Command = TypeVar("Command", bound=Callable[..., Any])

fleet_option = click.option(
    "--fleet",
    "folder",
    default="sites",
    show_default=True,
    type=click.Path(path_type=Path),
    help="The folder of the fleet.",
)


@dataclass(frozen=True, slots=True)
class Choice:
    """What the command line says of the sites that are meant. `names` may be globs; `limits` are for all of them."""

    folder: Path
    names: tuple[str, ...] = ()
    selectors: tuple[str, ...] = ()
    changed_since: str = ""
    limits: FleetLimits = STANDARD

    @property
    def is_all(self) -> bool:
        """Is the whole fleet meant?"""
        return not (self.names or self.selectors or self.changed_since)

    def text(self) -> str:
        """As a person would say it; "" for all."""
        parts = [*self.names, *(f"--sites {each}" for each in self.selectors)]
        return " ".join([*parts, f"--changed-since {self.changed_since}"] if self.changed_since else parts)


def choose_sites(command: Command) -> Command:
    """Add the argument and the options; the command gets them as `choice`."""

    @wraps(command)
    def chosen(
        *,
        names: tuple[str, ...],
        folder: Path,
        selectors: tuple[str, ...],
        changed_since: str,
        workers: int,
        per_network: int,
        portal_rate: float,
        **rest: Any,
    ) -> Any:
        limits = FleetLimits(workers, per_network, STANDARD.per_portal, portal_rate)
        return command(choice=Choice(folder, names, selectors, changed_since, limits), **rest)

    made: Any = chosen
    for option in (
        click.argument("names", nargs=-1, metavar="[SITE]..."),
        fleet_option,
        click.option(
            "--sites",
            "selectors",
            multiple=True,
            metavar="SELECTOR",
            help="Only these: region=east,!maintenance (labels, groups, name globs; all must hold).",
        ),
        click.option(
            "--changed-since",
            default="",
            metavar="REV",
            help="Only those that a change of the files since a git revision concerns.",
        ),
        click.option(
            "--workers",
            default=STANDARD.workers,
            show_default=True,
            type=click.IntRange(1, 256),
            help="Sites at a time.",
        ),
        click.option(
            "--per-network",
            default=STANDARD.per_network,
            show_default=True,
            type=click.IntRange(1, 256),
            help="Of them so many in one network segment.",
        ),
        click.option(
            "--portal-rate",
            default=STANDARD.portal_per_second,
            show_default=True,
            type=RealRange(0.1, 10_000),
            help="Requests to one portal in a second.",
        ),
    )[::-1]:
        made = option(made)
    return made  # type: ignore[no-any-return]


def refs_of(choice: Choice, files: FleetFiles) -> tuple[SiteRef, ...]:
    """The sites that are meant, none of them loaded; none at all only with --changed-since. Raises UsageProblem."""
    from ivn_provision.run.fleet.selection import parse_selector

    for text in choice.selectors:
        if os.path.isdir(text):
            raise UsageProblem(
                f"--sites {text} is a folder", next_step=f"The folder of the fleet is --fleet {text}."
            )
    refs = files.chosen(choice.names, [parse_selector(each) for each in choice.selectors])
    if choice.changed_since and refs:
        return _changed(choice, files, refs)
    if not refs:
        raise UsageProblem(f"there is no site in {choice.folder}", next_step="Name the folder with --fleet.")
    return refs


def _changed(choice: Choice, files: FleetFiles, refs: tuple[SiteRef, ...]) -> tuple[SiteRef, ...]:
    """Of these sites those that changed; no site is no error: a change may concern none."""
    from ivn_provision.run.fleet.changed import changed_sites

    found = changed_sites(choice.folder, choice.changed_since, files, refs)
    if found.removed:
        what = f"{', '.join(found.removed)}: the file is gone, and the site is left as it is"
        click.echo(f"note: {what}", err=True)
    if not found.sites:
        click.echo(f"No site changed since {choice.changed_since}.", err=True)
    return found.sites


def fleet_files(choice: Choice) -> FleetFiles:
    """The files of the fleet. Raises UsageProblem if there is no such folder."""
    from ivn_provision.run.fleet.loading import FleetFiles

    return FleetFiles(choice.folder)


def load_sites(choice: Choice) -> tuple[Site, ...]:
    """The sites that are meant, all in memory. Raises SpecError if one of them has errors.

    Of the whole fleet, also if something between its sites has.
    """
    files = fleet_files(choice)
    refs = refs_of(choice, files)
    if not refs:
        raise SystemExit(0)
    if not choice.is_all:
        return tuple(files.load(ref) for ref in refs)
    from ivn_provision.spec.fleet import load_fleet

    fleet = load_fleet([choice.folder])
    if fleet.has_errors:
        raise SpecError(fleet.diagnostics, next_step="Correct them; nothing was read or changed.")
    return tuple(each.site for each in fleet.sites if each.site is not None)


def load_named(choice: Choice) -> tuple[Site, ...]:
    """The same for a command that must never be about all sites because nobody said which. Raises UsageProblem."""
    if choice.is_all:
        raise UsageProblem("no site is named", next_step="Name sites, or select them with --sites.")
    return load_sites(choice)
