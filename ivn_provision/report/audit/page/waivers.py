"""The waivers of an audit: which excuse what, and which no longer do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ivn_provision.report.audit.page.rows import Row
from ivn_provision.run.audit.record import Waived

MOST = 200
"""Waivers in the table: the expired ones, then those that end first."""


@dataclass(frozen=True, slots=True)
class Use:
    """One waiver, the sites it is used on, and how many findings it is about."""

    waiver: Waived
    rows: tuple[Row, ...]
    findings: int


def uses_of(rows: Iterable[Row]) -> tuple[Use, ...]:
    """Expired ones first, then by the day on which they end."""
    found: dict[Waived, list[Row]] = {}
    for row in rows:
        for finding in row.site.findings:
            if finding.waiver:
                found.setdefault(finding.waiver, []).append(row)
    uses = [
        Use(waiver, tuple({row.number: row for row in those}.values()), len(those))
        for waiver, those in found.items()
    ]
    return tuple(sorted(uses, key=lambda use: (not use.waiver.expired, use.waiver.until, use.waiver.reason)))
