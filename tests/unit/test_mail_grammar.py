"""The mail grammar's edges that are no mails: profiles, templates, carets, and its page in the docs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivn_provision.errors import IvnError
from ivn_provision.spec.build import BODY, SUBJECT
from ivn_provision.spec.rules import mail as mail_rules
from ivn_provision.verify.mail.judge import FINDING_CODES, PROBLEM_CODES
from ivn_provision.verify.mail.problem import TOLERATED, UNOPENED, Problem, caret
from ivn_provision.verify.mail.profile import XPROTECT, profile_of
from ivn_provision.verify.mail.strict import written

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "mail-grammar.md"


@pytest.mark.parametrize(
    "product", ["xprotect-professional-2014", "xprotect-enterprise-2014", "xprotect-enterprise"]
)
def test_profile_of_a_recorder(product: str) -> None:
    profile = profile_of(product)
    assert (profile.subject, profile.body) == (SUBJECT, BODY)
    assert (SUBJECT, tuple(line.text for line in profile.lines)) == (mail_rules.SUBJECT, mail_rules.BODY)
    assert [line.label for line in profile.lines] == ["Trigger Event", "Camera is", "Time"]


@pytest.mark.parametrize("product", ["", "xprotect-corporate-2014", "hikvision", "xprotect-professional\n"])
def test_other_products_are_refused(product: str) -> None:
    with pytest.raises(IvnError, match="is not known"):
        profile_of(product)


def first(subject: str = SUBJECT, body: str = BODY) -> tuple[str, int, int, str]:
    (problem,) = written(XPROTECT, subject, body)
    return problem.code, problem.line, problem.column, problem.expected


@pytest.mark.parametrize(
    "body", [BODY, BODY.replace("\n", "\r\n\r\n"), f"\n{BODY}\n\n", BODY.replace("\n", "\r")]
)
def test_the_template_is_the_template(body: str) -> None:
    assert written(XPROTECT, SUBJECT, body) == ()


def test_a_template_is_compared_to_the_character() -> None:
    assert first(subject=SUBJECT[:-1]) == ("subject-differs", 1, 44, "'n'")
    assert first(subject=f"{SUBJECT} ") == ("subject-differs", 1, 45, "the end of the subject")
    assert first(body=BODY.replace("Event :", "Event:")) == ("body-differs", 1, 14, "' : $TriggerName$'")
    assert first(body=BODY.replace("$CameraName$", "$Cameraname$")) == ("body-differs", 2, 20, "'Name$'")
    assert first(body=f"{BODY} ") == ("body-differs", 3, 20, "the end of the line")
    assert first(body="") == ("missing-line", 1, 1, "the line 'Trigger Event : $TriggerName$'")
    assert first(body=BODY.rpartition("\n")[0]) == ("missing-line", 2, 25, "the line 'Time: $TriggerTime$'")
    assert first(body=f"{BODY}\n\n-- \nus") == ("extra-line", 5, 1, "the end of the body")


def problem_at(text: str, column: int) -> Problem:
    return Problem("bad-trigger", "", "body", 1, column, text, "x")


@pytest.mark.parametrize(
    ("text", "column", "shown"),
    [
        ("2 h", 3, "2 h\n  ^"),
        ("", 1, "\n^"),
        ("2", 2, "2\n ^"),
        ("\x1b[2Jx", 5, "\\x1b[2Jx\n       ^"),
        ("正面 x", 4, "正面 x\n     ^"),
        ("e\u0301x", 3, "e\u0301x\n ^"),
        ("a" * 60 + "b", 61, "…" + "a" * 11 + "b\n" + " " * 12 + "^"),
        ("b" + "a" * 60, 1, "b" + "a" * 16 + "…\n^"),
    ],
)
def test_a_caret_stands_under_its_character(text: str, column: int, shown: str) -> None:
    assert caret(problem_at(text, column), width=20) == shown


def test_the_page_lists_every_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    missing = [code for code in (*PROBLEM_CODES, *FINDING_CODES) if f"| `{code}` |" not in page]
    assert missing == []
    assert set(PROBLEM_CODES) >= TOLERATED | UNOPENED
