"""The faults of a camera that end or refuse requests at a chosen moment; see `fault_list.CAMERA`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ivn_provision.errors import LabError
from ivn_provision.lab.camera.counters import CameraCounters
from ivn_provision.lab.fault_list import CAMERA, names

_NAMES = names(CAMERA)
_COUNTED = re.compile(r"([a-z0-9-]+=)(\d{1,6})")
_REMOVES = frozenset({"RemoveActionRule", "RemoveActionConfiguration", "RemoveRecipientConfiguration"})


class Cut(Exception):
    """The connection ends without an answer."""


@dataclass(slots=True)
class Mishaps:
    """Faults that are on, and how many writes there were when those that count were switched on."""

    counters: CameraCounters
    on: set[str] = field(default_factory=set)
    _since: dict[str, int] = field(default_factory=dict)

    def switch(self, name: str, *, on: bool) -> None:
        """`cut-after-writes=3` and its like begin to count now. Raises LabError for one that does not exist."""
        if _general(name) not in _NAMES:
            raise LabError(
                f"a camera has no fault {name!r}", next_step=f"faults are: {', '.join(sorted(_NAMES))}"
            )
        (self.on.add if on else self.on.discard)(name)
        self._since[name] = self.counters.writes

    def has(self, name: str) -> bool:
        """Whether it is on; one that counts (`name` ends with `=N`) only when its time has come."""
        if not name.endswith("=N"):
            return name in self.on
        return any(self._reached(each) for each in self.on if _general(each) == name)

    @contextmanager
    def write(self, operation: str) -> Iterator[None]:
        """Around a change. Raises Cut before it, or after it was made and counted."""
        self._before(operation)
        yield
        self.counters.write(operation)
        lost = {each for each in self.on if _general(each) == "lose-write=N" and self._reached(each)}
        self.on -= lost
        if lost or (operation == "AddActionRule" and "cut-after-rule" in self.on):
            raise Cut

    def _before(self, operation: str) -> None:
        if operation == "AddActionRule" and "cut-before-rule" in self.on:
            raise Cut
        if operation in _REMOVES and "cut-before-remove" in self.on:
            raise Cut

    def _reached(self, name: str) -> bool:
        counted = _COUNTED.fullmatch(name)
        return counted is not None and self.counters.writes - self._since[name] >= int(counted[2])


def _general(name: str) -> str:
    """`cut-after-writes=N` for `cut-after-writes=3`."""
    counted = _COUNTED.fullmatch(name)
    return f"{counted[1]}N" if counted else name
