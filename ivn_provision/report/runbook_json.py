"""A runbook as JSON: the same words as the printed one."""

from __future__ import annotations

from typing import Any

from ivn_provision.plan.runbook import Box, Runbook, Step


def to_json(runbook: Runbook) -> dict[str, Any]:
    """`{"site", "program", "complete", "notes", "steps"}`; see docs/how-to/work-by-hand.md."""
    return {
        "version": 1,
        "site": runbook.site,
        "program": runbook.program,
        "complete": runbook.complete,
        "notes": list(runbook.notes),
        "steps": [_step(step) for step in runbook.steps],
    }


def _step(step: Step) -> dict[str, Any]:
    place = step.declared_at
    return {
        "title": step.title,
        "action": step.action,
        "address": str(step.address) if step.address else None,
        "go_to": step.go_to,
        "dialog": step.dialog,
        "why": step.why,
        "lines": list(step.lines),
        "boxes": [_box(box) for box in step.boxes],
        "notes": list(step.notes),
        "requirements": list(step.requirements),
        "declared_at": {"path": place.path, "line": place.line, "column": place.column} if place else None,
    }


def _box(box: Box) -> dict[str, Any]:
    return {
        "field": box.field,
        "label": box.label,
        "value": box.value,
        "was": box.was,
        "note": box.note,
        "standing": box.standing,
        "verified": box.verified,
        "requirements": list(box.requirements),
    }
