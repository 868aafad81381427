"""Moves the bytes of one channel, all three streams side by side: reading one to its end first can deadlock."""

from __future__ import annotations

import select

from paramiko import Channel

from ivn_provision.transports.remote import MAX_OUTPUT, ConnectionLost, too_large

PIECE = 32 * 1024
WAIT_SECONDS = 0.05
"""How long at most until the channel is looked at again: nothing tells when it takes more input."""


class Pump:
    """`handed` once the whole of `stdin` may have arrived."""

    def __init__(self, channel: Channel, stdin: bytes, endpoint: str) -> None:
        self.stdout, self.stderr = bytearray(), bytearray()
        self.handed = not stdin
        self._channel = channel
        self._stdin = memoryview(stdin)
        self._endpoint = endpoint
        self._finished = False

    @property
    def ended(self) -> bool:
        """The far side closed its output, and all of it is here. Raises ConnectionLost if the line broke."""
        channel = self._channel
        if channel.recv_ready() or channel.recv_stderr_ready():
            return False
        if channel.eof_received or (channel.closed and channel.exit_status != -1):
            return not (channel.recv_ready() or channel.recv_stderr_ready())
        if channel.closed:
            raise ConnectionLost(
                f"{self._endpoint} broke the connection while the agent was at work",
                endpoint=self._endpoint,
                next_step="try again; if it stays, look at the recorder's OpenSSH event log",
            )
        return False

    def moved(self) -> bool:
        """Move what can be moved now; whether that was anything."""
        return any([self._fetched(), self._sent()])

    def wait(self) -> None:
        """Until there is output, or it is time to look whether more input is taken."""
        select.select([self._channel.fileno()], [], [], WAIT_SECONDS)

    def _fetched(self) -> bool:
        before = len(self.stdout) + len(self.stderr)
        if self._channel.recv_ready():
            self.stdout += self._channel.recv(PIECE)
        if self._channel.recv_stderr_ready():
            self.stderr += self._channel.recv_stderr(PIECE)
        size = len(self.stdout) + len(self.stderr)
        if size > MAX_OUTPUT:
            raise too_large(self._endpoint)
        return size > before

    def _sent(self) -> bool:
        if self._finished or self._channel.closed:
            return False
        if not self._stdin:
            self._finished = True
            self._channel.shutdown_write()  # always: PowerShell 2.0 waits for the end (facts/winrm.md, part 9)
            return True
        if not self._channel.send_ready():
            return False
        self.handed |= len(self._stdin) <= PIECE
        self._stdin = self._stdin[self._channel.send(bytes(self._stdin[:PIECE])) :]
        return True
