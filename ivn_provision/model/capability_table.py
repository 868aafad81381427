"""What can be done with each kind and field of a recorder, as rows for people and programs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CapabilityRow:
    """One field of a kind; `field` is "" for making objects and `-` for removing them where that differs.

    `path` is where its text stands in `file`, `restarts` are the programs that a change restarts. Empty where
    nothing is known.
    """

    kind: str
    field: str
    ability: str
    evidence: str = ""
    reason: str = ""
    file: str = ""
    path: str = ""
    restarts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CapabilityTable:
    """Of one site's recorder, or, without a connection, of one layout that it may turn out to have.

    `layout` is "" where none is known; `origin` the file of a fleet's own layout, "" for one that ships.
    `versions` is the pattern of versions of a layout that was not yet met on the recorder.
    """

    site: str
    product: str
    version: str
    layout: str
    origin: str
    learned: str
    rows: tuple[CapabilityRow, ...]
    versions: str = ""
    notes: tuple[str, ...] = ()
