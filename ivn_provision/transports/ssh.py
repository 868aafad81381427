"""SSH: run one command with standard input on Windows OpenSSH, by paramiko (`facts/winrm.md`, part 9).

One connection for each command, never a terminal, host keys only as declared. The exit status says nothing:
early builds of Windows' server always give 0.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ivn_provision.errors import AuthenticationFailed, IvnError, TargetError
from ivn_provision.transports.breaker import Attempt
from ivn_provision.transports.deadline import Deadline, exceeded
from ivn_provision.transports.line import Line
from ivn_provision.transports.remote import CommandResult, ConnectionLost, uncertain
from ivn_provision.transports.ssh_settings import SshSettings

if TYPE_CHECKING:
    from paramiko import Channel, SSHClient

    from ivn_provision.transports.ssh_pump import Pump

TIDY_SECONDS = 0.5
KEEPALIVE_SECONDS = 15


class Ssh:
    """Runs commands on one host. Not thread-safe: one for each host and thread."""

    def __init__(self, settings: SshSettings, deadline: Deadline) -> None:
        self.settings = settings
        self._deadline = deadline
        self._work = deadline.earlier(min(TIDY_SECONDS, deadline.seconds / 5))

    def run(
        self,
        command: str,
        arguments: Sequence[str],
        stdin: Sequence[bytes],
        attempt: Attempt,
        *,
        writes: bool = False,
    ) -> CommandResult:
        """Run a command and give it `stdin`. Raises TargetError with the cause.

        The line must be one that cmd.exe and PowerShell read alike: the account's default shell gets it.
        """
        logging.getLogger("paramiko").addHandler(logging.NullHandler())  # else its log lands on our stderr
        with contextlib.closing(Line()) as line, self._client() as client:
            with self._step(line, "connecting"):
                self._connect(client, line, attempt)
            attempt.proven()
            with self._step(line, "starting the agent"):
                channel = self._started(client, " ".join([command, *arguments]))
            return self._pumped(line, channel, b"".join(stdin), writes=writes)

    def _pumped(self, line: Line, channel: Channel, stdin: bytes, *, writes: bool) -> CommandResult:
        from ivn_provision.transports.ssh_pump import Pump

        pump = Pump(channel, stdin, self.settings.endpoint)
        try:
            with self._step(line, "waiting for the agent"):
                self._pump(pump)
        except TargetError as error:
            if writes and pump.handed:
                raise uncertain(error, self.settings.endpoint) from error
            raise
        return CommandResult(bytes(pump.stdout), bytes(pump.stderr), channel.exit_status)

    def _pump(self, pump: Pump) -> None:
        while not pump.ended:
            self._work.left(endpoint=self.settings.endpoint, doing="waiting for the agent")
            if not pump.moved():
                pump.wait()

    @contextlib.contextmanager
    def _client(self) -> Iterator[SSHClient]:
        from paramiko import SSHClient

        from ivn_provision.transports.ssh_keys import HostKeyCheck

        client = SSHClient()
        client.set_missing_host_key_policy(HostKeyCheck(self.settings))
        with contextlib.closing(client):
            yield client

    def _connect(self, client: SSHClient, line: Line, attempt: Attempt) -> None:
        from ivn_provision.transports.ssh_keys import known_hosts, private_key

        settings, key = self.settings, private_key(self.settings)
        client.get_host_keys().update(known_hosts(settings))
        sock = line.connect(settings.host, settings.port)
        try:
            attempt.begin(self._work)
            left = self._work.left(endpoint=settings.endpoint, doing="connecting")
            client.connect(
                settings.host,
                settings.port,
                settings.username,
                settings.password.reveal() if settings.password else None,
                pkey=key,
                allow_agent=settings.agent,
                look_for_keys=False,
                sock=sock,
                timeout=left,
                banner_timeout=left,
                auth_timeout=left,
                channel_timeout=left,
            )
        except BaseException:
            sock.close()
            raise

    def _started(self, client: SSHClient, line: str) -> Channel:
        transport = client.get_transport()
        if transport is None:
            raise EOFError
        transport.set_keepalive(KEEPALIVE_SECONDS)
        channel = transport.open_session(timeout=self._work.left())
        channel.settimeout(self._work.left())
        channel.exec_command(line)
        return channel

    @contextlib.contextmanager
    def _step(self, line: Line, doing: str) -> Iterator[None]:
        """Ends in time, and whatever paramiko raises becomes one of our errors."""
        from ivn_provision.transports.ssh_faults import classify

        endpoint, seconds = self.settings.endpoint, self._deadline.seconds
        try:
            with line.until(self._work):
                yield
        except Exception as error:
            if isinstance(error, AuthenticationFailed) or (isinstance(error, IvnError) and not _vague(error)):
                raise
            if self._work.over:
                raise exceeded(seconds, endpoint=endpoint, doing=doing) from error
            raise classify(error, self.settings, doing=doing) from error


def _vague(error: IvnError) -> bool:
    """An error that a deadline explains better: a cut connection looks like a lost one."""
    return isinstance(error, ConnectionLost) or (isinstance(error, TargetError) and not error.endpoint)
