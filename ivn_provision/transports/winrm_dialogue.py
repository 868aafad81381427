"""The requests to one host: each within the deadline, on a new connection where the old one is dead."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from ivn_provision.errors import TargetError
from ivn_provision.transports.deadline import Deadline, exceeded
from ivn_provision.transports.line import CONNECT_SECONDS, Line
from ivn_provision.transports.winrm_faults import classify, is_lost, is_stale
from ivn_provision.transports.winrm_settings import WinRmSettings

if TYPE_CHECKING:
    from ivn_provision.transports.winrm_session import Client

RECEIVE_SECONDS = 20
RESUMES = 3
"""How often in a row a Receive goes out again on a new connection."""

_T = TypeVar("_T")


class Dialogue:
    """Speaks pywinrm's protocol over `line`. Whatever is raised is a TargetError.

    `resumed` once a Receive had to be repeated: the host may have given its first answer to nobody.
    """

    def __init__(self, settings: WinRmSettings, line: Line, deadline: Deadline) -> None:
        self.settings = settings
        self.resumed = False
        self._line = line
        self._deadline = deadline
        self._client: Client | None = None

    def connect(self) -> None:
        """Connect and, over plain HTTP, authenticate: there the key of the messages comes from that."""
        with self._step("connecting"):
            self._client = self._made()

    def until(self, deadline: Deadline) -> Dialogue:
        """The same, from now on with another deadline."""
        self._deadline = deadline
        return self

    def renew(self) -> None:
        """A new connection and a new security context: the old key is of the old connection."""
        self.close()
        self.connect()

    def close(self) -> None:
        """End the connection; the dialogue may be renewed."""
        if self._client is not None:
            self._client.transport.close_session()

    def ask(self, doing: str, send: Callable[[Client], _T], *, renewing: bool = True) -> _T:
        """One request. With `renewing` it goes out once more if the host could not decrypt, so not read, it."""
        try:
            return self._asked(doing, send)
        except TargetError as error:
            if not renewing or not is_stale(error):
                raise
        self.renew()
        return self._asked(doing, send)

    def receive(self, shell: str, running: str, *, resuming: bool) -> tuple[bytes, bytes, int, bool]:
        """Output so far, exit code, and whether that was all; nothing if the host had nothing to say yet.

        With `resuming` it goes out again on a new connection when the line breaks, under the same message id:
        a host may then give the same data again ([S] of `facts/winrm.md`, part 3), or what comes after it.
        """
        assert self._client is not None
        message_id = self._client.new_receive()
        for _ in range(RESUMES if resuming else 0):
            try:
                return self._received(shell, running)
            except TargetError as error:
                if not is_lost(error) and not is_stale(error):
                    raise
            self.resumed = True
            self.renew()
            self._client.receive_id = message_id
        return self._received(shell, running)

    def _received(self, shell: str, running: str) -> tuple[bytes, bytes, int, bool]:
        from winrm.exceptions import WinRMOperationTimeoutError

        def once(client: Client) -> tuple[bytes, bytes, int, bool]:
            try:
                return client.get_command_output_raw(shell, running)
            except WinRMOperationTimeoutError:
                return b"", b"", 0, False  # no output yet: normal, ask again (`facts/winrm.md`, 6)

        return self._asked("waiting for the agent", once)

    def _asked(self, doing: str, send: Callable[[Client], _T]) -> _T:
        with self._step(doing):
            assert self._client is not None
            self._tick(self._client, doing)
            return send(self._client)

    def _tick(self, client: Client, doing: str) -> None:
        """Give the next request what is left of the deadline; the host answers a second before it."""
        left = self._deadline.left(endpoint=self.settings.endpoint, doing=doing)
        client.operation_timeout_sec = int(max(1, min(RECEIVE_SECONDS, left - 1)))
        _set_timeouts(client, left)

    @contextlib.contextmanager
    def _step(self, doing: str) -> Iterator[None]:
        """Ends in time, and whatever pywinrm and the libraries below raise becomes one of our errors."""
        endpoint, seconds = self.settings.endpoint, self._deadline.seconds
        try:
            with self._line.until(self._deadline):
                yield
        except Exception as error:
            ours = isinstance(error, TargetError) and bool(error.endpoint)
            if self._deadline.over and not ours:
                raise exceeded(seconds, endpoint=endpoint, doing=doing) from error
            raise classify(
                error, endpoint=endpoint, username=self.settings.username, doing=doing, seconds=seconds
            ) from error

    def _made(self) -> Client:
        from ivn_provision.transports.winrm_session import client_of

        left = self._deadline.left(endpoint=self.settings.endpoint, doing="connecting")
        return client_of(self.settings, self._line, prepare=lambda client: _set_timeouts(client, left))


def _set_timeouts(client: Client, left: float) -> None:
    """Connect and read seconds of the next request: requests takes the pair, pywinrm's types do not know."""
    pair: Any = (min(CONNECT_SECONDS, left), left)
    client.transport.read_timeout_sec = pair
