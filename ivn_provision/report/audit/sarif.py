"""An audit as SARIF 2.1.0, for code scanning: each finding at the line that declares the value (OASIS, sarif-v2.1.0).

A waived finding carries a suppression with its reason, so that the code host counts it apart. What could not be looked
at is no finding but a notification of the run, whose execution was not successful then.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import ivn_provision
from ivn_provision.diagnostics import Place
from ivn_provision.report.audit.words import difference, waiver_text
from ivn_provision.report.diagnostics_json import Json
from ivn_provision.report.diagnostics_sarif import SCHEMA, location_json
from ivn_provision.report.paint import safe
from ivn_provision.run.audit.record import Audit, Finding, SiteAudit, Trouble

MOST = 25_000
"""Results of one run that code hosts take (GitHub); worst first, the rest is in a notification."""
_PRINT = "ivnFindingId/v1"


def render_sarif(audit: Audit, titles: Mapping[str, str]) -> str:
    """One run. `titles` are short descriptions of checks, by id."""
    pairs = [(site, finding) for site in audit.sites for finding in site.findings]
    kept = pairs[:MOST]
    rules = sorted({finding.what for _, finding in kept})
    troubles = [(site, each) for site in audit.sites for each in site.trouble]
    invocation: dict[str, Json] = {
        "executionSuccessful": not troubles,
        "startTimeUtc": audit.at,
        "toolExecutionNotifications": [*_troubles(troubles), *_notes(audit, len(pairs) - len(kept))],
    }
    run: dict[str, Json] = {
        "tool": {
            "driver": {
                "name": "ivn-provision audit",
                "version": ivn_provision.__version__,
                "rules": [_rule(each, titles) for each in rules],
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [invocation],
        "results": [_result(site, finding, rules.index(finding.what)) for site, finding in kept],
    }
    document: Json = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=2) + "\n"


def _rule(what: str, titles: Mapping[str, str]) -> dict[str, Json]:
    group, _, kind = what.partition("/")
    words = {
        "drift": f"Live differs from declared: {kind}",
        "open": f"Not shown by reading, and not confirmed: {kind}",
    }
    return {"id": what, "shortDescription": {"text": safe(titles.get(what) or words.get(group, what))}}


def _result(site: SiteAudit, finding: Finding, rule: int) -> dict[str, Json]:
    place = finding.place or Place(site.path, 1, 1)
    properties: dict[str, Json] = {
        "site": safe(site.site),
        "address": safe(finding.address),
        "firstSeen": finding.first_seen,
        "cause": finding.cause.value,
        "refs": [safe(each) for each in finding.refs],
    }
    out: dict[str, Json] = {
        "ruleId": finding.what,
        "ruleIndex": rule,
        "level": finding.level.value,
        "message": {"text": _message(finding)},
        "locations": [_location(place, finding)],
        "partialFingerprints": {_PRINT: finding.id},
        "properties": properties,
    }
    if finding.waiver is not None and finding.excused:
        text = safe(waiver_text(finding.waiver))
        out["suppressions"] = [{"kind": "external", "status": "accepted", "justification": text}]
    return out


def _message(finding: Finding) -> str:
    """Plain text: `[` and `]` would be links in SARIF, `\\` escapes them."""
    expired = waiver_text(finding.waiver) if finding.waiver and finding.waiver.expired else ""
    parts = (f"{finding.address}: {finding.title}" if finding.address else finding.title, difference(finding))
    text = ". ".join(safe(each).rstrip(".") for each in (*parts, finding.remedy, expired) if each)
    return f"{text}.".replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")


def _location(place: Place, finding: Finding) -> dict[str, Json]:
    found = location_json(place)
    if finding.address:
        found["logicalLocations"] = [{"fullyQualifiedName": safe(finding.address)}]
    return found


def _troubles(troubles: list[tuple[SiteAudit, Trouble]]) -> Iterator[Json]:
    for site, each in troubles:
        text = ". ".join(
            safe(part).rstrip(".") for part in (each.summary, each.where, each.next_step) if part
        )
        yield {
            "level": "error",
            "message": {"text": f"{safe(site.site)}: {text}."},
            "descriptor": {"id": safe(each.kind)},
            "locations": [location_json(Place(site.path, 1, 1))],
        }


def _notes(audit: Audit, left_out: int) -> Iterator[Json]:
    notes = [*audit.notes, *(f"the waiver {each} excuses nothing" for each in audit.unused_waivers)]
    if left_out:
        notes.append(f"{left_out} more findings are left out: code hosts take no more than {MOST}")
    for each in notes:
        yield {"level": "note", "message": {"text": safe(each)}}
