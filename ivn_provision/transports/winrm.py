"""WinRM: run one command with standard input over WS-Man, by pywinrm's `Protocol` (`facts/winrm.md`).

One connection, one authentication, one shell for each command: Create, Command, Send, Receive, Delete. The
shell is deleted on every path but one: a command that may be writing is never ended from here.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ivn_provision.errors import AuthenticationFailed, TargetError
from ivn_provision.transports.breaker import Attempt
from ivn_provision.transports.deadline import Deadline
from ivn_provision.transports.line import Line
from ivn_provision.transports.remote import MAX_OUTPUT, CommandResult, too_large, uncertain
from ivn_provision.transports.winrm_dialogue import Dialogue
from ivn_provision.transports.winrm_faults import is_fault, passes_by_itself, wants_a_new_shell
from ivn_provision.transports.winrm_settings import WinRmSettings, is_loopback, settings_of

if TYPE_CHECKING:
    from ivn_provision.transports.winrm_session import Client

__all__ = ["CommandResult", "WinRm", "WinRmSettings", "is_loopback", "settings_of"]

TIDY_SECONDS = 2.0
PAUSES = (0.3, 1.0)
"""Seconds before a Create that failed for a passing reason is tried again."""

READ_IDLE, WRITE_IDLE = "PT180S", "PT600S"
"""How long an idle shell lives: a write that lost us has that long to end its work."""


@dataclass(slots=True)
class _Job:
    """`handed` once all of standard input may have arrived; `ended` once the command said it has."""

    command: str
    arguments: Sequence[str]
    stdin: Sequence[bytes]
    writes: bool
    handed: bool = False
    ended: bool = False

    @property
    def may_be_writing(self) -> bool:
        return self.writes and self.handed and not self.ended


class _ShellRefused(Exception):
    """The host would not start the command in this shell; nothing ran."""


class WinRm:
    """Runs commands on one host. Not thread-safe: one for each host and thread."""

    def __init__(
        self, settings: WinRmSettings, deadline: Deadline, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.settings = settings
        self._deadline = deadline
        self._work = deadline.earlier(min(TIDY_SECONDS, deadline.seconds / 5))
        self._sleep = sleep

    def run(
        self,
        command: str,
        arguments: Sequence[str],
        stdin: Sequence[bytes],
        attempt: Attempt,
        *,
        writes: bool = False,
    ) -> CommandResult:
        """Run a command and give it `stdin` in pieces. Raises TargetError with the cause.

        `attempt` waits for its turn once the host is connected: an unreachable one holds up nobody.
        """
        job = _Job(command, arguments, stdin, writes)
        with (
            contextlib.closing(Line(lambda: attempt.begin(self._work))) as line,
            contextlib.closing(Dialogue(self.settings, line, self._work)) as dialogue,
        ):
            dialogue.connect()
            try:
                return self._in_shell(dialogue, job, attempt)
            except _ShellRefused:
                return self._in_shell(dialogue, job, attempt, last=True)

    def _in_shell(
        self, dialogue: Dialogue, job: _Job, attempt: Attempt, *, last: bool = False
    ) -> CommandResult:
        shell = self._create(dialogue, WRITE_IDLE if job.writes else READ_IDLE)
        attempt.proven()
        try:
            running = self._start(dialogue, shell, job, last=last)
            return self._command(dialogue, shell, running, job)
        except TargetError as error:
            if job.may_be_writing and not isinstance(error, AuthenticationFailed):
                raise uncertain(error, self.settings.endpoint) from error
            raise
        finally:
            if not job.may_be_writing:  # Delete would end it in the middle, whatever brought us here
                self._delete(dialogue, shell)

    def _create(self, dialogue: Dialogue, idle: str) -> str:
        """A new shell: nothing runs yet, so a failure that may pass by itself is worth another try."""
        doing = "opening a shell"

        def create(client: Client) -> str:
            return client.open_shell(codepage=65001, noprofile=True, idle_timeout=idle)

        for pause in PAUSES:
            try:
                return dialogue.ask(doing, create)
            except TargetError as error:
                if not passes_by_itself(error) or self._work.left() < pause + 1:
                    raise
            self._sleep(pause)
            dialogue.renew()
        return dialogue.ask(doing, create)

    def _delete(self, dialogue: Dialogue, shell: str) -> None:
        """Best effort, on a new connection where the old one is dead: the host drops idle shells in the end."""
        for _ in range(2):
            with contextlib.suppress(Exception):  # the cause is on its way up
                tidy = dialogue.until(self._deadline)
                tidy.ask("closing the shell", lambda client: client.close_shell(shell, close_session=False))
                return
            with contextlib.suppress(Exception):
                dialogue.renew()

    def _command(self, dialogue: Dialogue, shell: str, running: str, job: _Job) -> CommandResult:
        try:
            self._send(dialogue, shell, running, job)
        except TargetError as error:
            if not is_fault(error):
                raise
            # it may have ended before it read all; then its own words are better (`facts/winrm.md`, 3)
            result = self._receive(dialogue, shell, running, job)
            if not result.stdout + result.stderr:
                raise
            return result
        return self._receive(dialogue, shell, running, job)

    def _start(self, dialogue: Dialogue, shell: str, job: _Job, *, last: bool) -> str:
        try:
            return dialogue.ask(
                "starting the agent",
                lambda client: client.run_command(
                    shell, job.command, job.arguments, console_mode_stdin=False, skip_cmd_shell=False
                ),
            )
        except TargetError as error:
            if last or not wants_a_new_shell(error) or self._work.over:
                raise
            raise _ShellRefused from error

    def _send(self, dialogue: Dialogue, shell: str, running: str, job: _Job) -> None:
        for index, piece in enumerate(job.stdin):
            last = index == len(job.stdin) - 1
            job.handed |= last

            def send(client: Client, piece: bytes = piece, last: bool = last) -> None:
                client.send_command_input(shell, running, piece, end=last)

            dialogue.ask("sending the request", send, renewing=not job.writes)

    def _receive(self, dialogue: Dialogue, shell: str, running: str, job: _Job) -> CommandResult:
        stdout, stderr, code = bytearray(), bytearray(), 0
        while not job.ended:
            out, err, code, job.ended = dialogue.receive(shell, running, resuming=not job.writes)
            stdout += out
            stderr += err
            if len(stdout) + len(stderr) > MAX_OUTPUT:
                raise too_large(self.settings.endpoint)
        return CommandResult(bytes(stdout), bytes(stderr), code, dialogue.resumed)
