"""Cameras over ONVIF where the extra `onvif` is not installed: said only to sites that declare some."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.support.onvif_cameras import SITE, onvif_cameras
from tests.support.world import World, started

WITHOUT = """
import sys
sys.modules["onvif"] = None
from ivn_provision.cli.main import main
main()
"""
"""The command line of somebody who has not installed the extra."""


def check(world: World) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, "check", SITE, "--format", "json"],
        cwd=world.folder.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_site_that_declares_some_is_told_what_to_install(tmp_path: Path) -> None:
    with onvif_cameras(tmp_path, "http") as cameras:
        done = check(cameras.world)
    assert done.returncode == 1
    assert "next: pip install 'ivn-provision[onvif]'" in done.stderr
    assert "Traceback" not in done.stderr
    found = [each for each in json.loads(done.stdout)["checks"] if each["check"] == "onvif-device"]
    assert [each["state"] for each in found] == ["inconclusive", "inconclusive"]
    assert all("pip install 'ivn-provision[onvif]'" in each["evidence"] for each in found)


def test_other_sites_need_nothing(tmp_path: Path) -> None:
    with started(tmp_path) as world:
        done = check(world)
    assert "onvif]" not in done.stdout + done.stderr
    found = [each for each in json.loads(done.stdout)["checks"] if each["check"].startswith("onvif-")]
    assert {each["state"] for each in found} == {"skipped"}


def test_nothing_of_it_is_imported_for_other_commands() -> None:
    code = "import sys, ivn_provision.run.checking; print(sorted({'onvif', 'zeep', 'aiohttp'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
