"""The lab's recorder: real WS-Man on loopback, an emulated Windows behind it, and a Recording Server that behaves."""

from __future__ import annotations

from ivn_provision.lab.nvr.assumed import Assumption, assumptions
from ivn_provision.lab.nvr.counters import Counters, EventEntry, MailEntry
from ivn_provision.lab.nvr.endpoint import FAULTS
from ivn_provision.lab.nvr.machine import Nvr
from ivn_provision.lab.nvr.machine_faults import MACHINE_FAULTS

__all__ = [
    "FAULTS",
    "MACHINE_FAULTS",
    "Assumption",
    "Counters",
    "EventEntry",
    "MailEntry",
    "Nvr",
    "assumptions",
]
