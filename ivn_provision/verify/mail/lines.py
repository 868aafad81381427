"""The labelled lines of a mail's body: which are there, in which order, and what is between them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

from ivn_provision.verify.mail.problem import Problem, quoted
from ivn_provision.verify.mail.profile import Field, MailProfile, TemplateLine

BLANK = " \t\u00a0\u3000"
"""Blanks tolerated around labels, colons and values."""
_ALIKE = 0.6  # of a label and the beginning of a line: below, the line is no misspelt label


@dataclass(frozen=True, slots=True)
class Found:
    """A labelled line. `line` counts from 0; the value stands at `start` of `text`, without blanks around it."""

    template: TemplateLine
    line: int
    text: str
    indent: int
    start: int
    value: str


def find_lines(lines: Sequence[str], profile: MailProfile) -> dict[Field, list[Found]]:
    """All lines with a label, by field, from top to bottom."""
    found: dict[Field, list[Found]] = {template.field: [] for template in profile.lines}
    for number, text in enumerate(lines):
        for template in profile.lines:
            if match := _at_start(template.label).match(text):
                value = text[match.end() :].rstrip(BLANK)
                found[template.field].append(
                    Found(template, number, text, match.start("label"), match.end(), value)
                )
    return found


def structure_problems(
    lines: Sequence[str], found: Mapping[Field, Sequence[Found]], profile: MailProfile
) -> Iterator[Problem]:
    """Lines that are missing, there twice, in another order, spaced otherwise, or not of the template."""
    for template in profile.lines:
        seen = found[template.field]
        if not seen:
            yield _missing(lines, found, profile, template)
        elif len(seen) > 1:
            yield _duplicate(seen)
    yield from _order(found, profile)
    for template in profile.lines:
        yield from (problem for one in found[template.field][:1] for problem in _spacing(one))
    yield from _extra(lines, found)


@lru_cache(maxsize=64)
def _at_start(label: str) -> re.Pattern[str]:
    return re.compile(rf"[{BLANK}]*(?P<label>{_anywhere(label).pattern})[{BLANK}]*")


@lru_cache(maxsize=64)
def _anywhere(label: str) -> re.Pattern[str]:
    """Does not begin with blanks: a search for them would take quadratic time."""
    words = rf"[{BLANK}]+".join(re.escape(word) for word in label.split(" "))
    return re.compile(rf"{words}[{BLANK}]*:")


def _missing(
    lines: Sequence[str],
    found: Mapping[Field, Sequence[Found]],
    profile: MailProfile,
    template: TemplateLine,
) -> Problem:
    at, column, expected = _where_missing(lines, found, profile, template)
    return Problem(
        code="missing-line",
        message=f"the body has no line '{template.shown}'",
        part="body",
        line=at + 1,
        column=column + 1,
        text=lines[at],
        expected=expected,
    )


def _where_missing(
    lines: Sequence[str],
    found: Mapping[Field, Sequence[Found]],
    profile: MailProfile,
    template: TemplateLine,
) -> tuple[int, int, str]:
    """Line and column, from 0, of the character where the line was wanted, and what was wanted there."""
    wanted = f"the line '{template.shown}'"
    for one in (one for each in found.values() for one in each):
        if inside := _anywhere(template.label).search(one.text, one.start):
            return one.line, inside.start(), f"the end of the line, and then {wanted}"
    number = _misspelt(lines, found, template)
    if number is None:
        number = _in_its_place(lines, found, profile, template)
    if number is not None:
        return number, _label_stop(lines[number], template.label), wanted
    later = profile.lines[profile.lines.index(template) + 1 :]
    follower = next((found[each.field][0] for each in later if found[each.field]), None)
    if follower:
        return follower.line, follower.indent, wanted
    return *_end_of(lines), wanted


def _unlabelled(lines: Sequence[str], found: Mapping[Field, Sequence[Found]]) -> list[int]:
    labelled = {one.line for each in found.values() for one in each}
    return [number for number, text in enumerate(lines) if number not in labelled and text.strip()]


def _misspelt(
    lines: Sequence[str], found: Mapping[Field, Sequence[Found]], template: TemplateLine
) -> int | None:
    """The line that begins most like the label, if one does."""
    label = template.label.casefold()
    best: tuple[float, int] | None = None
    for number in _unlabelled(lines, found):
        begins = lines[number].lstrip(BLANK)[: len(label)].casefold()
        alike = SequenceMatcher(None, label, begins, autojunk=False).ratio()
        if alike >= _ALIKE and (best is None or alike > best[0]):
            best = (alike, number)
    return best[1] if best else None


def _in_its_place(
    lines: Sequence[str],
    found: Mapping[Field, Sequence[Found]],
    profile: MailProfile,
    template: TemplateLine,
) -> int | None:
    """The unlabelled line where the label should be: as many lines down as in the template."""
    written = [number for number, text in enumerate(lines) if text.strip()]
    place = profile.lines.index(template)
    if place < len(written) and written[place] in _unlabelled(lines, found):
        return written[place]
    return None


def _end_of(lines: Sequence[str]) -> tuple[int, int]:
    """Behind the last character that is not blank."""
    last = max((number for number, text in enumerate(lines) if text.strip()), default=0)
    return last, len(lines[last].rstrip())


def _label_stop(text: str, label: str) -> int:
    """The index of the first character of `text` that is not the label's, by the tolerant reading."""
    index = len(text) - len(text.lstrip(BLANK))
    for position, word in enumerate(label.split(" ")):
        if position:
            after = index + len(text[index:]) - len(text[index:].lstrip(BLANK))
            if after == index:
                return index
            index = after
        for char in word:
            if text[index : index + 1] != char:
                return index
            index += 1
    return index + len(text[index:]) - len(text[index:].lstrip(BLANK))


