"""Diagnostics as JSON, in the shape of Terraform's `validate -json`.

https://developer.hashicorp.com/terraform/internals/machine-readable-ui: severity, summary, detail, range
(filename, start, end with line, column, byte) and snippet. Here `byte` is left out: places count in characters.
`code`, `hint`, `site`, `requirements` and `related` are ours.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from ivn_provision.diagnostics import Diagnostic, Place
from ivn_provision.report.source_lines import SourceLine, file_lines, hiding_unknown

Json = None | bool | int | str | list["Json"] | dict[str, "Json"]


def render_json(diagnostics: Sequence[Diagnostic], source_line: SourceLine = file_lines) -> str:
    """One document; `valid` is false if there are errors."""
    shown = hiding_unknown(diagnostics, source_line)
    errors = sum(1 for each in diagnostics if each.is_error)
    document: Json = {
        "format_version": "1.0",
        "valid": errors == 0,
        "error_count": errors,
        "warning_count": len(diagnostics) - errors,
        "diagnostics": [diagnostic_json(each, shown) for each in diagnostics],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def diagnostic_json(found: Diagnostic, source_line: SourceLine) -> dict[str, Json]:
    """One diagnostic."""
    out: dict[str, Json] = {
        "severity": found.severity.value,
        "code": found.code,
        "summary": found.summary,
        "detail": found.detail,
        "hint": found.hint,
    }
    if found.site:
        out["site"] = found.site
    if found.requirements:
        out["requirements"] = list(found.requirements)
    if found.place is not None:
        out["range"] = _range(found.place)
        out["snippet"] = _snippet(found.place, source_line)
    if found.related:
        out["related"] = [{"message": each.message, "range": _range(each.place)} for each in found.related]
    return out


def _range(place: Place) -> dict[str, Json]:
    end_line, end_column = (
        (place.end_line, place.end_column) if place.end_line else (place.line, place.column)
    )
    return {
        "filename": place.path,
        "start": {"line": place.line, "column": place.column},
        "end": {"line": end_line, "column": end_column},
    }


def _snippet(place: Place, source_line: SourceLine) -> dict[str, Json]:
    code = source_line(place.path, place.line)
    start = min(place.column - 1, len(code))
    end = min(place.end_column - 1, len(code)) if place.end_line == place.line else len(code)
    return {
        "context": None,
        "code": code,
        "start_line": place.line,
        "highlight_start_offset": start,
        "highlight_end_offset": max(start, end),
        "values": [],
    }
