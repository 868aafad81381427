"""What `status` says of a site, and which command it names for each thing that is left."""

from __future__ import annotations

import pytest

from ivn_provision.model.live import Lease, Revert
from ivn_provision.report.paint import Paint
from ivn_provision.report.status_text import render_status
from ivn_provision.run.holding import WAITS
from ivn_provision.run.standing import Standing

RUN = "20261124T101010Z-deadbeef"
NAME = f"{RUN}-harbor"
LEASE = Lease(f"ann@desk{WAITS}", NAME, "2026-11-24T10:25:00Z", expired=False)


def shown(
    *runs: tuple[str, str], lease: Lease | None = LEASE, revert: str = "", incident: str = ""
) -> list[str]:
    leases = (("nvr", lease),) if lease else ()
    reverts = (Revert(f"{NAME}-1", NAME, revert, "2026-11-24T10:20:00Z", ""),) if revert else ()
    standing = Standing("harbor", leases, reverts, bool(incident), incident, runs)
    head, *lines = render_status(standing, Paint(on=False)).splitlines()
    assert head.startswith("harbor")
    return [each.strip() for each in lines]


def test_a_run_that_waits_is_kept_or_undone() -> None:
    *_, last = shown((RUN, "pending"), revert="armed")
    assert last == (
        f"run {RUN}: pending. Keep it with `ivn-provision confirm harbor`, "
        f"undo it with `ivn-provision resume {RUN} --revert`"
    )


@pytest.mark.parametrize("state", ["reverted", "left", "failed"])
def test_a_run_whose_recorder_went_off_can_only_be_ended(state: str) -> None:
    *_, last = shown((RUN, "pending"), revert=state)
    assert last == f"run {RUN}: pending. End it with `ivn-provision resume {RUN}`"


def test_a_run_that_was_confirmed_elsewhere_is_ended_here() -> None:
    (only,) = shown((RUN, "pending"), lease=None)
    assert only == (
        f"run {RUN}: pending. Nothing of it is held any more. End it with `ivn-provision resume {RUN}`"
    )


@pytest.mark.parametrize("word", ["unfinished", "failed", "stopped"])
def test_a_run_that_broke_off_here_is_resumed(word: str) -> None:
    *_, last = shown((RUN, word), revert="armed")
    assert last == f"run {RUN}: {word}. End it with `ivn-provision resume {RUN}`"


def test_a_run_that_expired_and_is_not_known_here_names_where_it_was_made() -> None:
    lease = Lease("ann@desk", NAME, "2026-11-24T10:25:00Z", expired=True)
    first, last = shown(lease=lease)
    assert first == f"nvr: held by ann@desk, run {NAME}, expired 2026-11-24T10:25:00Z"
    assert last == f"run {NAME} did not end: `ivn-provision resume {RUN}` where it was made (ann@desk)"


def test_a_run_that_is_going_on_elsewhere_is_nobodys_business() -> None:
    (only,) = shown(lease=Lease("ann@desk", NAME, "2026-11-24T10:25:00Z", expired=False))
    assert only == f"nvr: held by ann@desk, run {NAME}, until 2026-11-24T10:25:00Z"


def test_when_a_recorder_goes_back_is_said() -> None:
    armed, prepared = (shown(lease=None, revert=each)[0] for each in ("armed", "prepared"))
    assert armed == f"revert {NAME}-1: armed, due 2026-11-24T10:20:00Z"
    assert prepared == f"revert {NAME}-1: what was there before is kept; it goes back only when asked"


def test_nothing_is_pending() -> None:
    assert render_status(Standing("harbor", (), (), False, "", ()), Paint(on=False)) == (
        "harbor: nothing is pending."
    )


def test_a_name_cannot_drive_a_terminal() -> None:
    evil = Lease("ann\x1b[2J", NAME, "2026-11-24T10:25:00Z", expired=True)
    text = "".join(shown(lease=evil, incident="\u202e\x1b[31m"))
    assert text.isprintable()
