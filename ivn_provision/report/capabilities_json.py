"""The capability table as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from ivn_provision.errors import IvnError
from ivn_provision.model.capability_table import CapabilityTable


def render_json(tables: Sequence[CapabilityTable], errors: Mapping[str, IvnError]) -> str:
    """One document; `format_version` changes with the form."""
    shown = {
        "format_version": 1,
        "recorders": [asdict(table) for table in tables],
        "errors": {
            site: {"summary": error.summary, "where": error.where, "next_step": error.next_step}
            for site, error in errors.items()
        },
    }
    return json.dumps(shown, indent=2)
