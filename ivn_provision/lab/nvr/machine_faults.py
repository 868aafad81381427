"""What goes wrong on the machine itself, not on the wire: switched on by name, seen by whoever works there."""

from __future__ import annotations

from collections.abc import Iterable

from ivn_provision.lab.fault_list import MACHINE, RECORDER, names

MACHINE_FAULTS = names((*MACHINE, *RECORDER))


class MachineFaults:
    """The faults that are on. All stay on until switched off, but `service-start-fails-once`."""

    def __init__(self, on: Iterable[str] = ()) -> None:
        self.on: set[str] = set(on)
        self._previous_verb = ""

    def __contains__(self, name: object) -> bool:
        return name in self.on

    def start_fails(self) -> bool:
        """Whether this start of the Recording Server fails."""
        if "service-start-fails" in self.on:
            return True
        once = "service-start-fails-once" in self.on
        self.on.discard("service-start-fails-once")
        return once

    def changes_before(self, verb: str) -> bool:
        """Whether the product changes its file now: after a backup, before the next step."""
        previous, self._previous_verb = self._previous_verb, verb
        return "changed-mid-apply" in self.on and previous == "backup"
