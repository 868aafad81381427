"""A journal as a whole run writes it, at a moment that does not move."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from ivn_provision.run.journal import Journal
from ivn_provision.run.state import StateFolder

RUN = "20261124T101500Z-1a2b3c4d"
OTHER = "20261124T111500Z-5e6f7a8b"
BEGIN = {"who": "jane@ops", "command": "apply", "revision": "abc", "sites": ["harbor"]}


def clock() -> datetime:
    """When everything happens."""
    return datetime(2026, 11, 24, 10, 15, tzinfo=UTC)


def written(state: StateFolder, run: str = RUN) -> Path:
    """A run of five records; the path of its journal."""
    journal = Journal.create(state, run, clock, **BEGIN)
    journal.append("planned", "harbor", before="snap-0123456789ab", spec="d", changes=[])
    journal.append("intent", "harbor", target="nvr", batch=1, addresses=["harbor/nvr/camera/10"])
    journal.append("done", "harbor", target="nvr", batch=1, addresses=["harbor/nvr/camera/10"])
    journal.append("site_end", "harbor", standing="applied", error="")
    journal.close()
    return state.path / "runs" / run / "journal.jsonl"
