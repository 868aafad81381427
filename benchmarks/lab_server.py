"""A lab in a process of its own, started and stopped as a user would."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import process_seconds
from benchmarks.plain_pywinrm import Target
from ivn_provision.cli import lab_control

_START_SECONDS = 300
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Traffic:
    """WS-Man messages, NTLM handshakes, bytes of the answers' bodies, and HTTP requests of all kinds."""

    posts: int
    handshakes: int
    received: int
    requests: int

    def __sub__(self, before: Traffic) -> Traffic:
        """What came between the two."""
        return Traffic(
            self.posts - before.posts,
            self.handshakes - before.handshakes,
            self.received - before.received,
            self.requests - before.requests,
        )


@dataclass(frozen=True, slots=True)
class RunningLab:
    """A lab and the folder with the site files that fit it."""

    folder: Path
    sites: Path
    pid: int

    def targets(self) -> tuple[Target, ...]:
        """Its recorders."""
        status = lab_control.call(self.folder, "status")
        return tuple(_target(each, status) for each in status["sites"])

    def traffic(self) -> Traffic:
        """What all recorders together have had so far."""
        recorders = lab_control.call(self.folder, "counters")["recorders"].values()
        return Traffic(
            sum(int(each["posts"]) for each in recorders),
            sum(int(each["authentications"]) for each in recorders),
            sum(int(each["bytes_out"]) for each in recorders),
            sum(int(each["requests"]) for each in recorders),
        )

    def cpu(self) -> float:
        """CPU seconds that it has used so far."""
        return process_seconds(self.pid)


@contextmanager
def lab_of(count: int, folder: Path, *, latency: int = 0) -> Iterator[RunningLab]:
    """A lab of `count` generated sites on free ports; `latency` milliseconds are added to each request."""
    lab, sites = folder / "lab", folder / "sites"
    where: tuple[str | Path, ...] = ("--dir", lab, "--write-sites", sites)
    _up("--sites", str(count), "--latency", str(latency), "--detach", "--free-ports", *where)
    try:
        running = lab_control.load(lab)
        assert running is not None
        yield RunningLab(lab, sites, running.pid)
    finally:
        _lab("down", "--dir", lab)


def _up(*arguments: str | Path) -> None:
    """Start it, again if need be: of hundreds of ports that were free, one may be taken a moment later."""
    for left in reversed(range(_ATTEMPTS)):
        try:
            _lab("up", *arguments)
        except subprocess.CalledProcessError:
            if not left:
                raise
        else:
            return


def _target(site: dict[str, Any], status: dict[str, Any]) -> Target:
    password = Path(status["secrets"]) / f"{site['key']}-nvr"
    return Target(
        url=f"https://{site['host']}:{site['winrm_https_port']}/wsman",
        username=site["username"],
        password=password.read_text("utf-8").strip(),
        ca_file=status["ca_file"],
    )


def _lab(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "ivn_provision", "lab", *map(str, arguments)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=_START_SECONDS)
