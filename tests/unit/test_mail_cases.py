"""Mails, good and broken, one folder each: `mail.eml`, and in `expected.json` all that is read in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.mail_cases import CASES, outcome

FOLDERS = sorted(path.parent for path in CASES.glob("*/mail.eml"))


@pytest.mark.parametrize("folder", FOLDERS, ids=[path.name for path in FOLDERS])
def test_mail_is_read_and_judged(folder: Path) -> None:
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    found = outcome((folder / "mail.eml").read_bytes(), expected["given"])
    assert {"given": expected["given"], **found} == expected


def test_there_are_many() -> None:
    assert len(FOLDERS) >= 80


def test_their_line_ends_are_kept() -> None:
    """Git must not touch them: some mails end their lines with CR, or with CR and LF."""
    assert b"\r\n" in (CASES / "good-crlf" / "mail.eml").read_bytes()
    assert b"\n" not in (CASES / "good-cr-only" / "mail.eml").read_bytes()
    assert b"\r" not in (CASES / "good-lf" / "mail.eml").read_bytes()
