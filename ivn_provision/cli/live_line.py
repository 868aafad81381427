"""The live line of a run on a terminal: redrawn by rich, on stderr; a line stays for every wave that has ended."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from ivn_provision.report.paint import paint_for
from ivn_provision.report.progress_line import progress_line, wave_line
from ivn_provision.report.tally import Tally
from ivn_provision.run.events import Event, Observer, Step


@contextmanager
def live_line(total: int) -> Iterator[Observer]:
    """Gone when the run has ended."""
    paint = paint_for(is_terminal=True, env=os.environ)
    console = Console(stderr=True, no_color=not paint.on, highlight=False)
    line = _Line(console, total)
    with Live(line, console=console, refresh_per_second=4, transient=True, redirect_stdout=False):
        yield line


class _Line:
    """An observer that rich asks for its text."""

    def __init__(self, console: Console, total: int) -> None:
        self._console, self._tally, self._began = console, Tally(total), time.monotonic()
        self._paint = paint_for(is_terminal=True, env=os.environ)

    def notify(self, event: Event) -> None:
        if event.step is Step.WAVE_ENDED:
            self._console.print(Text.from_ansi(wave_line(self._tally, self._seconds(), self._paint)))
        self._tally.notify(event)
        if event.step is Step.WAVE_STARTED:
            self._began = time.monotonic()

    def _seconds(self) -> float:
        return time.monotonic() - self._began

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        del console
        plain = options.encoding is not None and not options.encoding.startswith("utf")
        text = progress_line(self._tally, self._seconds(), options.max_width, self._paint, ascii_only=plain)
        yield Text.from_ansi(text, no_wrap=True, overflow="crop", end="")
