"""The peer of `plan`: pywinrm in a thread pool, one script on each host, reading facts only and judging nothing.

Run as a program of its own with a file of targets: a JSON list of `Target`s. The lab runs no script but the
agent, so that is the script: about as many bytes on the wire as `plan` sends.
"""

from __future__ import annotations

import json
import secrets
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from winrm.protocol import Protocol

from ivn_provision.drivers.xprotect_e import bootstrap

WORKERS = 32
"""As many as `ivn_provision.run.engine` has."""


@dataclass(frozen=True, slots=True)
class Target:
    """A host of the lab."""

    url: str
    username: str
    password: str
    ca_file: str


def facts(target: Target) -> str:
    """The computer's name, asked over one connection and one shell."""
    marker = secrets.token_hex(16)
    request = {"protocol": 1, "marker": marker, "steps": [{"verb": "facts"}], "always": []}
    command, arguments = bootstrap.command_line()
    protocol = Protocol(
        endpoint=target.url,
        transport="ntlm",
        username=target.username,
        password=target.password,
        ca_trust_path=target.ca_file,
    )
    shell = protocol.open_shell(codepage=65001, noprofile=True)
    try:
        running = protocol.run_command(
            shell, command, arguments, console_mode_stdin=False, skip_cmd_shell=False
        )
        pieces = bootstrap.split_sends(bootstrap.stdin_payload(bootstrap.agent_text(), request))
        for index, piece in enumerate(pieces):
            protocol.send_command_input(shell, running, piece, end=index == len(pieces) - 1)
        stdout, stderr, _ = protocol.get_command_output(shell, running)
    finally:
        protocol.close_shell(shell)
    reply = bootstrap.decode_reply(stdout, marker, stderr)
    return json.dumps(reply["steps"][0])


def main(file: Path) -> None:
    """Ask every host; fails if one does."""
    targets = [Target(**each) for each in json.loads(file.read_text("utf-8"))]
    with ThreadPoolExecutor(max_workers=min(WORKERS, len(targets))) as pool:
        answers = list(pool.map(facts, targets))
    failed = [answer for answer in answers if '"computer_name"' not in answer]
    if failed:
        sys.exit(f"{len(failed)} hosts did not answer: {failed[0][:500]}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
