"""Which findings a waiver excuses, until when, and which waivers excuse nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from ivn_provision.run.audit.record import Cause, FieldDiff, Finding, Level
from ivn_provision.run.audit.waiving import Waiving
from ivn_provision.spec.waivers import Waiver
from tests.support.made_audits import TODAY, drift, failed_check, open_field, waiver

FINDINGS = {"drift": drift(), "check": failed_check(), "open": open_field()}


def judged(finding: Finding, *waivers: Waiver, today: date = TODAY) -> tuple[Finding, ...]:
    return Waiving(waivers, today).applied("a", [finding])


# address, field, check -> what it excuses of FINDINGS
MATCHES = [
    ("a/nvr/camera/10", "", "", {"drift"}),
    ("nvr/camera/10", "", "", {"drift"}),
    ("a/nvr/camera/1", "", "", set()),
    ("*/nvr/camera/*", "", "", {"drift"}),
    ("nvr/camera/*", "", "", {"drift"}),
    ("b/*", "", "", set()),
    ("a/*", "", "", {"drift", "check", "open"}),
    ("nvr/*", "", "", {"drift", "open"}),
    ("a", "", "", set()),
    ("*", "name", "", {"drift"}),
    ("*", "n?me", "", {"drift"}),
    ("*", "password", "", {"open"}),
    ("*", "other", "", set()),
    ("*", "", "disk", {"check"}),
    ("*", "", "d*", {"check"}),
    ("*", "", "smtp-*", set()),
    ("a/check/disk", "", "", {"check"}),
    ("check/disk", "", "", {"check"}),
    ("a/nvr/*", "", "disk", set()),
]


@pytest.mark.parametrize(("address", "field", "check", "excused"), MATCHES)
def test_what_a_waiver_matches(address: str, field: str, check: str, excused: set[str]) -> None:
    one = waiver(address, field=field, check=check)
    found = {name for name, each in FINDINGS.items() for part in judged(each, one) if part.excused}
    assert found == excused


@pytest.mark.parametrize(
    ("days", "excused", "expired"),
    [(1, True, False), (0, True, False), (-1, False, True), (-400, False, True)],
)
@pytest.mark.parametrize("field", ["", "name"])
def test_until_its_last_day(days: int, excused: bool, expired: bool, field: str) -> None:
    (found,) = judged(drift(), waiver("a/*", TODAY + timedelta(days=days), field=field))
    assert found.excused is excused
    assert found.waiver is not None
    assert found.waiver.expired is expired
    assert found.id == drift().id


def test_an_unmatched_finding_is_as_it_was() -> None:
    assert judged(drift(), waiver("b/*")) == (drift(),)


def test_the_one_that_holds_longest_counts() -> None:
    late, early, over = (date(2027, 1, 1), date(2026, 12, 1), date(2026, 1, 1))
    for order in ((late, early, over), (over, early, late)):
        (found,) = judged(drift(), *(waiver("a/*", each) for each in order))
        assert found.waiver is not None
        assert found.waiver.until == "2027-01-01"


def test_a_part_of_a_finding() -> None:
    whole = drift("a", "10", "name", "enabled", "video.fps")
    rest, part = judged(whole, waiver("*", field="video.*"))
    assert [each.name for each in rest.fields] == ["name", "enabled"]
    assert (rest.id, rest.waiver) == (whole.id, None)
    assert [each.name for each in part.fields] == ["video.fps"]
    assert part.excused
    assert part.id.startswith(f"{whole.id}.")
    (again,) = (each for each in judged(whole, waiver("*", field="video.*")) if each.excused)
    assert again.id == part.id


def test_all_parts_by_different_waivers() -> None:
    whole = drift("a", "10", "name", "enabled")
    found = judged(whole, waiver("*", field="name"), waiver("*", TODAY - timedelta(days=3), field="enabled"))
    assert [(each.fields[0].name, each.excused) for each in found] == [("name", True), ("enabled", False)]
    assert len({each.id for each in found}) == 2


def test_one_field_waived_and_the_rest_waived_once() -> None:
    over = waiver("a/*", TODAY - timedelta(days=1))
    rest, part = judged(drift("a", "10", "name", "enabled"), over, waiver("*", field="enabled"))
    assert rest.waiver is not None
    assert rest.waiver.expired
    assert part.excused


@pytest.mark.parametrize("action", ["create", "delete"])
def test_a_whole_object_is_no_matter_of_a_field(action: str) -> None:
    (found,) = judged(drift(action=action), waiver("*", field="*"))
    assert found.waiver is None


# glob, whole audit?, sites seen, sites unseen -> is it unused?
UNUSED = [
    ("a/nvr/user/x", True, {"a"}, set(), True),
    ("a/nvr/user/x", False, {"a"}, set(), True),
    ("b/nvr/user/x", False, {"a"}, set(), False),
    ("b/nvr/user/x", True, {"a"}, {"b"}, False),
    ("b/nvr/user/x", True, {"a"}, set(), True),
    ("nvr/user/x", True, {"a"}, set(), True),
    ("nvr/user/x", True, {"a"}, {"b"}, False),
    ("nvr/user/x", False, {"a"}, set(), False),
    ("*/nvr/user/x", True, {"a"}, set(), True),
    ("*/nvr/user/x", False, {"a"}, set(), False),
    ("a/nvr/camera/10", True, {"a"}, set(), False),
]


@pytest.mark.parametrize(("glob", "whole", "seen", "unseen", "unused"), UNUSED)
def test_what_excuses_nothing(glob: str, whole: bool, seen: set[str], unseen: set[str], unused: bool) -> None:
    waiving = Waiving([waiver(glob)], TODAY)
    waiving.applied("a", [drift()])
    assert bool(waiving.unused(seen, unseen, whole=whole)) is unused


def test_an_expired_one_that_matches_is_used() -> None:
    waiving = Waiving([waiver("a/*", TODAY - timedelta(days=1))], TODAY)
    waiving.applied("a", [drift()])
    assert waiving.unused({"a"}, set(), whole=True) == ()


def test_the_rest_of_a_finding_has_the_cause_of_its_own_fields() -> None:
    """What is left after a change by hand was waived may be nothing but what is not applied yet: no drift."""
    fields = (
        FieldDiff("name", "x", "y", Cause.BY_HAND),
        FieldDiff("fps", "8", "10", Cause.NOT_APPLIED),
    )
    whole = replace(drift(), fields=fields, cause=Cause.BOTH, level=Level.ERROR)
    rest, waived = sorted(judged(whole, waiver("a/*", field="name")), key=lambda each: each.excused)
    assert ([each.name for each in rest.fields], rest.cause, rest.level) == (
        ["fps"],
        Cause.NOT_APPLIED,
        Level.NOTE,
    )
    assert ([each.name for each in waived.fields], waived.cause, waived.level) == (
        ["name"],
        Cause.BY_HAND,
        Level.ERROR,
    )
