"""Ctrl-C and SIGTERM of a run that writes: the first asks it to end well, the second ends it at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Says whether the run was asked to stop. While a person is `asked` something, Ctrl-C ends the question."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self.asked = False

    def stopping(self) -> bool:
        return self._stop.is_set()

    def handle(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.asked:
            raise KeyboardInterrupt
        if self._stop.is_set():
            os.write(2, b"Stopped at once. `ivn-provision history` names the run, `resume RUN` ends it.\n")
            os._exit(128 + number)
        self._stop.set()
        os.write(2, b"Stopping after this step; once more to stop at once.\n")

    @contextmanager
    def asking(self) -> Iterator[None]:
        """While a person answers, nothing is being written."""
        self.asked = True
        try:
            yield
        finally:
            self.asked = False


@contextmanager
def interrupts() -> Iterator[Interrupts]:
    """Signals go to the Interrupts inside, and to who had them before afterwards."""
    found = Interrupts()
    before = {number: signal.signal(number, found.handle) for number in _SIGNALS}
    try:
        yield found
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if found.stopping():
        click.echo("The run was asked to stop.", err=True)
