"""What the engine tells its observers. The engine itself prints nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from ivn_provision.model.resource import Address


class Step(StrEnum):
    READING = "reading"
    READ = "read"
    WRITING = "writing"
    WRITTEN = "written"
    PROVING = "proving"
    PROVEN = "proven"
    REVERTING = "reverting"
    REVERTED = "reverted"
    FIRING = "firing"
    ARRIVED = "arrived"
    FAILED = "failed"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened on a site. `target` and `addresses` where they apply; `text` for people."""

    site: str
    step: Step
    target: str = ""
    text: str = ""
    addresses: tuple[Address, ...] = ()


class Observer(Protocol):
    """Gets every event, from any thread."""

    def notify(self, event: Event) -> None: ...
