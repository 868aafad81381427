"""WinRM: run one command with standard input over WS-Man, by pywinrm's `Protocol` (`facts/winrm.md`).

One connection, one authentication, one shell for each command, and the shell is deleted on every path:
Create, Command, Send, Receive, Delete. Nothing is retried here but a Receive that had no output yet.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ivn_provision.errors import ProtocolFault, Refused, TargetError
from ivn_provision.secret import Secret
from ivn_provision.spec.site import Connect, Tls
from ivn_provision.transports.breaker import Attempt
from ivn_provision.transports.deadline import Deadline, exceeded
from ivn_provision.transports.line import CONNECT_SECONDS, Line
from ivn_provision.transports.tls import context_of
from ivn_provision.transports.winrm_faults import classify

if TYPE_CHECKING:
    from winrm.protocol import Protocol

RECEIVE_SECONDS = 20
TIDY_SECONDS = 2.0
MAX_OUTPUT = 64 * 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?")


@dataclass(frozen=True, slots=True)
class WinRmSettings:
    """`url` is the whole endpoint; `auth` one of pywinrm's transports."""

    url: str
    auth: str
    username: str
    password: Secret
    tls: Tls

    @property
    def endpoint(self) -> str:
        """`host:port`, for people."""
        return urlsplit(self.url).netloc


@dataclass(frozen=True, slots=True)
class CommandResult:
    stdout: bytes
    stderr: bytes
    exit_code: int


def settings_of(connect: Connect, password: Secret) -> WinRmSettings:
    """Settings for a recorder. `tls: off` means plain HTTP with message encryption, loopback only."""
    if connect.tls.mode == "off" and not is_loopback(connect.host):
        raise Refused("tls: off is allowed on loopback only", next_step="set nvr.connect.tls to verify")
    if connect.tls.mode == "off" and connect.auth not in {"ntlm", "kerberos", "credssp"}:
        raise Refused(
            f"{connect.auth} would send the password in clear", next_step="set nvr.connect.auth to ntlm"
        )
    scheme = "http" if connect.tls.mode == "off" else "https"
    url = f"{scheme}://{_url_host(connect.host)}:{connect.port}/wsman"
    return WinRmSettings(url, connect.auth, connect.username, password, connect.tls)


def _url_host(host: str) -> str:
    """A host as it stands in a URL. Raises Refused where it is no address and cannot be a name."""
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:
        pass
    try:
        name = host.encode("idna").decode()
    except UnicodeError:
        name = ""
    if not _NAME.fullmatch(name):
        raise Refused(
            f"nvr.connect.host is neither a name nor an address: {host!r}",
            next_step="write the host alone; its port goes into nvr.connect.port",
        )
    return name


