"""Processes that are cheap to kill: one that has everything loaded forks itself for each job.

    python -m tests.support.crash_forks

It takes jobs on standard input, one JSON line each, and answers `{"paused": true}` (then any line lets the process go
on) and `{"code": ..., "stderr": ...}`. A killed process has a negative code. Nothing takes longer than `SECONDS`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from ivn_provision.run.engine import plan_sites
from ivn_provision.run.targets import Opener
from ivn_provision.spec.fleet import find_site
from ivn_provision.spec.secrets import resolve
from tests.support.crash_child import Job, Point, Silent, perform

SECONDS = 60.0
_TICK = 0.002


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended. `code` is negative if it was killed."""

    code: int
    stderr: str

    @property
    def was_killed(self) -> bool:
        return self.code == -signal.SIGKILL


class Forks:
    """The warm process, as its user sees it. Close it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.crash_forks"],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )

    def run(self, job: Job, paused: Callable[[], None] | None = None) -> Ended:
        """One process from its beginning to its end. `paused` is called while it stands still."""
        said = self._asked(asdict(job))
        if said.get("paused"):
            if paused is not None:
                paused()
            said = self._asked({})
        return Ended(said["code"], said["stderr"])

    def _asked(self, line: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()
        said = self._process.stdout.readline()
        assert said, "the warm process is gone: see standard error"
        answer: dict[str, Any] = json.loads(said)
        return answer

    def close(self) -> None:
        self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def main() -> int:
    warm = False
    while line := sys.stdin.readline():
        job = _job(json.loads(line))
        if not warm:
            _warm(job)
            warm = True
        _serve(job)
    return 0


def _job(line: dict[str, Any]) -> Job:
    return Job(**{**line, "kill": Point(**line["kill"]), "pause": Point(**line["pause"])})


def _warm(job: Job) -> None:
    """Everything is loaded that an apply loads; a process with threads cannot be forked safely."""
    opener = Opener(secret=lambda reference: resolve(reference, {}), run_id="warm", deadline_seconds=10.0)
    plan_sites([find_site(Path(job.folder), job.site)], opener, Silent())
    for each in threading.enumerate():
        if each is not threading.main_thread():
            each.join(SECONDS)
    assert threading.active_count() == 1, threading.enumerate()


def _serve(job: Job) -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _be(job, writing)
    os.close(writing)
    code = os.waitstatus_to_exitcode(_lived(child, job))
    with os.fdopen(reading, encoding="utf-8") as errors:
        _say({"code": code, "stderr": errors.read()})


def _be(job: Job, errors: int) -> None:
    """The child. It never returns."""
    code = 70
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for theirs, own in ((nowhere, 0), (nowhere, 1), (errors, 2)):
            os.dup2(theirs, own)
        code = perform(job)
    except BaseException:  # noqa: BLE001 - whatever it is, the parent tells it
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _lived(child: int, job: Job) -> int:
    """Wait for its pause, the time to kill it, and its end. The status of `waitpid`."""
    if job.pause.number:
        status = _status(child, SECONDS, os.WUNTRACED)
        if status is not None and not os.WIFSTOPPED(status):
            return status
        _say({"paused": True})
        sys.stdin.readline()
        os.kill(child, signal.SIGCONT)
    elif job.kill_after is not None:
        _begun(child, Path(job.state) / "runs" / job.run / "journal.jsonl")
    status = _status(child, SECONDS if job.kill_after is None else job.kill_after)
    if status is None:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    return status


def _status(child: int, seconds: float, flags: int = 0) -> int | None:
    """Its status as soon as there is one; None after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        found, status = os.waitpid(child, os.WNOHANG | flags)
        if found:
            return status
        if time.monotonic() > end:
            return None
        time.sleep(_TICK)


def _begun(child: int, journal: Path) -> None:
    """Wait for its journal, or its end."""
    while not journal.exists() and not os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        time.sleep(_TICK)


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
