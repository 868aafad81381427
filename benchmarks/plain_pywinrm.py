"""The peer of `plan`: pywinrm in a thread pool, one script on each host, reading facts only and judging nothing.

Run as a program of its own with a file of targets: a JSON list of `Target`s. The script has ten lines, one for each
fact (`ivn_provision/lab/nvr/readings.py`); the last one reads configuration.xml.
"""

from __future__ import annotations

import base64
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from winrm.protocol import Protocol

from ivn_provision.lab.nvr.readings import READINGS

WORKERS = 32
"""As many as `ivn_provision.run.fleet.runners` has."""

_SCRIPT = base64.b64encode("\n".join(READINGS).encode("utf-16-le")).decode("ascii")
_OPTIONS = ("-NoProfile", "-NonInteractive", "-EncodedCommand", _SCRIPT)


@dataclass(frozen=True, slots=True)
class Target:
    """A host of the lab."""

    url: str
    username: str
    password: str
    ca_file: str


def facts(target: Target) -> str:
    """What the script printed, asked over one connection and one shell."""
    protocol = Protocol(
        endpoint=target.url,
        transport="ntlm",
        username=target.username,
        password=target.password,
        ca_trust_path=target.ca_file,
    )
    shell = protocol.open_shell(codepage=65001, noprofile=True)
    try:
        running = protocol.run_command(shell, "powershell.exe", _OPTIONS)
        stdout, _, _ = protocol.get_command_output(shell, running)
        protocol.cleanup_command(shell, running)
    finally:
        protocol.close_shell(shell)
    return stdout.decode("utf-8")


def main(file: Path) -> None:
    """Ask every host; fails if one does."""
    targets = [Target(**each) for each in json.loads(file.read_text("utf-8"))]
    with ThreadPoolExecutor(max_workers=min(WORKERS, len(targets))) as pool:
        answers = list(pool.map(facts, targets))
    failed = [answer for answer in answers if "IVN-LAB-" not in answer or "</" not in answer]
    if failed:
        sys.exit(f"{len(failed)} hosts did not answer: {failed[0][:500]}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
