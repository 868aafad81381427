"""Progress of a run: a live line on a terminal (rich), plain lines elsewhere. All of it goes to stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar

import click

from ivn_provision.run.events import Event, Observer, Step


@contextmanager
def progress(total: int, *, live: bool = True) -> Iterator[Observer]:
    """An observer for a run over `total` sites. Writes to stderr only."""
    if not (live and sys.stderr.isatty()) or os.environ.get("TERM") == "dumb":
        yield PlainLines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    console = Console(stderr=True, no_color="NO_COLOR" in os.environ)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        yield _Bar(bar, total)


class PlainLines:
    """A line for each thing that changes a site; readings are not worth one."""

    _words: ClassVar[Mapping[Step, str]] = {
        Step.WRITING: "writing",
        Step.WRITTEN: "written",
        Step.PROVING: "reading again, for the proof",
        Step.REVERTING: "putting back what was written",
        Step.FIRING: "fires",
        Step.ARRIVED: "has arrived:",
    }

    def notify(self, event: Event) -> None:
        if event.step not in self._words:
            return
        count = len(event.addresses)
        what = f" {count} object{'' if count == 1 else 's'} on {event.target}" if count else ""
        if event.step in {Step.FIRING, Step.ARRIVED}:
            what = f" {event.text}"
        click.echo(f"{event.site}: {self._words[event.step]}{what}", err=True)


class _Bar:
    """Advances when a site ends, and says what is being done."""

    def __init__(self, bar: object, total: int) -> None:
        from rich.progress import Progress

        assert isinstance(bar, Progress)
        self._bar = bar
        self._task = bar.add_task("starting", total=total)

    def notify(self, event: Event) -> None:
        if event.step in {Step.FINISHED, Step.FAILED}:
            self._bar.advance(self._task)
            return
        what = f" {len(event.addresses)} objects" if event.addresses else ""
        self._bar.update(self._task, description=f"{event.site}: {event.step} {event.target}{what}".strip())
