"""`--base REV`: the git revision that was live, which tells a change by hand from one that is not applied yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ivn_provision.cli.choosing import Choice

if TYPE_CHECKING:
    from ivn_provision.run.fleet.bases import Bases

Command = TypeVar("Command", bound=Callable[..., Any])

base_option = click.option(
    "--base",
    metavar="REV",
    help="The git revision that was live, or `applied` for that of each site's last apply: tells apart what was "
    "changed by hand from what is not applied yet.",
)


@contextmanager
def bases_of(choice: Choice, base: str) -> Iterator[Bases]:
    """As long as the block lasts. Raises PlanError for a revision that is none."""
    from ivn_provision.cli.guarding import state_folder
    from ivn_provision.cli.shared import resolve_secret
    from ivn_provision.run.fleet.bases import APPLIED, Bases, applied, fixed
    from ivn_provision.run.journal import runs_of

    last = applied(runs_of(state_folder())) if base == APPLIED else {}
    revision = fixed(base) if base != APPLIED else lambda name: last.get(name, "")
    bases = Bases(choice.folder, revision, resolve_secret)
    try:
        if base != APPLIED:
            bases.check(base)  # a wrong name is one error, not one of every site
        yield bases
    finally:
        bases.close()
