"""`--format jsonl`: the events of a run, and its end, on stdout; nothing else there, and no errors on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ivn_provision.errors import IvnError, UsageProblem

if TYPE_CHECKING:
    from ivn_provision.report.event_stream import EventStream

JSON_LINES = "jsonl"


@contextmanager
def streamed(form: str, command: str) -> Iterator[EventStream | None]:
    """The stream of a command, with its last line at the end; None for the other formats.

    An error of the whole run becomes a message, and the exit code that it has. Usage errors stay on stderr.
    """
    if form != JSON_LINES:
        yield None
        return
    stream, code = stdout_lines(command), 1
    try:
        yield stream
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0
        raise
    except KeyboardInterrupt:
        code = 130
        raise
    except UsageProblem as error:
        code = error.exit_code
        raise
    except IvnError as error:
        stream.fail(error)
        code = error.exit_code
        raise SystemExit(code) from None
    finally:
        stream.end(code)


def or_closed(stopping: Callable[[], bool], stream: EventStream | None) -> Callable[[], bool]:
    """A run whose reader has gone is asked to stop, as by Ctrl-C."""
    if stream is None:
        return stopping
    return lambda: stopping() or stream.is_closed()


def stdout_lines(command: str) -> EventStream:
    """Events of `command` as JSON lines on stdout, each flushed. A reader that goes away is no error here."""
    from datetime import UTC, datetime

    from ivn_provision.report.event_stream import EventStream

    def write(text: str) -> None:
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError:
            _forget_stdout()
            raise

    return EventStream(write, lambda: datetime.now(UTC), command=command)


def _forget_stdout() -> None:
    """What is still buffered goes nowhere, so that the interpreter does not fail on it at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, sys.stdout.fileno())
    except (OSError, ValueError):
        return
    finally:
        os.close(nowhere)
