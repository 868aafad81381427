"""The failure table holds together: all rows, checks and rules that exist, and each cites the other."""

from __future__ import annotations

import pytest

from ivn_provision.spec.rules import RULES
from ivn_provision.verify.checks import CHECKS
from ivn_provision.verify.registry import Check
from tests.support.failure_table import ROWS, Row, rows, shown_by

TABLE = rows()
BY_ID = {each.id: each for each in CHECKS}
NEVER_FAIL = {
    "onvif-device",  # only of cameras that declare it: tests/wire/test_onvif.py has such sites
    "onvif-video",
    "onvif-inputs",
    "onvif-clock",
    "camera-clock",  # cameras that the tool manages itself: tests/wire/test_camera_checks.py
    "camera-ports",
    "camera-rules",
    "camera-stream",
    "camera-accounts",
    "camera-time-source",
    "camera-inputs",
    "camera-mail-server",
    "camera-firmware",
    "camera-legacy-events",
    "product",  # warns of a version without a layout: tests/wire/test_unknown_version.py has such recorders
    "prerequisites",  # the lab's Windows cannot be made older by a command
}


def test_all_rows_are_there() -> None:
    assert [each.row for each in TABLE] == list(range(1, ROWS + 1))


@pytest.mark.parametrize("row", TABLE, ids=lambda each: str(each.row))
def test_a_row_and_what_finds_it_cite_each_other(row: Row) -> None:
    for shown in row.shown:
        if shown.by == "check":
            assert f"row {row.row}" in BY_ID[shown.check].refs
            assert set(shown.also) <= set(BY_ID)
    for code in row.rules:
        (rule,) = [each for each in RULES if each.code == code]
        assert f"portal row {row.row}" in rule.requirements


# cited, and shown by nothing: the fact is a person's, another verb's, or a rule's
ONLY_CITED = {
    ("mail-gates", 14),
    ("mail-clock", 19),
    ("portal-site", 37),
    ("camera-clock", 18),
    ("camera-time-source", 18),
    ("camera-legacy-events", 16),
    ("onvif-clock", 18),
    ("product", 40),
    ("prerequisites", 40),
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda each: each.id)
def test_a_row_that_a_check_cites_makes_it_fail(check: Check) -> None:
    cited = {int(each.removeprefix("row ")) for each in check.refs if each.startswith("row ")}
    made = {one.row for one in shown_by("check") if check.id == one.check or check.id in one.also}
    assert cited - made == {row for name, row in ONLY_CITED if name == check.id}


def test_every_check_is_made_fail_by_a_row() -> None:
    failing = {name for each in shown_by("check") for name in (each.check, *each.also)}
    assert set(BY_ID) - failing == NEVER_FAIL
