"""Where a play's words may go, and what a run that a person stopped means to the play that resumes it."""

from __future__ import annotations

import pytest

from ivn_provision.run.journal import Record
from ivn_provision.run.past import PastSite
from ivn_provision.run.play.applying import _past_result
from ivn_provision.spec.playbook_file import is_sound_url


@pytest.mark.parametrize(
    ("url", "sound"),
    [
        ("https://hooks.example/x", True),
        ("http://127.0.0.1:8080/x", True),
        ("http://[::1]/x", True),
        ("http://localhost/x", True),
        ("http://127.evil.example/x", False),
        ("http://localhost.evil.example/x", False),
        ("http://hooks.example/x", False),
        ("https://user@hooks.example/x", False),
        ("ftp://127.0.0.1/x", False),
    ],
)
def test_plain_http_is_for_this_machine_alone(url: str, sound: bool) -> None:
    assert is_sound_url(url) is sound


def past(standing: str, **end: object) -> PastSite:
    record = Record(1, "2026-11-29T10:00:00Z", "site_end", "a", {"standing": standing, **end})
    return PastSite("a", standing, str(end.get("error", "")), "", "", (), (record,))


def test_what_a_person_stopped_is_applied_anew_and_what_failed_has_failed() -> None:
    assert _past_result(past("reverted", error="stopped", stopped=True), "run") is None
    failed = _past_result(past("reverted", error="the service did not start", stopped=False), "run")
    assert failed is not None
    assert failed.failed
    done = _past_result(past("applied", error=""), "run")
    assert done is not None
    assert (done.failed, done.changed) == (False, True)