def _duplicate(seen: Sequence[Found]) -> Problem:
    again = seen[1]
    return Problem(
        code="duplicate-line",
        message=f"the body has the line '{again.template.shown}' {len(seen)} times, first in line {seen[0].line + 1}",
        part="body",
        line=again.line + 1,
        column=again.indent + 1,
        text=again.text,
        expected="each label once",
    )


def _order(found: Mapping[Field, Sequence[Found]], profile: MailProfile) -> Iterator[Problem]:
    wanted = [found[template.field][0] for template in profile.lines if found[template.field]]
    actual = sorted(wanted, key=lambda one: one.line)
    for want, got in zip(wanted, actual, strict=True):
        if want is not got:
            yield Problem(
                code="order",
                message=f"the line '{got.template.shown}' stands before '{want.template.shown}'",
                part="body",
                line=got.line + 1,
                column=got.indent + 1,
                text=got.text,
                expected=f"the line '{want.template.shown}'",
            )
            return


def _spacing(one: Found) -> Iterator[Problem]:
    """What stands before the value, compared with the template to the character."""
    before, wanted = one.text[: one.start], one.template.before
    if not one.value:
        before, wanted = before.rstrip(BLANK), wanted.rstrip(BLANK)
    if before == wanted:
        return
    column = first_difference(before, wanted)
    yield Problem(
        code="spacing",
        message=f"the blanks of the label are not the template's: {quoted(before)}, not {quoted(wanted)}",
        part="body",
        line=one.line + 1,
        column=column + 1,
        text=one.text,
        expected=f"'{wanted}'",
    )


def _extra(lines: Sequence[str], found: Mapping[Field, Sequence[Found]]) -> Iterator[Problem]:
    """The first line that is neither blank nor labelled, unless a label is missing: then it may be that line."""
    extra = _unlabelled(lines, found)
    if extra and all(found.values()):
        number = extra[0]
        count = f" and {len(extra) - 1} more" if len(extra) > 1 else ""
        yield Problem(
            code="extra-line",
            message=f"the body has a line that the template has not: {quoted(lines[number])}{count}",
            part="body",
            line=number + 1,
            column=len(lines[number]) - len(lines[number].lstrip()) + 1,
            text=lines[number],
            expected="nothing but the template's lines",
        )


def first_difference(text: str, wanted: str) -> int:
    """The index of the first character in which they differ; the length of the shorter if there is none."""
    pairs = zip(text, wanted, strict=False)
    return next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(text), len(wanted)))
