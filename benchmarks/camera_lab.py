"""Many Axis cameras of the lab in a process of its own, and site files over them: `python -m benchmarks.camera_lab`.

Prints one line of JSON when all answer, one more with the counters for every line that it reads, and ends with its
standard input.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.machine import process_seconds
from benchmarks.plain_vapix import Target
from ivn_provision.lab.lab import Lab
from ivn_provision.lab.scenario import LabCamera, LabSite

PROFILES = ("10.12", "11.11", "12.9")
"""Those that speak TLS as it is today; they are taken in turn."""

_FLEET = """\
labels: {made: benchmark}
"""
_SITE = """\
site: %s
cameras:
"""
_CAMERA = """\
  - number: %d
    label: Camera
    hardware: {address: %s}
    axis:
      connect: {host: %s, port: %d, tls: {ca: "%s"}, username: %s, password: !secret "file:%s"}
      smtp: {sender: cam@guard.example, host: 127.0.0.1, port: 2525, security: none}
      recipients: [{name: Guard, addresses: [desk@guard.example]}]
      action_rules: [{send_mail: {recipient: Guard, subject: Alarm, message: Input 1}}]
      io_ports: [{port: 1, name: Door}]
"""


def main(folder: Path, sites: int, cameras: int, latency: int) -> None:
    """Serve until standard input ends. `latency` in milliseconds for each request."""
    with Lab(folder / "lab", _sites(sites, cameras), free_ports=True, recorders=False) as lab:
        targets = _write_sites(lab, folder / "sites")
        lab.set_latency(latency / 1000)
        print(json.dumps([asdict(each) for each in targets]), flush=True)
        for _ in sys.stdin:
            counters = [lab.camera(site.key, 10 + at).counters for site in lab.sites for at in range(cameras)]
            print(json.dumps({"requests": sum(each.requests for each in counters)}), flush=True)


def _sites(sites: int, cameras: int) -> list[LabSite]:
    return [
        LabSite(
            f"block-{number:03d}",
            host=f"127.3.{number}.1",
            cameras=tuple(
                LabCamera(
                    f"192.168.10.{at + 1}",
                    f"00408C{number:03X}{at:03X}",
                    axis=PROFILES[(number + at) % len(PROFILES)],
                )
                for at in range(cameras)
            ),
        )
        for number in range(1, sites + 1)
    ]


def _write_sites(lab: Lab, folder: Path) -> list[Target]:
    folder.mkdir()
    (folder / "fleet.yml").write_text(_FLEET, "utf-8")
    targets = []
    for site in lab.sites:
        text = _SITE % site.key
        for number, camera in enumerate(site.cameras, start=10):
            secret = lab.secret_file(f"{site.key}-camera-{number}")
            host = camera.axis_host or site.host
            user = camera.axis_username
            text += _CAMERA % (
                number,
                camera.address,
                host,
                lab.camera(site.key, number).https_port,
                lab.ca_file,
                user,
                secret,
            )
            targets.append(
                Target(
                    f"https://{host}:{lab.camera(site.key, number).https_port}",
                    user,
                    secret.read_text("utf-8").strip(),
                    str(lab.ca_file),
                )
            )
        (folder / f"{site.key}.yml").write_text(text, "utf-8")
    return targets


@dataclass(frozen=True, slots=True)
class CameraLab:
    """A running one."""

    sites: Path
    targets: tuple[Target, ...]
    process: subprocess.Popen[str]

    def requests(self) -> int:
        """What all cameras together were asked so far."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(json.loads(self.process.stdout.readline())["requests"])

    def cpu(self) -> float:
        """CPU seconds that it has used so far."""
        return process_seconds(self.process.pid)


@contextmanager
def cameras_of(sites: int, cameras: int, folder: Path, latency: int) -> Iterator[CameraLab]:
    """So many sites with so many cameras each."""
    command = [sys.executable, "-m", "benchmarks.camera_lab", folder, sites, cameras, latency]
    with subprocess.Popen(
        [str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        targets = tuple(Target(**each) for each in json.loads(process.stdout.readline()))
        yield CameraLab(folder / "sites", targets, process)
        process.stdin.close()
        process.wait(timeout=60)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:5]))
