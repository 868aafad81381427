"""Who watches a run: a live line on a terminal, plain lines elsewhere (both on stderr), or JSON lines on stdout."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

import click

from ivn_provision.run.events import Event, Observer, Step, Wave

if TYPE_CHECKING:
    from ivn_provision.report.event_stream import EventStream

BEAT_SECONDS = 10.0


@contextmanager
def progress(total: int, *, live: bool = True, stream: EventStream | None = None) -> Iterator[Observer]:
    """An observer for a run over `total` sites: `stream` if there is one, else of a person at stderr."""
    if stream is not None:
        with _beating(stream):
            yield stream
    elif not (live and sys.stderr.isatty()) or os.environ.get("TERM") == "dumb":
        yield PlainLines()
    else:
        from ivn_provision.cli.live_line import live_line

        with live_line(total) as observer:
            yield observer


class PlainLines:
    """A line for each thing that changes a site, and for each wave; readings are not worth one."""

    _words: ClassVar[Mapping[Step, str]] = {
        Step.WRITING: "writing",
        Step.WRITTEN: "written",
        Step.PROVING: "reading again, for the proof",
        Step.REVERTING: "putting back what was written",
        Step.FIRING: "fires",
        Step.ARRIVED: "has arrived:",
    }

    def notify(self, event: Event) -> None:
        if isinstance(event.about, Wave):
            self._wave(event, event.about)
        if event.step not in self._words:
            return
        count = len(event.addresses)
        what = f" {count} object{'' if count == 1 else 's'} on {event.target}" if count else ""
        if event.step in {Step.FIRING, Step.ARRIVED}:
            what = f" {event.text}"
        click.echo(f"{event.site}: {self._words[event.step]}{what}", err=True)

    def _wave(self, event: Event, wave: Wave) -> None:
        sites = f"{wave.sites} site{'' if wave.sites == 1 else 's'}"
        word = "begins" if event.step is Step.WAVE_STARTED else "has ended"
        click.echo(f"wave {wave.number} of {wave.of} ({sites}) {word}", err=True)


@contextmanager
def _beating(stream: EventStream) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=_beat, args=(stream.beat, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _beat(beat: Callable[[], None], stop: threading.Event) -> None:
    while not stop.wait(BEAT_SECONDS):
        beat()
