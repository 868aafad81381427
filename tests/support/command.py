"""The command line as a user runs it: a process of its own."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ivn_provision.cli.main import main


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


def ivn(*arguments: str, cwd: Path, env: dict[str, str] | None = None, timeout: float = 90) -> Ran:
    """Run `ivn-provision ARGUMENTS`. A traceback anywhere fails the test."""
    environment = {**os.environ, "NO_COLOR": "1", "PYTHONWARNINGS": "error", **(env or {})}
    done = subprocess.run(
        [sys.executable, "-m", "ivn_provision", *arguments],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return Ran(done.returncode, done.stdout, done.stderr)


def ivn_here(*arguments: str, cwd: Path) -> Ran:
    """The same in this process, which is much quicker. Nobody sits at its terminal, and an exception fails the test."""
    out, err, given = io.StringIO(), io.StringIO(), (sys.argv, sys.stdin)
    code: object = None
    with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            sys.argv, sys.stdin = ["ivn-provision", *arguments], io.StringIO()
            main()
        except SystemExit as stop:
            code = stop.code
        finally:
            sys.argv, sys.stdin = given
    assert isinstance(code, int)
    return Ran(code, out.getvalue(), err.getvalue())


def next_second() -> None:
    """Wait for it: the names of runs count seconds, and of two runs of one second nobody knows which was first."""
    time.sleep(1.001 - time.time() % 1)
