"""Past runs for machines. Values are in the journal's form (docs/reference/journal.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ivn_provision.run.journal import RunSummary
from ivn_provision.run.past import Past, PastSite


def runs_json(runs: Sequence[RunSummary]) -> list[dict[str, Any]]:
    """The list; `error` is "" for a sound journal."""
    return [
        {
            "run": each.run,
            "at": each.at,
            "who": each.who,
            "command": each.command,
            "revision": each.revision,
            "dirty": each.dirty,
            "sites": dict(each.sites),
            "error": each.error,
        }
        for each in runs
    ]


def past_json(past: Past) -> dict[str, Any]:
    """One run, whole."""
    return {
        "run": past.run,
        "at": past.at,
        "ended": past.ended,
        "who": past.who,
        "command": past.command,
        "revision": past.revision,
        "dirty": past.dirty,
        "plan": past.plan,
        "tool": past.tool,
        "options": dict(past.options),
        "sites": [_site(each) for each in past.sites],
    }


def _site(site: PastSite) -> dict[str, Any]:
    return {
        "site": site.site,
        "standing": site.standing,
        "error": site.error,
        "snapshots": {"before": site.before, "after": site.after},
        "changes": [
            {
                "address": str(change.address),
                "action": change.action,
                "fields": [
                    {"name": name, "before": before, "after": after}
                    for name, (before, after) in change.fields.items()
                ],
            }
            for change in site.changes
        ],
        "events": [
            {"at": each.at, "event": each.event, "data": dict(each.data)}
            for each in site.events
            if each.event != "planned"
        ],
    }
