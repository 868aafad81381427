"""Names of runs are in the order the runs were begun, also within one second."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ivn_provision.cli.shared import opener
from ivn_provision.run.fleet.attempts import attempts
from ivn_provision.run.fleet.site_job import RUN_ID, SiteJob
from ivn_provision.run.journal import Journal, find_run, runs_of
from ivn_provision.run.run_names import attempt_name, run_name
from ivn_provision.run.state import StateFolder

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SALTS = st.text("0123456789abcdef", min_size=3, max_size=4)


@given(st.timedeltas(timedelta(0), timedelta(seconds=3)), st.timedeltas(timedelta(0)), SALTS, SALTS)
def test_names_are_ordered_as_their_moments(first: timedelta, more: timedelta, one: str, other: str) -> None:
    more = min(more, timedelta(days=1)) + timedelta(microseconds=1)
    earlier, later = run_name(NOON + first, one), run_name(NOON + first + more, other)
    assert earlier < later
    assert RUN_ID.fullmatch(earlier)
    assert RUN_ID.fullmatch(later)


def test_runs_that_one_process_begins_are_listed_as_they_began(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    names = [opener(60.0, ()).run_id for _ in range(40)]
    for name in names:
        Journal.create(state, name, lambda: NOON, who="w", command="apply", revision="", sites=[]).close()
    assert [each.run for each in runs_of(state)] == names[::-1]


def test_names_of_older_versions_are_still_read(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    old, new = "20261124T115959Z-ffffffff", run_name(NOON, "000")
    for name in (new, old):
        Journal.create(state, name, lambda: NOON, who="w", command="apply", revision="", sites=[]).close()
    assert [each.run for each in runs_of(state)] == [new, old]
    assert find_run(state, "20261124T1159") == old


def test_attempts_at_a_job_are_listed_as_they_began(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    job = SiteJob(run_name(NOON, "abc"), "lab-0001", "0" * 64)
    prefix = f"{job.run}-{hashlib.sha256(job.site.encode()).hexdigest()[:8]}-"
    names = []
    for salt in ["fff", "000", "abc"] * 4:
        names.append(attempt_name(prefix, len(attempts(state, job)), salt))
        Journal.create(state, names[-1], lambda: NOON).close()
    assert list(attempts(state, job)) == names
