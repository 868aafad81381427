"""What the journal of a run is told about one site: each thing before it is done, and after.

Values stand there in the form of a plan, secrets as keyed hashes (docs/reference/journal.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ivn_provision.errors import (
    DeadlineExceeded,
    IvnError,
    PartlyApplied,
    ProtocolFault,
    StateError,
    Uncertain,
)
from ivn_provision.model.resource import Value
from ivn_provision.plan.equal import same
from ivn_provision.plan.order import Batch
from ivn_provision.plan.plan import Change, FieldChange
from ivn_provision.plan.values_json import load
from ivn_provision.run.journal import Journal
from ivn_provision.run.snapshot_values import to_json
from ivn_provision.run.state import StateFolder

UNCERTAIN = (DeadlineExceeded, ProtocolFault, Uncertain)
"""Errors after which nobody knows whether a write was made. Any other says that it was not."""


class SiteJournal:
    """The part of a run's journal that is about `site`. Every method may raise StateError, but `note`."""

    def __init__(self, journal: Journal, state: StateFolder, site: str) -> None:
        self.site = site
        self.run = journal.run
        self._journal = journal
        self._state = state

    def write(self, event: str, **data: Any) -> None:
        """One record, on disk when this returns."""
        self._journal.append(event, self.site, **data)

    def note(self, event: str, **data: Any) -> None:
        """One record if that is possible: what has been done must not be left half-way for want of disk."""
        with suppress(StateError):
            self.write(event, **data)

    def planned(self, before: str, spec: str, changes: Sequence[Change]) -> None:
        """What is going to be made, and from what."""
        self.write("planned", before=before, spec=spec, changes=[self._change(each) for each in changes])

    def intent(self, number: int, batch: Batch) -> None:
        self.write("intent", **_batch(number, batch))

    def done(self, number: int, batch: Batch) -> None:
        self.write("done", **_batch(number, batch))

    def failed(self, number: int, batch: Batch, error: IvnError) -> None:
        uncertain = isinstance(error, (PartlyApplied, *UNCERTAIN))
        self.note("failed", **_batch(number, batch), error=error.summary, uncertain=uncertain)

    def dumped(self, value: Value) -> Any:
        """A value as it stands in the journal."""
        return to_json(self._state, value)

    def is_same(self, change: Change, field: FieldChange, recorded: object) -> bool:
        """Is the live value of a planned field (its `before`) the one that the journal recorded?"""
        if self.dumped(field.before) == recorded:
            return True
        if isinstance(recorded, dict) and "keyed" in recorded:
            return False
        return same(change.address.kind, field.name, load(recorded), field.before)

    def _change(self, change: Change) -> Mapping[str, Any]:
        fields = [
            {"name": each.name, "before": self.dumped(each.before), "after": self.dumped(each.after)}
            for each in change.fields
        ]
        return {"address": str(change.address), "action": change.action.value, "fields": fields}


def _batch(number: int, batch: Batch) -> dict[str, Any]:
    addresses = [str(change.address) for change in batch.changes]
    return {"batch": number, "target": batch.target, "addresses": addresses}
