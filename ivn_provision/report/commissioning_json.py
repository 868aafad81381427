"""A commissioning report for programs, with a digest that its printed form carries too."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from ivn_provision.report.acceptance_json import pin_json
from ivn_provision.report.checks_json import checks_json
from ivn_provision.report.commissioning import Commissioning, Picture, PinLine, drawn
from ivn_provision.report.junit import junit
from ivn_provision.spec.site import Site
from ivn_provision.verify.drift import moment

FORMAT = "ivn-provision/commissioning"
VERSION = 1


def commissioning_json(report: Commissioning) -> dict[str, Any]:
    """`sha256` is of `evidence`; the pictures' bytes are in `pictures`, their digests in the evidence."""
    evidence = evidence_json(report)
    return {
        "format": FORMAT,
        "version": VERSION,
        "sha256": digest_of(evidence),
        "evidence": evidence,
        "pictures": {
            str(each.number): base64.b64encode(each.jpeg).decode() for each in report.pictures if each.jpeg
        },
    }


def commissioning_junit(report: Commissioning) -> str:
    """Two suites: the checks, and the acceptance."""
    name = report.site.name
    suites = [(f"{name} checks", report.checks), (f"{name} acceptance", report.acceptance_results)]
    return junit(suites, timestamp=moment(report.about.ended))


def digest_of(evidence: dict[str, Any]) -> str:
    """SHA-256, in hex, of the evidence as JSON: keys sorted, no blanks, ASCII only."""
    text = json.dumps(evidence, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def evidence_json(report: Commissioning) -> dict[str, Any]:
    """Everything that the report says, times in UTC."""
    about = report.about
    return {
        "verdict": report.verdict.value,
        "run": about.run,
        "by": about.by,
        "tool": f"ivn-provision {about.tool}",
        "began": moment(about.began),
        "ended": moment(about.ended),
        "in_lab": about.in_lab,
        "site": _site(report.site),
        "site_files": {"revision": about.revision or None, "dirty": about.dirty},
        "targets": [
            {
                "target": each.target,
                "product": each.product,
                "version": each.version,
                "endpoint": each.endpoint,
            }
            for each in report.facts
        ],
        "window_until": report.window_until or None,
        "pins": [_pin(each) for each in report.pins],
        "acceptance": checks_json(report.extra),
        "checks": checks_json(report.checks),
        "deviations": checks_json(report.deviations),
        "waivers": [
            {"subject": each.subject, "reason": each.reason, "by": each.by, "until": each.until}
            for each in report.waivers
        ],
        "not_tested": list(report.untested),
        "pictures": [_picture(each) for each in report.pictures],
    }


def _site(site: Site) -> dict[str, Any]:
    portal = site.portal
    return {
        "name": site.name,
        "description": site.description,
        "groups": list(site.groups),
        "labels": dict(site.labels),
        "time_zone": site.time_zone,
        "location_address": portal.device.location_address if portal and portal.device else None,
        "product": site.nvr.product if site.nvr else None,
        "portal": {"url": portal.url, "account": portal.account} if portal else None,
    }


def _pin(line: PinLine) -> dict[str, Any]:
    return {
        **pin_json(line.record),
        "label": line.record.shot.label,
        "by_person": line.record.by_person,
        "verdict": line.state.value,
        "mail": line.mail,
        "grammar": [{"message": said, "lines": lines.split("\n")} for said, lines in drawn(line.record)],
        "results": checks_json(line.results),
    }


def _picture(picture: Picture) -> dict[str, Any]:
    jpeg = picture.jpeg
    return {
        "camera": picture.number,
        "label": picture.label,
        "bytes": len(jpeg),
        "sha256": hashlib.sha256(jpeg).hexdigest() if jpeg else None,
        "reason": picture.reason or None,
    }
