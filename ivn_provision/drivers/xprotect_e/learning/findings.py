"""What was learned of a kind: values that become a layout file. What stays by hand carries its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ivn_provision.drivers.xprotect_e.learning.passes import Value


@dataclass(frozen=True, slots=True)
class FieldFinding:
    """One field. `reason` is set where it stays by hand; `passes` are those that taught it."""

    name: str
    codec: str
    path: str = ""
    values: Mapping[str, str] | None = None
    separator: str = ""
    by: Literal["", "handle", "name"] = ""
    form: str = ""
    gate: str = ""
    reason: str = ""
    passes: tuple[str, ...] = ()

    @property
    def is_learned(self) -> bool:
        return not self.reason


@dataclass(frozen=True, slots=True)
class KindFinding:
    """One kind in one file. `by_hand` and `keep` say why objects cannot be made or removed, "" if they can.

    `former` are the values of mail settings before the first pass; `notes` are for the person who reviews.
    """

    kind: str
    file: str
    fields: tuple[FieldFinding, ...]
    restart: tuple[str, ...]
    items: str = ""
    single: str = ""
    handle: str = ""
    ids: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    marker: str = ""
    template: tuple[str, ...] = ()
    constants: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, str] = field(default_factory=dict)
    by_hand: str = ""
    keep: str = ""
    former: Mapping[str, Value] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def learned(self) -> tuple[str, ...]:
        """Fields that the tool can read and write."""
        return tuple(each.name for each in self.fields if each.is_learned)

    @property
    def unlearned(self) -> Mapping[str, str]:
        """Why what is left stays by hand, by field or action."""
        found = {each.name: each.reason for each in self.fields if each.reason}
        doing = {"making one": self.by_hand, "removing one": self.keep}
        return found | {what: reason for what, reason in doing.items() if reason}
