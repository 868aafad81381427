"""Workers of the durable runner as processes, and one that kills them at random."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.command import Ran, ivn
from tests.support.world import World


def worker_process(
    folder: Path, name: str, *networks: str, fleet: Path | None = None, database: str = "", at_once: int = 8
) -> subprocess.Popen[bytes]:
    """`ivn-provision worker` in that folder. What it prints goes to NAME.out there."""
    queues = [part for each in networks for part in ("--queue", each)]
    where = ["--database", database] if database else []
    where += ["--fleet", str(fleet)] if fleet else []
    where += ["--at-once", str(at_once)]
    with (folder / f"{name}.out").open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "ivn_provision", "worker", "--name", name, *queues, *where],
            cwd=folder,
            env={**os.environ, "NO_COLOR": "1", "PYTHONWARNINGS": "error"},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )


def said(folder: Path, name: str) -> str:
    """All that a worker printed."""
    return (folder / f"{name}.out").read_text(encoding="utf-8", errors="replace")


def ended(process: subprocess.Popen[bytes]) -> int:
    """Told to stop by SIGTERM; its exit code."""
    process.terminate()
    return process.wait(60)


def listening(process: int) -> set[str]:
    """Local addresses on which it listens, in the form of /proc/net/tcp."""
    sockets = set()
    for each in Path(f"/proc/{process}/fd").iterdir():
        with suppress(OSError):
            sockets.add(os.readlink(each))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{process}/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            cells = line.split()
            if cells[3] == "0A" and f"socket:[{cells[9]}]" in sockets:
                found.add(cells[1])
    return found


def set_network(world: World, site: str, network: str) -> None:
    """In the site's file."""
    path = world.folder / f"{site}.yml"
    path.write_text(f"network: {network}\n{path.read_text(encoding='utf-8')}", encoding="utf-8")


def apply_durable(folder: Path, *arguments: str, wait: str = "10m", timeout: float = 600) -> Ran:
    """Hand over and wait, as a process of its own."""
    return ivn(
        "apply",
        "--auto-approve",
        "--runner",
        "durable",
        "--wait",
        wait,
        *arguments,
        cwd=folder,
        timeout=timeout,
    )


@dataclass
class Killer:
    """Keeps workers running, and kills each of them again and again, `budget` times in all.

    A worker is killed at a random moment: up to `longest` seconds after it was first seen with a site at hand (an open
    journal, in which `event` is written already), or after it has been idle for `idle` seconds. It is started again at
    once, with its name.
    """

    folder: Path
    names: dict[str, str]
    budget: int
    longest: float
    seed: int
    event: str = ""
    at_once: int = 8
    idle: float = 60.0
    kills: int = 0
    busy: int = 0
    """Kills that hit a worker with at least one site at hand."""
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Workers run inside; at the end they are ended well."""
        self._stop.clear()
        threads = [
            threading.Thread(target=self._keep, args=(name, network)) for name, network in self.names.items()
        ]
        for each in threads:
            each.start()
        try:
            yield
        finally:
            self._stop.set()
            for each in threads:
                each.join()

    def _keep(self, name: str, network: str) -> None:
        chance = random.Random(f"{self.seed} {name} {self.kills}")
        while True:
            process = worker_process(self.folder, name, network, at_once=self.at_once)
            self._until_busy(process.pid)
            self._stop.wait(chance.uniform(0, self.longest))
            if self._stop.is_set() or not self._killed(process):
                self._stop.wait()
                process.terminate()
                process.wait(60)
                return

    def _until_busy(self, process: int) -> None:
        end = time.monotonic() + self.idle
        while not at_hand(process, self.event) and time.monotonic() < end and not self._stop.wait(0.02):
            pass

    def _killed(self, process: subprocess.Popen[bytes]) -> bool:
        with self._lock:
            if self.kills >= self.budget:
                return False
            self.kills += 1
            self.busy += bool(at_hand(process.pid))
            process.kill()
        process.wait()
        return True


def at_hand(process: int, event: str = "") -> int:
    """How many sites a worker has at hand: the journals that it holds open, with such a record if one is named."""
    found = 0
    folder = Path(f"/proc/{process}/fd")
    for each in folder.iterdir() if folder.is_dir() else ():
        try:
            path = os.readlink(each)
            found += path.endswith("/journal.jsonl") and f'"{event}' in Path(path).read_text(encoding="utf-8")
        except OSError:
            continue  # closed meanwhile
    return found
