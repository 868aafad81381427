"""An audit as JUnit XML: one suite a site, one case a finding; a site where nothing was found has one that passed."""

from __future__ import annotations

from collections.abc import Iterator

from ivn_provision.report.audit.words import counts, difference, location, waiver_text
from ivn_provision.report.junit import Case, document
from ivn_provision.run.audit.record import Audit, Finding, FindingKind, SiteAudit


def render_junit(audit: Audit) -> str:
    """The document. What is excused, or only to be confirmed, is skipped; a target that did not answer is an error."""
    return document(((each.site, list(_cases(each))) for each in audit.sites), timestamp=audit.at)


def _cases(site: SiteAudit) -> Iterator[Case]:
    for trouble in site.trouble:
        where = f" ({trouble.where})" if trouble.where else ""
        yield Case(f"{trouble.kind}{where}", "error", trouble.summary, trouble.next_step)
    for finding in site.findings:
        yield _case(finding)
    if not site.findings and not site.trouble:
        yield Case("as declared", "passed", f"{site.as_declared} objects as declared")


def _case(finding: Finding) -> Case:
    name = f"{finding.what} ({finding.address})" if finding.address else f"{finding.what}: {finding.title}"
    if finding.waiver is not None and finding.excused:
        return Case(name, "skipped", f"{finding.title}; {waiver_text(finding.waiver)}")
    if finding.kind is FindingKind.OPEN:
        return Case(name, "skipped", finding.title)
    expired = waiver_text(finding.waiver) if finding.waiver else ""
    seen = f"first seen {finding.first_seen}" if finding.first_seen else ""
    detail = [
        each for each in (difference(finding), location(finding), finding.remedy, seen, expired) if each
    ]
    outcome: Case = Case(name, "failure", finding.title, "\n".join(detail))
    return outcome if counts(finding) else Case(name, "passed", f"warning: {finding.title}", outcome.detail)
