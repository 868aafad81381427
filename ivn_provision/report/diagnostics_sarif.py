"""Diagnostics as SARIF 2.1.0, for code scanning (OASIS, sarif-v2.1.0)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from urllib.parse import quote

import ivn_provision
from ivn_provision.diagnostics import Diagnostic, Place
from ivn_provision.report.diagnostics_json import Json

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def render_sarif(diagnostics: Sequence[Diagnostic], titles: Mapping[str, str]) -> str:
    """One run. `titles` are short descriptions of the codes; no source text is included."""
    codes = sorted({each.code for each in diagnostics})
    driver: dict[str, Json] = {
        "name": "ivn-provision",
        "version": ivn_provision.__version__,
        "rules": [_rule(code, titles.get(code, code)) for code in codes],
    }
    run: dict[str, Json] = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(each, codes.index(each.code)) for each in diagnostics],
    }
    document: Json = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=2, ensure_ascii=False)


def _rule(code: str, title: str) -> dict[str, Json]:
    return {"id": code, "shortDescription": {"text": title}}


def _result(found: Diagnostic, rule: int) -> dict[str, Json]:
    text = ". ".join(part.rstrip(".") for part in (found.summary, found.detail, found.hint) if part)
    out: dict[str, Json] = {
        "ruleId": found.code,
        "ruleIndex": rule,
        "level": found.severity.value,
        "message": {"text": f"{text}."},
    }
    if found.place is not None:
        out["locations"] = [location_json(found.place)]
    if found.related:
        out["relatedLocations"] = [
            {**location_json(each.place), "id": number, "message": {"text": each.message}}
            for number, each in enumerate(found.related, 1)
        ]
    if found.site or found.requirements:
        out["properties"] = {"site": found.site, "requirements": list(found.requirements)}
    return out


def location_json(place: Place) -> dict[str, Json]:
    """A SARIF `location`."""
    region: dict[str, Json] = {"startLine": place.line, "startColumn": place.column}
    if place.end_line:
        region["endLine"] = place.end_line
        region["endColumn"] = place.end_column
    artifact: dict[str, Json] = {"uri": _uri(place.path)}
    return {"physicalLocation": {"artifactLocation": artifact, "region": region}}


def _uri(path: str) -> str:
    """The path as the file system has it, byte for byte: a name need not be UTF-8."""
    normal = quote(os.fsencode(os.path.normpath(path).replace(os.sep, "/")))
    return f"file://{normal}" if normal.startswith("/") else normal
