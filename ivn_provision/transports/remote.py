"""What every way to a remote command line offers, and how its failures are told apart.

A transport runs one command with standard input and gives back what it wrote. Whether the command did its
work is said by its reply, never by an exit code (facts/winrm.md, parts 7 and 9).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ivn_provision.errors import ProtocolFault, TargetError, Uncertain
from ivn_provision.transports.breaker import Account, Attempt
from ivn_provision.transports.deadline import Deadline

MAX_OUTPUT = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command wrote. `resumed`: the line broke while it was fetched, so a part may be missing."""

    stdout: bytes
    stderr: bytes
    exit_code: int
    resumed: bool = False


class RemoteShell(Protocol):
    """Runs commands on one host. Not thread-safe: one for each host and thread."""

    def run(
        self,
        command: str,
        arguments: Sequence[str],
        stdin: Sequence[bytes],
        attempt: Attempt,
        *,
        writes: bool = False,
    ) -> CommandResult:
        """Run a command and give it `stdin` in pieces. Raises TargetError, ConnectionLost among them.

        With `writes` nothing is sent twice once standard input went out, the command is left to end its work
        when the line breaks, and the error is then `Uncertain`. `attempt` begins once the host is connected.
        """
        ...


@dataclass(frozen=True, slots=True)
class Way:
    """How one recorder is reached: `endpoint` for people, who logs on, and the shell for one deadline."""

    endpoint: str
    account: Account
    shell: Callable[[Deadline], RemoteShell]


class ConnectionLost(ProtocolFault):
    """The host was spoken to and the line broke, or what ran there was lost: a read may be asked once more."""

    def plain(self) -> ProtocolFault:
        """The same as an error of the tree in errors.py."""
        return ProtocolFault(self.summary, endpoint=self.endpoint, where=self.where, next_step=self.next_step)


def uncertain(cause: TargetError, endpoint: str) -> Uncertain:
    """The error for a write whose request may have arrived and whose reply did not."""
    return Uncertain(
        f"the recorder got the changes to make, and its answer was lost: {cause.summary}",
        endpoint=endpoint,
        next_step="the work there goes on to its end, or undoes itself; plan again in a minute to see which",
    )


def too_large(endpoint: str) -> ProtocolFault:
    """The error for output beyond MAX_OUTPUT."""
    return ProtocolFault(
        "the agent's answer is larger than 64 MiB",
        endpoint=endpoint,
        next_step="see what listens on that port",
    )
