"""An audit as JSON, for programs: `schemas/audit.schema.json`, docs/reference/audit-json.md."""

from __future__ import annotations

import json
from typing import Any

from ivn_provision.diagnostics import Place
from ivn_provision.run.audit.record import Audit, Finding, Moment, SiteAudit, SiteState

VERSION = "1.0"
SCHEMA = "audit.schema.json"


def render_json(audit: Audit) -> str:
    """The document, all in ASCII: no name in it can deceive or break a terminal."""
    return json.dumps(audit_json(audit), indent=2) + "\n"


def audit_json(audit: Audit) -> dict[str, Any]:
    """The document as plain data."""
    return {
        "format_version": VERSION,
        "at": audit.at,
        "seconds": round(audit.seconds, 3),
        "fleet": audit.fleet,
        "selection": audit.selection,
        "revision": audit.revision,
        "dirty": audit.dirty,
        "base": audit.base,
        "states": {state.value: audit.count(state) for state in SiteState},
        "findings": sum(len(each.findings) for each in audit.sites),
        "excused": sum(one.excused for each in audit.sites for one in each.findings),
        "sites": [_site(each) for each in audit.sites],
        "trend": [_moment(each) for each in audit.trend],
        "unused_waivers": list(audit.unused_waivers),
        "notes": list(audit.notes),
    }


def _site(site: SiteAudit) -> dict[str, Any]:
    return {
        "site": site.site,
        "path": site.path,
        "state": site.state.value,
        "since": site.since,
        "groups": list(site.groups),
        "labels": dict(site.labels),
        "network": site.network,
        "products": list(site.products),
        "as_declared": site.as_declared,
        "attested": site.attested,
        "checks": dict(site.checks),
        "findings": [_finding(each) for each in site.findings],
        "trouble": [
            {"kind": each.kind, "summary": each.summary, "where": each.where, "next_step": each.next_step}
            for each in site.trouble
        ],
        "read_at": site.read_at,
        "seconds": round(site.seconds, 3),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    waiver = finding.waiver
    return {
        "id": finding.id,
        "kind": finding.kind.value,
        "what": finding.what,
        "level": finding.level.value,
        "title": finding.title,
        "address": finding.address,
        "action": finding.action,
        "fields": [
            {"name": each.name, "live": each.live, "declared": each.declared, "cause": each.cause.value}
            for each in finding.fields
        ],
        "remedy": finding.remedy,
        "refs": list(finding.refs),
        "place": _place(finding.place),
        "cause": finding.cause.value,
        "first_seen": finding.first_seen,
        "waiver": None
        if waiver is None
        else {
            "reason": waiver.reason,
            "owner": waiver.owner,
            "until": waiver.until,
            "expired": waiver.expired,
        },
    }


def _place(place: Place | None) -> dict[str, Any] | None:
    return None if place is None else {"path": place.path, "line": place.line, "column": place.column}


def _moment(moment: Moment) -> dict[str, Any]:
    states = {state.value: moment.states.get(state, 0) for state in SiteState}
    return {"at": moment.at, "states": states, "findings": moment.findings}
