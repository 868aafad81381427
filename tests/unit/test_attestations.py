"""Attestations: what counts for which value and how long, and files that keep what is in them."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ivn_provision.errors import IvnError, SpecError
from ivn_provision.model.resource import Address, Value
from ivn_provision.plan.attestations import (
    Attestation,
    entry_lines,
    judged,
    moment_of,
    quoted,
    value_digest,
    weighed,
)
from ivn_provision.plan.observed import with_observations
from ivn_provision.plan.plan import Observation, SitePlan, Standing, Unverified
from ivn_provision.run.applying import judge
from ivn_provision.run.attestation_entries import CODES, read_entries
from ivn_provision.run.attestation_files import record, recorded
from ivn_provision.run.attesting import take
from ivn_provision.secret import Secret, SecretRef
from ivn_provision.spec.schema_files import schema_text
from ivn_provision.spec.site import Places, Site
from ivn_provision.spec.values import Computed

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
USER = Address("harbor", "nvr", "user", "ivnview")
MAIL = Address("harbor", "nvr", "mail_server")
REFERENCE = SecretRef("env", "IVNVIEW")
QUESTION = Unverified(USER, "password", "write-only in the product", REFERENCE)


def attested(days_ago: float = 1, *, value: Value = REFERENCE, by: str = "J. Doe") -> Attestation:
    return Attestation(
        USER, "password", value_digest(value), by, NOW - timedelta(days=days_ago), "login tried", "run-1"
    )


def standing(*attestations: Attestation, question: Unverified = QUESTION, days: int = 90) -> Unverified:
    return judged([question], attestations, now=NOW, days=days)[0]


# What counts


def test_nobody_has_attested() -> None:
    assert (standing().standing, standing().is_open) == (Standing.NEVER, True)


def test_an_attestation_counts_for_its_days() -> None:
    found = standing(attested(89))
    assert (found.standing, found.is_open) == (Standing.ATTESTED, False)
    assert found.evidence == "by J. Doe on 2026-08-26, valid until 2026-11-24"


def test_an_attestation_expires() -> None:
    found = standing(attested(90))
    assert (found.standing, found.is_open) == (Standing.EXPIRED, True)
    assert found.evidence == "by J. Doe on 2026-08-25, expired on 2026-11-23"
    assert standing(attested(90), days=91).standing is Standing.ATTESTED


def test_an_attestation_from_the_future_counts_for_nothing() -> None:
    ahead = attested(-365, by="A slip")
    found = standing(ahead)
    assert (found.standing, found.is_open) == (Standing.NEVER, True)
    assert found.evidence == "by A slip on 2027-11-23, which is still to come"
    assert standing(ahead, attested(95)).standing is Standing.EXPIRED
    assert standing(attested(-0.5)).standing is Standing.ATTESTED, "a day begins in UTC"


def test_the_last_day_of_the_calendar_is_no_traceback() -> None:
    last = replace(attested(), moment=datetime(9999, 12, 31, tzinfo=UTC))
    assert standing(last).standing is Standing.NEVER
    assert last.until(90) > last.moment


def test_the_newest_of_the_value_counts() -> None:
    assert standing(attested(200), attested(5, by="B"), attested(90)).evidence.startswith("by B")


def test_another_value_is_not_attested() -> None:
    other = attested(value=SecretRef("env", "OTHER"))
    found = standing(other)
    assert (found.standing, found.is_open) == (Standing.CHANGED, True)
    assert standing(other, attested(80)).standing is Standing.ATTESTED


def test_a_value_that_is_not_known_cannot_be_attested() -> None:
    question = replace(QUESTION, value=Computed("portal.smtp_account_id"))
    assert standing(attested(value=question.value), question=question).is_open


def test_an_attestation_of_another_field_or_object_says_nothing() -> None:
    assert standing(replace(attested(), field="kind")).standing is Standing.NEVER
    assert standing(replace(attested(), address=MAIL)).standing is Standing.NEVER


def test_a_digest_is_of_the_reference_never_of_the_secret() -> None:
    assert value_digest(Secret("hunter2", REFERENCE)) == value_digest(REFERENCE)
    assert value_digest(Secret("hunter2", REFERENCE)) == value_digest(Secret("other", REFERENCE))
    assert value_digest(SecretRef("env", "X", base="/a")) == value_digest(SecretRef("env", "X", base="/b"))


def test_digests_tell_values_apart() -> None:
    values: list[Value] = [
        True, 1, "1", "true", ("1",), None, "", REFERENCE, str(REFERENCE), Computed("a.b"), "!ref a.b", 1.5,
    ]  # fmt: skip
    assert len({value_digest(each) for each in values}) == len(values)
    assert value_digest(("a", "b")) == value_digest(("b", "a")), "recipients have no order"


# What is observed


def seen(*, confirmed: bool, at: str = "") -> Observation:
    return Observation(USER, "password", confirmed, "a login", at)


def test_what_is_observed_is_not_open() -> None:
    (found,), refuted = weighed([QUESTION], [seen(confirmed=True)])
    assert (found.standing, found.evidence, refuted) == (Standing.OBSERVED, "a login", ())


def test_what_is_refuted_is_a_change_for_a_person() -> None:
    plan = SitePlan("harbor", unchanged=1, unverified=(standing(attested()),))
    found = with_observations(plan, [seen(confirmed=False), seen(confirmed=True)])
    (change,) = found.changes
    assert (change.manual, change.address, change.fields[0].reason) == (True, USER, "a login")
    assert (found.unverified, found.unchanged) == ((), 0)


def test_an_attestation_newer_than_the_evidence_stands() -> None:
    """The last mail may be older than the repair; what is seen now is not."""
    question = standing(attested(1))
    old = seen(confirmed=False, at="2026-11-20T00:00:00Z")
    (left,), refuted = weighed([question], [old], [attested(1)])
    assert (left.standing, refuted) == (Standing.ATTESTED, ())
    newer = seen(confirmed=False, at="2026-11-23T00:00:00Z")
    assert weighed([question], [newer], [attested(1)])[1]
    assert weighed([question], [seen(confirmed=False)], [attested(1)])[1]


def test_what_is_open_needs_a_person() -> None:
    error = judge("harbor", SitePlan("harbor", unverified=(QUESTION,)))
    assert error is not None
    assert error.exit_code == 4
    assert error.summary == "harbor needs a person for 1 field(s) that reading does not show"
    assert "runbook harbor --form" in error.next_step
    assert judge("harbor", SitePlan("harbor", unverified=(standing(attested()),))) is None


# Files


def test_recording_and_reading(tmp_path: Path) -> None:
    path = tmp_path / "attestations" / "harbor.yml"
    assert recorded(str(path), "harbor") == ()
    record(str(path), "harbor", [attested(1)])
    before = path.read_bytes()
    record(str(path), "harbor", [attested(0, by='"quoted"\u202e\n - x: *a')])
    assert path.read_bytes().startswith(before), "what is there stays, byte for byte"
    found = [replace(each, place=None) for each in recorded(str(path), "harbor")]
    assert found == [attested(1), attested(0, by='"quoted"\u202e\n - x: *a')]
    assert list(path.parent.iterdir()) == [path], "no temporary file is left"
    jsonschema.validate(
        yaml.safe_load(path.read_text("utf-8")), json.loads(schema_text("attestations.schema.json"))
    )


BY_HAND = {
    "comments and blank lines": "# kept by us\nsite: harbor\n\nattestations:\n# first\n- {entry}\n\n# end\n",
    "no end of line": "site: harbor\nattestations:\n    - {entry}",
    "carriage returns": "site: harbor\r\nattestations:\r\n  - {entry}\r\n",
    "nothing yet": "site: harbor\nattestations:\n",
    "byte order mark": "\ufeffsite: harbor\nattestations:\n  - {entry}\n",
}
ENTRY = f'{{address: harbor/nvr/user/ivnview, field: password, value: "{value_digest(REFERENCE)}", by: A, when: 2026-11-01}}'


@pytest.mark.parametrize("name", BY_HAND)
def test_a_file_that_people_wrote_is_appended_to(tmp_path: Path, name: str) -> None:
    path = tmp_path / "harbor.yml"
    path.write_bytes(BY_HAND[name].replace("{entry}", ENTRY).encode())
    path.chmod(0o640)
    before, count = path.read_bytes(), BY_HAND[name].count("{entry}")
    record(str(path), "harbor", [attested()])
    assert path.read_bytes().startswith(before)
    assert [each.by for each in recorded(str(path), "harbor")] == ["A"] * count + ["J. Doe"]
    assert path.stat().st_mode & 0o777 == 0o640
    if name == "carriage returns":
        assert b"\n" not in path.read_bytes().replace(b"\r\n", b"")


@pytest.mark.parametrize(
    "text",
    [
        "site: harbor\nattestations: []\n",
        f"attestations:\n  - {ENTRY}\nsite: harbor\n",
        "site: harbor\nattestations:\n...\n",
    ],
)
def test_where_nothing_can_be_appended_nothing_is_written(tmp_path: Path, text: str) -> None:
    path = tmp_path / "harbor.yml"
    path.write_text(text, "utf-8")
    with pytest.raises(IvnError, match="nothing can be appended"):
        record(str(path), "harbor", [attested()])
    assert path.read_text("utf-8") == text


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(IvnError, match="cannot be written"):
        record(str(tmp_path / "attestations" / "harbor.yml"), "harbor", [attested()])


def test_a_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "attestations").write_text("")
    with pytest.raises(IvnError, match="cannot be written"):
        record(str(tmp_path / "attestations" / "harbor.yml"), "harbor", [attested()])


GOOD = {
    "address": "harbor/nvr/user/ivnview", "field": "password", "value": "0123456789abcdef", "by": "A", "when": "2026-11-01",
}  # fmt: skip


def file_of(**changed: object) -> str:
    entry = {key: value for key, value in {**GOOD, **changed}.items() if value is not None}
    return yaml.safe_dump({"site": "harbor", "attestations": [entry]}, sort_keys=False)


HOSTILE = {
    "not a map": ("- a\n", "SCH002"),
    "not YAML": ("site: [\n", "YML006"),
    "binary": ("site: \x07\n", "YML008"),
    "no site": ("attestations: []\n", "ATT001"),
    "no list": ("site: harbor\nattestations: 3\n", "ATT001"),
    "no map in the list": ("site: harbor\nattestations: [1]\n", "ATT001"),
    "unknown key at the top": ("site: harbor\nattestation: []\n", "ATT001"),
    "unknown key": (file_of(bye="A"), "ATT001"),
    "no name": (file_of(by=None), "ATT001"),
    "empty name": (file_of(by=" "), "ATT001"),
    "number": (file_of(by=3), "ATT001"),
    "secret": ("site: harbor\nattestations:\n  - {by: !secret env:X}\n", "ATT001"),
    "unknown tag": ("site: harbor\nattestations:\n  - {by: !!python/object:os.system x}\n", "YML012"),
    "long name": (file_of(by="A" * 201), "ATT002"),
    "no address": (file_of(address="harbor"), "ATT002"),
    "no field": (file_of(field="pass word"), "ATT002"),
    "no digest": (file_of(value="hunter2"), "ATT002"),
    "no time": (file_of(when="yesterday"), "ATT002"),
    "no zone": (file_of(when="2026-11-01T10:00:00"), "ATT002"),
    "no such day": (file_of(when="2026-02-30"), "ATT002"),
    "far away": (file_of(when="0001-01-01T00:00:00+14:00"), "ATT002"),
    "another site": (file_of(address="other/nvr/user/ivnview"), "ATT003"),
    "deep": ("site: harbor\nattestations: " + "[" * 3000, "YML015"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_bad_file_is_an_error_with_its_place(tmp_path: Path, name: str) -> None:
    text, code = HOSTILE[name]
    path = tmp_path / "harbor.yml"
    path.write_text(text, "utf-8")
    with pytest.raises(SpecError) as caught:
        read_entries(str(path))
    assert code in {each.code for each in caught.value.diagnostics}
    assert all(each.place is not None and each.place.path == str(path) for each in caught.value.diagnostics)
    assert caught.value.next_step


def test_a_file_of_another_site_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "harbor.yml"
    path.write_text("site: other\nattestations: []\n", "utf-8")
    with pytest.raises(SpecError, match="is of the site other"):
        recorded(str(path), "harbor")


@pytest.mark.parametrize("text", ["", "site: [", "a: *b", file_of() * 2])
def test_nothing_is_appended_to_a_broken_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "harbor.yml"
    path.write_text(text, "utf-8")
    if not text:
        record(str(path), "harbor", [attested()])
        return
    with pytest.raises(IvnError):
        record(str(path), "harbor", [attested()])
    assert path.read_text("utf-8") == text


@given(st.text(max_size=40))
def test_any_text_survives_being_written(text: str) -> None:
    text = "".join(char for char in text if not 0xD800 <= ord(char) <= 0xDFFF)
    assert yaml.safe_load(quoted(text)) == text
    entry = replace(attested(), by=text, how=text)
    (read,) = yaml.safe_load("\n".join(entry_lines(entry)))
    assert (read["by"], read["how"]) == (text, text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2026-11-23", "2026-11-23T00:00:00+00:00"),
        ("2026-11-23T18:00:00Z", "2026-11-23T18:00:00+00:00"),
        ("2026-11-23T18:00:00-05:00", "2026-11-23T23:00:00+00:00"),
        ("2026-11-23 18:00:00+01:00", "2026-11-23T17:00:00+00:00"),
    ],
)
def test_times(text: str, wanted: str) -> None:
    assert moment_of(text).isoformat() == wanted


# Forms


def site_in(tmp_path: Path) -> Site:
    return Site("harbor", str(tmp_path / "harbor.yml"), Places({}, "harbor.yml"))


def refused(
    tmp_path: Path, entry: Attestation, *more: Attestation, plan: SitePlan | None = None
) -> list[str]:
    plan = plan or SitePlan("harbor", unverified=(QUESTION,))
    with pytest.raises(SpecError) as caught:
        take(site_in(tmp_path), plan, [entry, *more], run="r", now=NOW)
    codes = [each.code for each in caught.value.diagnostics]
    assert set(codes) <= set(CODES)
    return codes


def test_what_fits_is_taken_and_recorded(tmp_path: Path) -> None:
    plan = take(
        site_in(tmp_path), SitePlan("harbor", unverified=(QUESTION,)), [attested()], run="r-7", now=NOW
    )
    assert not plan.open
    (kept,) = recorded(str(tmp_path / "attestations" / "harbor.yml"), "harbor")
    assert (kept.by, kept.run) == ("J. Doe", "r-7")


def test_what_does_not_fit_is_refused_and_nothing_is_recorded(tmp_path: Path) -> None:
    assert refused(tmp_path, replace(attested(), field="kind")) == ["ATT004"]
    assert refused(tmp_path, attested(value="other")) == ["ATT005"]
    assert refused(tmp_path, attested(), attested(2)) == ["ATT006"]
    assert refused(tmp_path, attested(-2)) == ["ATT002"]
    assert refused(tmp_path, attested(91)) == ["ATT002"]
    assert refused(tmp_path, attested(), replace(attested(), field="kind")) == ["ATT004"]
    unknown = SitePlan("harbor", unverified=(replace(QUESTION, value=Computed("a.b")),))
    assert refused(tmp_path, attested(value=Computed("a.b")), plan=unknown) == ["ATT004"]
    assert not (tmp_path / "attestations").exists()


def test_a_recorded_slip_into_the_future_does_not_keep_anyone_from_attesting(tmp_path: Path) -> None:
    record(str(tmp_path / "attestations" / "harbor.yml"), "harbor", [attested(-365)])
    plan = SitePlan("harbor", unverified=(QUESTION,))
    assert not take(site_in(tmp_path), plan, [attested()], run="r", now=NOW).open


def test_a_form_that_was_taken_is_not_taken_again_but_a_later_look_is(tmp_path: Path) -> None:
    plan = SitePlan("harbor", unverified=(QUESTION,))
    take(site_in(tmp_path), plan, [attested(3)], run="r", now=NOW)
    assert refused(tmp_path, attested(3)) == ["ATT006"]
    assert not take(site_in(tmp_path), plan, [attested(1)], run="r", now=NOW).open


def test_a_form_may_have_blank_entries_but_none_by_half(tmp_path: Path) -> None:
    path = tmp_path / "form.yml"
    path.write_text(file_of(by="", when=""), "utf-8")
    form = read_entries(str(path), form=True)
    assert (form.entries, form.blank) == ((), 1)
    for half in (file_of(by=""), file_of(when="")):
        path.write_text(half, "utf-8")
        with pytest.raises(SpecError) as caught:
            read_entries(str(path), form=True)
        assert [each.code for each in caught.value.diagnostics] == ["ATT007"]
