"""The commands as a user runs them, against a lab, with their exit codes."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.support.command import Ran, ivn, ivn_here
from tests.support.world import World

SITE = "lab-0001"


@pytest.fixture
def at(world: World) -> Path:
    """The folder that holds `sites/`."""
    return world.folder.parent


def secrets_of(world: World) -> list[str]:
    files = sorted((world.folder.parent / "lab" / "secrets").iterdir())
    values = [each.read_text(encoding="utf-8").strip() for each in files if each.is_file()]
    assert len(values) >= 4
    return values


def assert_silent(world: World, *ran: Ran) -> None:
    """No secret in anything that was printed."""
    for value in secrets_of(world):
        for each in ran:
            assert value not in each.out + each.err


def test_the_whole_way(world: World, at: Path) -> None:
    world.attest_all(SITE)
    planned = ivn("plan", SITE, "--out", "plan.json", "--detailed-exitcode", cwd=at)
    assert planned.code == 2
    assert "+ portal device" in planned.out
    assert "(sensitive value)" in planned.out
    shown = ivn("show", "plan.json", cwd=at)
    report = planned.out.partition("Saved in plan.json.")[0]
    assert shown.out.startswith(report)
    assert "Saved plan plan-" in shown.out
    assert stat.S_IMODE((at / "plan.json").stat().st_mode) == 0o600
    asked = ivn("apply", SITE, cwd=at)
    assert asked.code == 64
    applied = ivn("apply", SITE, "--auto-approve", cwd=at)
    assert applied.code == 0, applied.err
    assert "Proof: lab-0001 was read again and the plan is empty" in applied.out
    again = ivn("apply", SITE, "--auto-approve", "--format", "json", cwd=at)
    assert again.code == 0
    assert json.loads(again.out)["outcomes"] == []
    clean = ivn("drift", SITE, cwd=at)
    assert clean.code == 0
    assert "No changes." in clean.out
    world.lab.tamper(SITE, "camera", "10", {"label": "Other"})
    drifted = ivn("drift", "--format", "json", cwd=at)
    assert drifted.code == 2
    (site,) = json.loads(drifted.out)["ivn"]["sites"]
    assert [each["address"] for each in site["changes"]] == ["lab-0001/nvr/camera/10"]
    assert site["changes"][0]["declared_at"]["path"].endswith("lab-0001.yml")
    assert_silent(world, planned, shown, applied, again, clean, drifted)
    kept = (at / "plan.json").read_text(encoding="utf-8")
    assert not [value for value in secrets_of(world) if value in kept]


def test_drift_and_plan_leave_no_write(world: World, at: Path) -> None:
    ivn_here("plan", cwd=at)
    ivn_here("drift", cwd=at)
    nvr = world.lab.nvr(SITE).counters
    assert (nvr.file_writes, nvr.service_restarts, world.lab.portal.counters.writes) == (0, 0, 0)


@pytest.mark.parametrize("command", ["plan", "drift"])
def test_an_unreachable_site_is_an_error_not_clean(world: World, at: Path, command: str) -> None:
    world.edit(SITE, f"port: {world.lab.site(SITE).https_port}", "port: 1")
    ran = ivn_here(command, "--deadline", "3", cwd=at)
    assert ran.code == 1
    assert "No changes" not in ran.out
    assert "nothing listens on" in ran.err
    assert SITE in ran.err
    data = json.loads(ivn_here(command, "--deadline", "3", "--format", "json", cwd=at).out)
    assert data["errored"] is True
    assert list(data["ivn"]["errors"]) == [SITE]


def test_a_site_with_errors_is_refused_before_any_connection(world: World, at: Path) -> None:
    world.edit(SITE, "codec: mjpeg", "codek: mjpeg")
    ran = ivn_here("apply", SITE, "--auto-approve", cwd=at)
    assert ran.code == 1
    assert "codek" in ran.err
    assert "sites/lab-0001.yml:" in ran.err
    assert world.lab.nvr(SITE).counters.connections == 0


USAGE = {
    "no such site": (["plan", "lab-0002"], "lab-0001"),
    "no such folder": (["plan", "--fleet", "nowhere"], "nowhere"),
    "no such command": (["aply"], "apply"),
    "no such option": (["plan", "--frmat", "json"], "--format"),
    "bad deadline": (["plan", "--deadline", "-1"], "deadline"),
    "nobody to ask": (["apply", "lab-0001"], "--auto-approve"),
}


@pytest.mark.parametrize("name", USAGE)
def test_usage_errors_exit_64(at: Path, name: str) -> None:
    arguments, hint = USAGE[name]
    ran = ivn(*arguments, cwd=at)
    assert ran.code == 64
    assert hint in ran.err


BAD_PLANS = {
    "missing": None,
    "not JSON": b"{",
    "not a plan": b"[]",
    "binary": b"\xff\xfe\x00",
    "another format": b'{"format_version": "9", "ivn": {"version": 1}}',
    "nested": b"[" * 100_000,
}


@pytest.mark.parametrize("name", BAD_PLANS)
def test_a_bad_plan_file_is_a_clear_error(tmp_path: Path, name: str) -> None:
    content = BAD_PLANS[name]
    if content is not None:
        (tmp_path / "plan.json").write_bytes(content)
    ran = ivn_here("show", "plan.json", cwd=tmp_path)
    assert ran.code == 1
    assert ran.err.startswith("error:")
    assert "next:" in ran.err


def test_a_plan_that_cannot_be_written_is_said(at: Path) -> None:
    ran = ivn_here("plan", "--out", "no/such/folder/plan.json", cwd=at)
    assert ran.code == 1
    assert "cannot write no/such/folder/plan.json" in ran.err


def test_the_same_site_named_twice_is_planned_once(world: World, at: Path) -> None:
    ran = ivn_here("plan", SITE, SITE, "--format", "json", cwd=at)
    assert len(json.loads(ran.out)["ivn"]["sites"]) == 1
    assert world.lab.nvr(SITE).counters.processes == 1
