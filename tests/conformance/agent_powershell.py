"""The real agent script on a real PowerShell, many requests in one process."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ivn_provision.drivers.xprotect_e.bootstrap import agent_text

HERE = Path(__file__).parent
REPO = HERE.parents[1]
LAST_LINE = "\nInvoke-IvnRequest $RequestText\n"
SECONDS = 240


@dataclass(frozen=True, slots=True)
class Job:
    """One run of the agent: the request's text, the machine (a case's `windows`), the directory of its disks."""

    request: str
    windows: Mapping[str, Any]
    root: Path


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a job: raw standard output and the services' states, where they were looked at."""

    stdout: bytes
    services: Mapping[str, str]


def find_pwsh() -> str | None:
    """`IVN_PWSH`, then the path, then the one that lies beside the checkout."""
    named = os.environ.get("IVN_PWSH")
    if named:
        return named
    beside = REPO.parent / "shared" / "pwsh" / "pwsh"
    return shutil.which("pwsh") or (str(beside) if beside.is_file() else None)


def instrumented() -> str:
    """The agent with the stand-ins for Windows defined before its last line, all else as it is sent."""
    text = agent_text()
    assert text.count(LAST_LINE) == 1
    assert text.endswith(LAST_LINE)
    prelude = (HERE / "agent_prelude.ps1").read_text(encoding="ascii")
    return text.removesuffix(LAST_LINE) + "\n" + prelude + LAST_LINE


def run_jobs(pwsh: str, jobs: Sequence[Job], directory: Path, roots: Path | None = None) -> list[Ran]:
    """Run all jobs in one process, which trusts the certificates of `roots` (PEM)."""
    out = directory / "out"
    out.mkdir(parents=True)
    agent = directory / "agent.ps1"
    agent.write_text(instrumented(), encoding="ascii")
    (directory / "jobs").write_text("".join(map(_line, jobs)), encoding="ascii")
    script = str(HERE / "agent_driver.ps1")
    arguments = ["-AgentPath", str(agent), "-JobsPath", str(directory / "jobs"), "-Out", str(out)]
    run_pwsh([pwsh, "-NoProfile", "-NonInteractive", "-File", script, *arguments], roots=roots)
    return [_ran(out, number) for number in range(len(jobs))]


def run_pwsh(command: Sequence[str], stdin: bytes = b"", roots: Path | None = None) -> bytes:
    """Standard output of a PowerShell that ended well."""
    environment = {**os.environ, **({"SSL_CERT_FILE": str(roots)} if roots else {})}
    done = subprocess.run(
        command, input=stdin, capture_output=True, timeout=SECONDS, check=False, env=environment
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode("utf-8", "replace")
    return done.stdout


def reply_bytes(stdout: bytes) -> tuple[str, bytes]:
    """Marker and the exact bytes between the markers, without the product's own decoder."""
    found = re.fullmatch(
        rb"IVN-BEGIN (\w+) (\d+) ([0-9a-f]{64})\r?\n(.*?)\r?\nIVN-END \1\r?\n", stdout, re.DOTALL
    )
    assert found, stdout[:500]
    lines = found[4].split()
    assert all(len(line) == 76 for line in lines[:-1])
    reply = gzip.decompress(base64.b64decode(b"".join(lines), validate=True))
    assert len(reply) == int(found[2])
    assert hashlib.sha256(reply).hexdigest() == found[3].decode()
    return found[1].decode(), reply


def _line(job: Job) -> str:
    parts = (job.request, json.dumps(job.windows), str(job.root))
    return " ".join(base64.b64encode(part.encode()).decode() for part in parts) + "\n"


def _ran(out: Path, number: int) -> Ran:
    rows = (line.split(" ", 1) for line in (out / f"{number}.services").read_text().splitlines())
    services = {base64.b64decode(name).decode(): state for name, state in rows}
    return Ran((out / f"{number}.stdout").read_bytes(), services)
