"""Remote shells and their commands: state only, no wire (facts/winrm.md, parts 1 and 4).

A program runs in a thread of its own, as a process would: the machine goes on meanwhile, and what ends the
shell ends the program, at its next step.
"""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from ivn_provision.lab.nvr.agent_machine import Windows
from ivn_provision.lab.nvr.killable import Killed, killable
from ivn_provision.lab.nvr.programs import Program, Result, resolve
from ivn_provision.lab.nvr.wsman_faults import (
    COMMAND_NOT_FOUND,
    RECEIVE_IN_PROGRESS,
    SHELL_NOT_FOUND,
    STDIN_CLOSED,
    TIMED_OUT,
    TOO_MANY_SHELLS,
    WsmanFault,
)

LARGEST_STDIN = 64 * 1024 * 1024
_CLOSE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Output:
    """One Receive's worth; `exit_code` is None while there is more to come."""

    stdout: bytes
    stderr: bytes
    exit_code: int | None


class Command:
    """One running or finished program."""

    def __init__(self, command_id: str, line: str, windows: Windows) -> None:
        self.id = command_id
        self._stdin = bytearray()
        self._stdout, self._stderr = b"", b""
        self._exit_code: int | None = None
        self._program: Program | None = None
        self._finished = asyncio.Event()
        self._receiving = False
        self._killed = threading.Event()
        self.running = False
        found = resolve(line, killable(windows, self._killed))
        if isinstance(found, Result):
            self._finish(found)
        else:
            self._program = found

    def send(self, data: bytes, *, end: bool) -> None:
        """Take standard input; at its end the program runs. Raises WsmanFault when it has ended already."""
        if self._program is None or len(self._stdin) + len(data) > LARGEST_STDIN:
            raise WsmanFault(STDIN_CLOSED)
        self._stdin += data
        if end:
            program, self._program = self._program, None
            self._start(program, bytes(self._stdin))

    async def receive(self, timeout: float, limit: int) -> Output:  # noqa: ASYNC109 - OperationTimeout of the wire
        """At most `limit` bytes, waiting up to `timeout` seconds. Raises WsmanFault."""
        if self._receiving:
            raise WsmanFault(RECEIVE_IN_PROGRESS)
        self._receiving = True
        try:
            await asyncio.wait_for(self._finished.wait(), timeout)
        except TimeoutError as error:
            raise WsmanFault(TIMED_OUT) from error
        finally:
            self._receiving = False
        return self._take(limit)

    def terminate(self) -> None:
        """End the program, one that runs already at its next step; what it has written stays."""
        self._killed.set()
        if self._program is not None:
            self._program = None
            self._finish(Result(1))

    @property
    def over(self) -> bool:
        """Whether the program has ended."""
        return self._finished.is_set()

    async def ended(self) -> None:
        """Wait until the program has ended."""
        await self._finished.wait()

    def _start(self, program: Program, stdin: bytes) -> None:
        loop = asyncio.get_running_loop()
        self.running = True

        def work() -> None:
            result = Result(1)
            try:
                result = program(stdin)
            except Killed:
                pass
            finally:
                loop.call_soon_threadsafe(self._finish, result)

        threading.Thread(target=work, name="lab-program", daemon=True).start()

    def _take(self, limit: int) -> Output:
        out, self._stdout = self._stdout[:limit], self._stdout[limit:]
        room = limit - len(out)
        err, self._stderr = self._stderr[:room], self._stderr[room:]
        more = bool(self._stdout or self._stderr)
        return Output(out, err, None if more else self._exit_code)

    def _finish(self, result: Result) -> None:
        self._stdout, self._stderr, self._exit_code = result.stdout, result.stderr, result.exit_code
        self.running = False
        self._finished.set()


@dataclass(slots=True)
class Shell:
    """One shell of one user. Times in seconds of the loop's clock."""

    id: str
    owner: str
    idle_timeout: float
    last_used: float
    commands: dict[str, Command] = field(default_factory=dict)

    def command(self, command_id: str) -> Command:
        """A command of this shell. Raises WsmanFault."""
        found = self.commands.get(command_id.upper())
        if found is None:
            raise WsmanFault(COMMAND_NOT_FOUND)
        return found


class Shells:
    """All shells of a machine, with the quota per user and idle expiry."""

    def __init__(self, windows: Windows, clock: Callable[[], float], *, per_user: int = 30) -> None:
        self._windows = windows
        self._clock = clock
        self._shells: dict[str, Shell] = {}
        self._started: list[Command] = []
        self.per_user = per_user

    def __len__(self) -> int:
        self._expire()
        return len(self._shells)

    def create(self, owner: str, wanted_id: str, idle_timeout: float) -> Shell:
        """A new shell. Raises WsmanFault over quota."""
        self._expire()
        if sum(1 for each in self._shells.values() if each.owner == owner) >= self.per_user:
            raise WsmanFault(TOO_MANY_SHELLS)
        shell_id = _guid(wanted_id)
        if shell_id in self._shells:
            raise WsmanFault(SHELL_NOT_FOUND, "a shell of that id exists")
        self._shells[shell_id] = Shell(shell_id, owner, idle_timeout, self._clock())
        return self._shells[shell_id]

    def get(self, owner: str, shell_id: str) -> Shell:
        """A living shell of this user. Raises WsmanFault."""
        self._expire()
        found = self._shells.get(shell_id)
        if found is None or found.owner != owner:
            raise WsmanFault(SHELL_NOT_FOUND)
        found.last_used = self._clock()
        return found

    def run(self, shell: Shell, line: str, wanted_id: str) -> Command:
        """Start a command in a shell."""
        command = Command(_guid(wanted_id), line, self._windows)
        shell.commands[command.id] = command
        self._started = [*(each for each in self._started if not each.over), command]
        return command

    async def idle(self) -> None:
        """Wait for every program that runs, also of shells that are gone. Raises TimeoutError after 30 s."""
        async with asyncio.timeout(_CLOSE_SECONDS):
            for command in [each for each in self._started if each.running]:
                await command.ended()

    def delete(self, shell: Shell) -> None:
        """Remove a shell and end what runs in it."""
        for command in shell.commands.values():
            command.terminate()
        self._shells.pop(shell.id, None)

    def end_all(self) -> None:
        """As if the idle time of every shell was over."""
        for shell in list(self._shells.values()):
            self.delete(shell)

    def _expire(self) -> None:
        now = self._clock()
        for shell in [each for each in self._shells.values() if now - each.last_used > each.idle_timeout]:
            self.delete(shell)


def _guid(wanted: str) -> str:
    try:
        return str(uuid.UUID(wanted)).upper()
    except ValueError:
        return str(uuid.uuid4()).upper()
