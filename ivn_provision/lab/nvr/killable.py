"""The machine as one program sees it, until the program is killed."""

from __future__ import annotations

import threading
from typing import Any, cast

from ivn_provision.lab.nvr.agent_machine import Windows


class Killed(Exception):
    """The program was ended from outside: nothing after this step ran."""


class _Killable:
    """Everything of `windows`, but no further step once `killed` is set."""

    def __init__(self, windows: Windows, killed: threading.Event) -> None:
        self._windows = windows
        self._killed = killed

    def before_step(self, verb: str, index: int) -> None:
        self._windows.before_step(verb, index)
        if self._killed.is_set():
            raise Killed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._windows, name)


def killable(windows: Windows, killed: threading.Event) -> Windows:
    """`windows`, whose `before_step` raises Killed once the event is set."""
    return cast("Windows", _Killable(windows, killed))
