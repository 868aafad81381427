"""Diagnostics for people: the place, the line, a caret and a hint, as compilers do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ivn_provision.diagnostics import Diagnostic, Place
from ivn_provision.report.paint import Paint, safe
from ivn_provision.report.source_lines import SourceLine, file_lines, hiding_unknown

_MAX_WIDTH = 160


def render(diagnostics: Sequence[Diagnostic], paint: Paint, source_line: SourceLine = file_lines) -> str:
    """One block per diagnostic, a blank line between them."""
    shown = hiding_unknown(diagnostics, source_line)
    return "\n\n".join(_block(each, shown, paint) for each in diagnostics)


def summary_text(sites: int, errors: int, warnings: int, unchanged: int = 0) -> str:
    """`12 sites: 1 error, no warnings`."""
    known = f" ({unchanged} unchanged)" if unchanged else ""
    return f"{_count(sites, 'site')}{known}: {_count(errors, 'error')}, {_count(warnings, 'warning')}"


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def _block(found: Diagnostic, source_line: SourceLine, paint: Paint) -> str:
    colour = "red" if found.is_error else "yellow"
    head = paint(f"{found.severity.value}[{found.code}]", "bold", colour)
    lines = [f"{head}: {safe(found.summary)}"]
    excerpts = _Excerpts(source_line, paint, _gutter(found))
    pad = " " * excerpts.width
    if found.place is not None:
        lines += excerpts.lines(found.place, "-->", "", colour)
    elif found.site:
        lines.append(f"{pad[1:]}{paint('-->', 'blue')} site {safe(found.site)}")
    for related in found.related:
        lines += excerpts.lines(related.place, ":::", related.message, "blue")
    for label, text in (
        ("note", found.detail),
        ("hint", found.hint),
        ("from", ", ".join(found.requirements)),
    ):
        if text:
            lines.append(f"{pad}{paint('=', 'blue')} {label}: {safe(text)}")
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class _Excerpts:
    """Lines of source; `width` is that of the line numbers."""

    source_line: SourceLine
    paint: Paint
    width: int

    def lines(self, place: Place, arrow: str, message: str, colour: str) -> list[str]:
        pad, bar = " " * self.width, self.paint("|", "blue")
        head = f"{pad[1:]}{self.paint(arrow, 'blue')} {safe(place.path)}:{place.line}:{place.column}"
        text = self.source_line(place.path, place.line)
        if not text.strip():
            return [head, f"{pad}{bar} {safe(message)}"] if message else [head]
        column = min(place.column - 1, len(text))
        shown, start = _window(text, column)
        carets = min(_carets(place, len(text) - column), max(1, len(shown) - start))
        number = self.paint(f"{place.line:>{self.width - 1}}", "blue")
        under = f"{' ' * start}{self.paint('^' * carets, 'bold', colour)} {safe(message)}".rstrip()
        return [head, f"{pad}{bar}", f"{number} {bar} {shown}".rstrip(), f"{pad}{bar} {under}"]


def _window(text: str, start: int) -> tuple[str, int]:
    """The part of a long line around the caret, one character per column."""
    clean = "".join(char if char.isprintable() else " " if char == "\t" else "?" for char in text)
    if len(clean) <= _MAX_WIDTH:
        return clean, start
    left = max(0, start - _MAX_WIDTH // 2)
    return clean[left : left + _MAX_WIDTH], start - left


def _carets(place: Place, rest: int) -> int:
    if place.end_line == place.line and place.end_column > place.column:
        return max(1, min(place.end_column - place.column, rest or 1))
    return 1


def _gutter(found: Diagnostic) -> int:
    places = [found.place, *(each.place for each in found.related)]
    return max((len(str(place.line)) for place in places if place is not None), default=1) + 1
