"""An acceptance for programs."""

from __future__ import annotations

from typing import Any

from ivn_provision.report.checks_json import checks_json
from ivn_provision.run.accepting import Acceptance
from ivn_provision.verify.acceptance.record import Record
from ivn_provision.verify.drift import moment
from ivn_provision.verify.mail.judge import Finding


def acceptance_json(acceptance: Acceptance) -> dict[str, Any]:
    """One site."""
    return {
        "site": acceptance.site,
        "run": acceptance.run,
        "began": moment(acceptance.began),
        "ended": moment(acceptance.ended),
        "accepted": acceptance.passed,
        "window_until": acceptance.window_until or None,
        "pins": [pin_json(each) for each in acceptance.records],
        "results": checks_json(acceptance.results),
    }


def pin_json(record: Record) -> dict[str, Any]:
    """One pin; of a mail that cannot be read, where."""
    shot, latency = record.shot, record.latency_seconds
    return {
        "pin": shot.pin,
        "source": shot.source,
        "camera": shot.camera,
        "event_type": shot.event_type,
        "fired_by": record.by or None,
        "fired_at": moment(record.fired_at) if record.fired_at else None,
        "latency_seconds": round(latency, 3) if latency is not None else None,
        "events": [each.id for each in record.events],
        "clips": [each.status for event in record.events[:1] for each in event.clips],
        "skipped": record.skipped or None,
        "error": record.error or None,
        "findings": [_finding(each) for each in record.findings],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    problem = finding.problem
    return {
        "code": finding.code,
        "level": finding.level.value,
        "message": finding.message,
        "row": finding.row,
        "requirement": finding.requirement,
        "line": problem.line if problem else None,
        "column": problem.column if problem else None,
    }
