"""What a check costs and touches: one process on the recorder, a few requests to the portal, and no trace."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivn_provision.lab.lab import Lab
from ivn_provision.verify.result import State
from tests.support.checked_site import SITE, CheckedSite, checked_site

PORTAL_REQUESTS = {
    "POST /oauth/token": 2,  # to read, and to test: no scope that writes
    "GET /sites/{site_key}": 1,
    "GET /sites/{site_key}/events": 1,
    "POST /sites/{site_key}/connectivity-checks": 1,
}
WATCHED = """
import sys
out = open(sys.argv.pop(1), "a")
def watch(event, arguments):
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        print(event, arguments[-1], file=out, flush=True)
sys.addaudithook(watch)
from ivn_provision.cli.main import main
main()
"""
"""The command line, and every address that its process speaks to."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CheckedSite]:
    with checked_site(tmp_path_factory.mktemp("budget")) as running:
        yield running


def traces(lab: Lab) -> dict[str, object]:
    """All that a look must leave as it is."""
    nvr = lab.nvr(SITE)
    return {
        "files": nvr.counters.file_writes,
        "restarts": nvr.counters.service_restarts,
        "events": nvr.counters.events,
        "mails": (nvr.counters.mails_sent, nvr.counters.mails_failed, len(lab.mail.messages)),
        "tasks": nvr.windows.tasks.all(),
        "bytes": nvr.configuration_path.read_bytes(),
        "portal": (lab.portal.counters.writes, lab.portal.counters.events, lab.portal.counters.fired),
        "stored": lab.portal.events(SITE),
        "alarms": lab.portal.alarms(),
    }


def test_one_process_on_the_recorder(site: CheckedSite) -> None:
    counters = site.world.lab.nvr(SITE).counters
    before = (counters.processes, counters.authentications, counters.posts)
    site.world.plan(SITE)
    planned = (counters.processes, counters.authentications, counters.posts)
    site.check()
    checked = (counters.processes, counters.authentications, counters.posts)
    of_plan = [now - then for now, then in zip(planned, before, strict=True)]
    of_check = [now - then for now, then in zip(checked, planned, strict=True)]
    assert of_check[:2] == of_plan[:2] == [1, 1]
    assert of_check[2] <= of_plan[2] + 1  # an answer with pictures may come in two pieces


def test_a_few_requests_to_the_portal(site: CheckedSite) -> None:
    counters = site.world.lab.portal.counters
    before = Counter(counters.requests_by_route)
    site.check()
    assert dict(Counter(counters.requests_by_route) - before) == PORTAL_REQUESTS


def test_nothing_is_written_fired_or_mailed(site: CheckedSite) -> None:
    before = traces(site.world.lab)
    results = site.check()
    assert not [each for each in results if each.state is State.FAIL]
    assert traces(site.world.lab) == before


def test_no_more_rights_than_reading_and_testing(site: CheckedSite) -> None:
    """Its tokens can change nothing at the portal; at the recorder it has the declared account and the portal's."""
    tokens = site.world.lab.portal.core.tokens
    before = set(tokens._grants)
    site.check()
    granted = {
        scope for token, grant in tokens._grants.items() if token not in before for scope in grant.scopes
    }
    assert granted == {"sites:read", "events:read", "tests:run"}


def test_clear_text_stays_on_the_recorder(site: CheckedSite, tmp_path: Path) -> None:
    """The image server and the event port speak in clear: the tool itself connects to WinRM and the portal only."""
    lab = site.world.lab
    site.world.attest_all(SITE)
    log = tmp_path / "connections"
    command = [sys.executable, "-c", WATCHED, str(log), "check", SITE, "--format", "json"]
    ran = subprocess.run(
        command, cwd=site.world.folder.parent, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    pictures = [each for each in json.loads(ran.stdout)["checks"] if each["check"] == "camera-picture"]
    assert {each["state"] for each in pictures} == {"pass"}
    portal = lab.portal_url.split("/")[2]
    host, port = portal.split(":")
    spoken = {line.split(" ", 1)[1] for line in log.read_text("utf-8").splitlines()}
    assert spoken == {str((host, int(port))), str((lab.nvr(SITE).site.host, lab.nvr(SITE).https_port))}