def is_loopback(host: str) -> bool:
    """Is this an address of the machine itself? Names other than `localhost` are not trusted to be."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class WinRm:
    """Runs commands on one host. Not thread-safe: one for each host and thread."""

    def __init__(self, settings: WinRmSettings, deadline: Deadline) -> None:
        self.settings = settings
        self._deadline = deadline
        self._work = deadline.earlier(min(TIDY_SECONDS, deadline.seconds / 5))

    def run(
        self, command: str, arguments: Sequence[str], stdin: Sequence[bytes], attempt: Attempt
    ) -> CommandResult:
        """Run a command and give it `stdin` in pieces. Raises TargetError with the cause.

        `attempt` waits for its turn once the host is connected: an unreachable one holds up nobody.
        """
        with contextlib.closing(Line(lambda: attempt.begin(self._work))) as line:
            with self._step(line, "connecting"):
                protocol = self._protocol(line)
            try:
                return self._in_shell(protocol, line, (command, arguments, stdin), attempt)
            finally:
                protocol.transport.close_session()

    def _in_shell(
        self,
        protocol: Protocol,
        line: Line,
        job: tuple[str, Sequence[str], Sequence[bytes]],
        attempt: Attempt,
    ) -> CommandResult:
        with self._step(line, "opening a shell"):
            self._tick(protocol, "opening a shell")
            shell = protocol.open_shell(codepage=65001, noprofile=True, idle_timeout="PT180S")
        attempt.proven()
        try:
            with self._step(line, "running the agent"):
                return self._command(protocol, shell, *job)
        finally:
            with contextlib.suppress(Exception):  # the cause is on its way up; the host drops idle shells
                _set_timeouts(protocol, self._deadline.left())
                with line.until(self._deadline):
                    protocol.close_shell(shell, close_session=False)

    def _command(
        self, protocol: Protocol, shell: str, command: str, arguments: Sequence[str], stdin: Sequence[bytes]
    ) -> CommandResult:
        self._tick(protocol, "starting the agent")
        running = protocol.run_command(
            shell, command, arguments, console_mode_stdin=False, skip_cmd_shell=False
        )
        for index, piece in enumerate(stdin):
            self._tick(protocol, "sending the request")
            protocol.send_command_input(shell, running, piece, end=index == len(stdin) - 1)
        return self._receive(protocol, shell, running)

    def _receive(self, protocol: Protocol, shell: str, running: str) -> CommandResult:
        from winrm.exceptions import WinRMOperationTimeoutError

        stdout, stderr, code, done = bytearray(), bytearray(), 0, False
        while not done:
            self._tick(protocol, "waiting for the agent")
            try:
                out, err, code, done = protocol.get_command_output_raw(shell, running)
            except WinRMOperationTimeoutError:
                continue  # no output yet: normal, ask again (`facts/winrm.md`, 6)
            stdout += out
            stderr += err
            if len(stdout) + len(stderr) > MAX_OUTPUT:
                raise ProtocolFault(
                    "the agent's answer is larger than 64 MiB",
                    endpoint=self.settings.endpoint,
                    next_step="see what listens on that port",
                )
        return CommandResult(bytes(stdout), bytes(stderr), code)

    def _tick(self, protocol: Protocol, doing: str) -> None:
        """Give the next request what is left of the deadline; the host answers a second before it."""
        left = self._work.left(endpoint=self.settings.endpoint, doing=doing)
        protocol.operation_timeout_sec = int(max(1, min(RECEIVE_SECONDS, left - 1)))
        _set_timeouts(protocol, left)

    @contextlib.contextmanager
    def _step(self, line: Line, doing: str) -> Iterator[None]:
        """Ends in time, and whatever pywinrm and the libraries below raise becomes one of our errors."""
        endpoint, seconds = self.settings.endpoint, self._deadline.seconds
        try:
            with line.until(self._work):
                yield
        except Exception as error:
            ours = isinstance(error, TargetError) and bool(error.endpoint)
            if self._work.over and not ours:
                raise exceeded(seconds, endpoint=endpoint, doing=doing) from error
            raise classify(
                error, endpoint=endpoint, username=self.settings.username, doing=doing, seconds=seconds
            ) from error

    def _protocol(self, line: Line) -> Protocol:
        from winrm.protocol import Protocol

        from ivn_provision.transports.winrm_session import secure

        settings = self.settings
        tls = context_of(settings.tls, endpoint=settings.endpoint, field="nvr.connect.tls")
        protocol = Protocol(
            endpoint=settings.url,
            transport=settings.auth,  # type: ignore[arg-type] # checked by the schema
            username=settings.username,
            password=settings.password.reveal(),
            proxy=None,
            ca_trust_path=None,  # type: ignore[arg-type] # none from the environment; ours is in the context
            server_cert_validation="validate",
            message_encryption="never",  # else it would shake hands before the session is secure
        )
        _set_timeouts(protocol, self._work.left(endpoint=settings.endpoint, doing="connecting"))
        session = protocol.transport.build_session()
        pin = settings.tls.value if settings.tls.mode == "fingerprint" else ""
        secure(session, line, tls, fingerprint=pin, endpoint=settings.endpoint)
        if settings.tls.mode == "off":
            protocol.transport.setup_encryption(session)
        return protocol


def _set_timeouts(protocol: Protocol, left: float) -> None:
    """Connect and read seconds of the next request: requests takes the pair, pywinrm's types do not know."""
    pair: Any = (min(CONNECT_SECONDS, left), left)
    protocol.transport.read_timeout_sec = pair
