"""Diagnostics as workflow commands of GitHub Actions: annotations at the lines of a pull request.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from collections.abc import Iterable

from ivn_provision.diagnostics import Diagnostic


def render_github(diagnostics: Iterable[Diagnostic]) -> str:
    """One line per diagnostic."""
    return "\n".join(_command(each) for each in diagnostics)


def _command(found: Diagnostic) -> str:
    properties: dict[str, str] = {}
    if found.place is not None:
        properties |= {
            "file": found.place.path,
            "line": str(found.place.line),
            "col": str(found.place.column),
        }
        if found.place.end_line == found.place.line:
            properties["endColumn"] = str(found.place.end_column)
    properties["title"] = found.code
    text = " ".join(part for part in (found.summary, found.detail, found.hint) if part)
    listed = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{found.severity.value} {listed}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
