"""PyYAML's errors in our words, with a place and what to do."""

from __future__ import annotations

import re

import yaml

from ivn_provision.diagnostics import Diagnostic, Place, Related, Severity
from ivn_provision.spec.composer import MAX_DEPTH, TooDeep

_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_HINTS = (
    ("mapping values are not allowed", "Quote text that holds `: `, and check the indentation of this line."),
    ("found unexpected end of stream", "A quote or bracket that is opened above is never closed."),
    ("could not find expected ':'", "A key needs `: ` after it; continued text needs deeper indentation."),
    ("did not find expected key", "Check the indentation of this line against the lines above."),
    ("did not find expected '-' indicator", "Items of one list begin with `- ` in the same column."),
    ("did not find expected ',' or", "A bracket is not closed, or a comma is missing."),
    ("found character that cannot start any token", "Quote text that begins with `@`, a backquote or `%`."),
    ("found unknown escape character", "Use single quotes, or double the backslash."),
    ("did not find expected <document start>", "One file holds one site: nothing may follow `...`."),
)
_OTHER_HINT = "Check the quotes, brackets and indentation of this line and the one above."


def word_error(problem: yaml.YAMLError | TooDeep, text: str, path: str) -> Diagnostic:
    """The diagnostic of a text that cannot be composed."""
    if isinstance(problem, TooDeep):
        return _too_deep(problem, path)
    if isinstance(problem, yaml.MarkedYAMLError):
        return _marked(problem, text, path)
    return _unreadable(text, path)


def _too_deep(problem: TooDeep, path: str) -> Diagnostic:
    place = _at(path, problem.mark)
    summary = f"maps and lists are nested deeper than {MAX_DEPTH} levels"
    return Diagnostic(Severity.ERROR, "YML015", summary, place, hint="A site file needs about six levels.")


def _unreadable(text: str, path: str) -> Diagnostic:
    found = _CONTROL.search(text)
    if found is None:
        return Diagnostic(Severity.ERROR, "YML006", "the file is not YAML", Place(path, 1, 1, 1, 1))
    at = found.start()
    line, column = text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1
    place = Place(path, line, column, line, column + 1)
    summary = f"control character U+{ord(found[0]):04X} in the file"
    return Diagnostic(Severity.ERROR, "YML008", summary, place, hint="Delete it; site files are plain text.")


def _marked(problem: yaml.MarkedYAMLError, text: str, path: str) -> Diagnostic:
    mark = problem.problem_mark or problem.context_mark
    place = _at(path, mark)
    said = problem.problem or problem.context or "not YAML"
    if "another document" in said:
        hint = "One file holds one site: put the second into a file of its own."
        return Diagnostic(Severity.ERROR, "YML007", "the file holds more than one document", place, hint=hint)
    if "undefined alias" in said or "duplicate anchor" in (problem.context or ""):
        return _anchor(problem, place, path)
    if _tab_indents(text, place.line):
        tab = _tab_place(text, place)
        hint = "Indent with spaces; most editors can convert tabs."
        return Diagnostic(Severity.ERROR, "YML005", "a tab is used for indentation", tab, hint=hint)
    hint = next((hint for start, hint in _HINTS if start in said), _OTHER_HINT)
    context = f" {problem.context}" if problem.context and problem.context != said else ""
    related: tuple[Related, ...] = ()
    if problem.context_mark is not None and problem.context_mark.line != place.line - 1:
        related = (Related(_at(path, problem.context_mark), f"{problem.context}, which begins here"),)
    return Diagnostic(Severity.ERROR, "YML006", f"{said}{context}", place, hint=hint, related=related)


def _anchor(problem: yaml.MarkedYAMLError, place: Place, path: str) -> Diagnostic:
    if "undefined alias" in (problem.problem or ""):
        hint = "An alias (*name) needs an anchor (&name) above it; quote text that begins with `*`."
        return Diagnostic(Severity.ERROR, "YML018", "the alias has no anchor", place, hint=hint)
    related = (
        (Related(_at(path, problem.context_mark), "defined here first"),) if problem.context_mark else ()
    )
    hint = "Give the second anchor another name; shared values are better put into a group."
    return Diagnostic(
        Severity.ERROR, "YML018", "the anchor is defined twice", place, hint=hint, related=related
    )


def _tab_indents(text: str, line: int) -> bool:
    return "\t" in _indent(text, line)


def _tab_place(text: str, place: Place) -> Place:
    column = _indent(text, place.line).index("\t") + 1
    return Place(place.path, place.line, column, place.line, column + 1)


def _indent(text: str, line: int) -> str:
    lines = text.split("\n", line)
    full = lines[line - 1] if len(lines) >= line else ""
    return full[: len(full) - len(full.lstrip(" \t"))]


def _at(path: str, mark: yaml.Mark | None) -> Place:
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    return Place(path, line, column, line, column + 1)
