"""`ivn-provision lab` as people use it: real processes, a temporary directory, free ports."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivn_provision.cli.lab_control import call
from ivn_provision.errors import LabError
from ivn_provision.lab.lab import Lab
from ivn_provision.lab.loopback import listen
from ivn_provision.lab.sites import default_sites, generated_sites
from tests.wire.portal_client import HARBOR, authorised, create_harbor


def run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ivn_provision.cli.lab", *arguments, "--dir", str(directory)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "lab"
    done = run(directory, "up", "--detach", "--free-ports", "--write-sites", str(tmp_path / "sites"))
    assert done.returncode == 0, done.stderr
    yield directory
    if (directory / "lab.json").exists():
        assert run(directory, "down").returncode == 0


def test_up_status_tamper_fire_down(running: Path, tmp_path: Path) -> None:
    assert stat.S_IMODE((running / "lab.json").stat().st_mode) == 0o600
    assert {stat.S_IMODE(each.stat().st_mode) for each in (running / "secrets").iterdir()} == {0o600}
    status = json.loads(run(running, "status", "--format", "json").stdout)
    assert [site["key"] for site in status["sites"]] == [
        "harbor-marina",
        "old-mill-storage",
        "airport-parking",
    ]
    again = run(running, "up", "--detach", "--free-ports")
    assert (again.returncode, "runs already" in again.stderr) == (1, True)

    assert run(running, "tamper", "harbor-marina", "server_access", "--set", "max_clients=5").returncode == 0
    bad = run(running, "tamper", "harbor-marina", "coffee", "--set", "sugar=1")
    assert (bad.returncode, "Traceback" in bad.stderr) == (1, False)
    assert "coffee" in bad.stderr
    fired = run(running, "fire", "harbor-marina", "input", "192.168.10.61", "1")
    assert "0 events" in fired.stdout
    assert run(running, "fire", "harbor-marina", "soft").returncode == 64
    at_once = call(running, "fire_input", {"site": "harbor-marina", "device": "192.168.10.61", "input": 1})
    assert at_once["events"] == 0
    assert at_once["at"].endswith("Z")
    with pytest.raises(LabError, match="has no number input"):
        call(running, "fire_input", {"site": "harbor-marina", "device": "192.168.10.61"})
    assert run(running, "fault", "portal", "html").returncode == 0
    assert run(running, "fault", "mail", "lose").returncode == 0
    text = run(running, "status").stdout
    assert "ASSUMES" in text
    assert "portal: html" in text
    assert "mail: lose" in text
    assert "127.0.0.253 stands for all strangers" in text
    secrets = [each.read_text().strip() for each in (running / "secrets").iterdir()]
    assert not any(value in text + json.dumps(status) for value in secrets)

    sites = sorted(each.name for each in (tmp_path / "sites").iterdir())
    assert sites == ["airport-parking.yml", "fleet.yml", "harbor-marina.yml", "old-mill-storage.yml"]
    assert run(running, "down").stdout == "The lab is down.\n"
    assert not (running / "lab.json").exists()
    gone = run(running, "status")
    assert (gone.returncode, "lab up" in gone.stderr) == (1, True)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", status["mail"]["port"])) != 0


def test_a_dead_labs_state_file_is_no_obstacle(tmp_path: Path) -> None:
    directory = tmp_path / "lab"
    directory.mkdir()
    with listen("127.0.0.1", 0, "a test") as sock:
        port = sock.getsockname()[1]
    state = {"pid": os.getpid(), "control_url": f"http://127.0.0.1:{port}", "token": "x"}
    (directory / "lab.json").write_text(json.dumps(state))
    assert "does not answer" in run(directory, "status").stderr
    up = run(directory, "up", "--detach", "--free-ports")
    assert up.returncode == 0, up.stderr
    assert run(directory, "down").returncode == 0


@pytest.mark.parametrize(("option", "purpose"), [("--mail-port", "mail server"), ("--portal-port", "portal")])
def test_a_taken_port_is_named(tmp_path: Path, option: str, purpose: str) -> None:
    with listen("127.0.0.1", 0, "a test") as sock:
        port = sock.getsockname()[1]
        others = {"--mail-port": "0", "--portal-port": "0"} | {option: str(port)}
        options = [word for pair in others.items() for word in pair]
        done = run(tmp_path / "lab", "up", "--detach", *options)
    assert done.returncode == 1
    assert f"port {port} on 127.0.0.1 is taken: the {purpose} cannot start" in done.stderr
    assert option in done.stderr
    assert not (tmp_path / "lab" / "lab.json").exists()


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    code = "import sys; sys.modules['starlette'] = None; from ivn_provision.cli.lab import main; main()"
    command = [sys.executable, "-c", code, "up", "--free-ports", "--dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "pip install 'ivn-provision[lab]'" in done.stderr) == (1, True)


def test_the_commands_load_nothing_heavy() -> None:
    code = "import sys, ivn_provision.cli.lab; print([m for m in ('starlette','uvicorn','httpx','aiosmtpd') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"


def test_a_soft_trigger_goes_through_the_portal_to_the_recorder_and_comes_back_as_mail(
    tmp_path: Path,
) -> None:
    """The whole round: portal, event port, the recorder's own mail settings, SMTP, event."""
    with Lab(tmp_path, default_sites()[:1], free_ports=True) as lab, authorised(lab) as client:
        account = create_harbor(client, event_port=lab.nvr("harbor-marina").event_port)
        site = "harbor-marina"
        body = "Trigger Event : $TriggerName$\nCamera is : $CameraName$\nTime: $TriggerTime$"
        lab.tamper(
            site, "mail_message", "", {"enabled": "true", "recipients": account, "subject": "S", "body": body}
        )
        server = {"sender": account, "host": "127.0.0.1", "port": str(lab.mail_port), "security": "starttls"}
        lab.tamper(site, "mail_server", "", server | {"login": "true", "username": site})
        lab.tamper(
            site, "generic_event", "Gate open by guard", {"name": "2 S", "substring": "2 S", "email": "true"}
        )
        assert lab.fire_soft(site, 2)["result"] == "sent"
        deadline = time.monotonic() + 10
        while not lab.portal.events(site) and time.monotonic() < deadline:
            time.sleep(0.02)
        event = client.get(HARBOR + "/events").json()["results"][0]
        assert (event["parse_status"], event["pin"], event["source"]) == ("parsed", 2, "soft")
        assert abs(event["offset_seconds"]) < 5
        assert client.get(HARBOR + "/devices/nvr/alarm-inputs/soft/2").json()["last_result"] == "sent"


def test_generated_sites_have_addresses_of_their_own() -> None:
    sites = generated_sites(600)
    assert len({site.host for site in sites}) == len({site.key for site in sites}) == 600
    assert len({camera.mac for site in sites for camera in site.cameras}) == 1200
    assert sites[0].key == "lab-0001"
    with pytest.raises(LabError, match="10000"):
        generated_sites(0)


def test_the_lab_refuses_other_addresses(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="loopback only"):
        Lab(tmp_path, portal_host="0.0.0.0", free_ports=True)
