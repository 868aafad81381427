"""An audit as CSV, one line a finding, for spreadsheets: no cell is taken for a formula there (OWASP, CSV injection)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from ivn_provision.report.audit.words import difference, location
from ivn_provision.report.paint import safe
from ivn_provision.run.audit.record import Audit, Finding, SiteAudit, Trouble

COLUMNS = (
    "site",
    "state",
    "since",
    "kind",
    "what",
    "level",
    "title",
    "address",
    "action",
    "difference",
    "cause",
    "first_seen",
    "place",
    "waived_until",
    "waived_by",
    "waived_reason",
    "expired",
    "remedy",
    "id",
    "groups",
    "network",
)
_FORMULA = frozenset("=+-@|%\uff1d\uff0b\uff0d\uff20")


def render_csv(audit: Audit) -> str:
    """RFC 4180 with a header, every cell quoted. A site without findings has one line."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for site in audit.sites:
        for row in _rows(site):
            writer.writerow([cell(row.get(name, "")) for name in COLUMNS])
    return out.getvalue()


def cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula, on one line."""
    shown = safe(text)
    return f"'{shown}" if shown.lstrip()[:1] in _FORMULA else shown


def _rows(site: SiteAudit) -> Iterator[dict[str, str]]:
    head = {
        "site": site.site,
        "state": site.state.value,
        "since": site.since,
        "groups": " ".join(site.groups),
        "network": site.network,
    }
    for trouble in site.trouble:
        yield head | _trouble(trouble)
    for finding in site.findings:
        yield head | _finding(finding)
    if not site.trouble and not site.findings:
        yield head


def _trouble(trouble: Trouble) -> dict[str, str]:
    return {
        "kind": "trouble",
        "what": trouble.kind,
        "level": "error",
        "title": trouble.summary,
        "place": trouble.where,
        "remedy": trouble.next_step,
    }


def _finding(finding: Finding) -> dict[str, str]:
    row = {
        "kind": finding.kind.value,
        "what": finding.what,
        "level": finding.level.value,
        "title": finding.title,
        "address": finding.address,
        "action": finding.action,
        "difference": difference(finding),
        "cause": finding.cause.value,
        "first_seen": finding.first_seen,
        "place": location(finding),
        "remedy": finding.remedy,
        "id": finding.id,
    }
    if waiver := finding.waiver:
        row |= {
            "waived_until": waiver.until,
            "waived_by": waiver.owner,
            "waived_reason": waiver.reason,
            "expired": "yes" if waiver.expired else "no",
        }
    return row
