"""A template, declared or live, compared with the product's to the character (R-40)."""

from __future__ import annotations

from collections.abc import Iterator

from ivn_provision.verify.mail.lines import first_difference
from ivn_provision.verify.mail.problem import Problem
from ivn_provision.verify.mail.profile import MailProfile


def written(profile: MailProfile, subject: str, body: str) -> tuple[Problem, ...]:
    """The first difference of the subject and the first of the body; nothing if both are the template.

    Blank lines do not count, since it is not known whether they belong to the template (C-14); nor does it
    matter how lines end. Everything else does: case, blanks before colons, and blanks at a line's end.
    """
    return (*_subject(profile, subject), *_body(profile, body))


def _subject(profile: MailProfile, subject: str) -> Iterator[Problem]:
    if subject != profile.subject:
        yield _differs("subject-differs", "subject", 1, subject, profile.subject)


def _body(profile: MailProfile, body: str) -> Iterator[Problem]:
    lines = body.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    given = [(number, text) for number, text in enumerate(lines, 1) if text.strip()]
    for (number, text), line in zip(given, profile.lines, strict=False):
        if text != line.text:
            yield _differs("body-differs", "body", number, text, line.text)
            return
    if len(given) < len(profile.lines):
        number, text = given[-1] if given else (1, lines[0])
        missing = profile.lines[len(given)].text
        message = f"the body ends before the line '{missing}'"
        yield Problem("missing-line", message, "body", number, len(text) + 1, text, f"the line '{missing}'")
    elif len(given) > len(profile.lines):
        number, text = given[len(profile.lines)]
        message = "the body goes on after the template's last line"
        yield Problem("extra-line", message, "body", number, 1, text, "the end of the body")


def _differs(code: str, part: str, line: int, text: str, wanted: str) -> Problem:
    column = first_difference(text, wanted) + 1
    rest = wanted[column - 1 :]
    return Problem(
        code=code,
        message=f"the {part} is not the template's from column {column} of line {line} on",
        part="subject" if part == "subject" else "body",
        line=line,
        column=column,
        text=text,
        expected=f"'{rest}'" if rest else f"the end of the {'subject' if part == 'subject' else 'line'}",
    )
