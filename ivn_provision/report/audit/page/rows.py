"""The sites of the page in their order: the worst first, each with what is said of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ivn_provision.report.audit.page.ages import days_since
from ivn_provision.run.audit.record import Audit, Finding, Level, SiteAudit, SiteState

MOST_FINDINGS = 200
"""Of one site: more are counted, not shown; the JSON has all of them."""
_STATES = {state: rank for rank, state in enumerate(SiteState)}
_LEVELS = {level: rank for rank, level in enumerate(Level)}


@dataclass(frozen=True, slots=True)
class Shown:
    """A finding, and its age in days."""

    finding: Finding
    days: float | None

    @property
    def waived(self) -> str:
        """`yes`, `no`, or `expired`: as the page's filter asks."""
        if self.finding.waiver is None:
            return "no"
        return "expired" if self.finding.waiver.expired else "yes"


@dataclass(frozen=True, slots=True)
class Row:
    """One site. `number` is its place in the page, from 0; `errors` counts what no waiver excuses.

    `days` is the age of the oldest finding that none excuses, else that of the state; `standing` that of the state.
    `more` is how many findings are not shown.
    """

    number: int
    site: SiteAudit
    shown: tuple[Shown, ...]
    more: int
    errors: int
    days: float | None
    standing: float | None

    @property
    def unwell(self) -> bool:
        """Is it one to look at?"""
        return self.site.state not in (SiteState.UNAPPLIED, SiteState.WAIVED, SiteState.CLEAN)

    @property
    def has_more(self) -> bool:
        """Is there something to open?"""
        return bool(self.shown or self.site.trouble)


def rows_of(audit: Audit) -> tuple[Row, ...]:
    """All sites: by state, then by the number of errors, then by the age of the oldest finding."""
    made = sorted((_row(site, audit.at) for site in audit.sites), key=_worst_first)
    return tuple(replace(row, number=number) for number, row in enumerate(made))


def by_state(rows: Iterable[Row]) -> tuple[tuple[SiteState, tuple[Row, ...]], ...]:
    """The rows of each state that occurs."""
    found: dict[SiteState, list[Row]] = {state: [] for state in SiteState}
    for row in rows:
        found[row.site.state].append(row)
    return tuple((state, tuple(those)) for state, those in found.items() if those)


def _row(site: SiteAudit, at: str) -> Row:
    every = sorted(
        (Shown(each, days_since(each.first_seen, at)) for each in site.findings), key=_gravest_first
    )
    held = [each for each in every if not each.finding.excused]
    ages = [each.days for each in held if each.days is not None]
    standing = days_since(site.since, at)
    errors = sum(each.finding.level is Level.ERROR for each in held)
    kept = tuple(every[:MOST_FINDINGS])
    return Row(0, site, kept, len(every) - len(kept), errors, max(ages, default=standing), standing)


def _worst_first(row: Row) -> tuple[int, int, float, str]:
    return (_STATES[row.site.state], -row.errors, -(row.days or 0.0), row.site.site)


def _gravest_first(shown: Shown) -> tuple[bool, int, float, str]:
    return (shown.finding.excused, _LEVELS[shown.finding.level], -(shown.days or 0.0), shown.finding.id)
