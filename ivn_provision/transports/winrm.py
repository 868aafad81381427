"""WinRM: run one command with standard input over WS-Man, by pywinrm's `Protocol` (`facts/winrm.md`).

One connection, one authentication, one shell for each command, and the shell is deleted on every path:
Create, Command, Send, Receive, Delete. Nothing is retried here but a Receive that had no output yet.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ivn_provision.errors import Refused
from ivn_provision.secret import Secret
from ivn_provision.spec.site import Connect, Tls
from ivn_provision.transports.deadline import Deadline
from ivn_provision.transports.winrm_faults import classify

if TYPE_CHECKING:
    from winrm.protocol import Protocol

CONNECT_SECONDS = 5.0
RECEIVE_SECONDS = 20


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
    host = f"[{connect.host}]" if ":" in connect.host else connect.host
    url = f"{scheme}://{host}:{connect.port}/wsman"
    return WinRmSettings(url, connect.auth, connect.username, password, connect.tls)


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

    def run(self, command: str, arguments: Sequence[str], stdin: Sequence[bytes]) -> CommandResult:
        """Run a command and give it `stdin` in pieces. Raises TargetError with the cause."""
        with self._classified("connecting"):
            protocol = self._protocol()
        try:
            return self._in_shell(protocol, command, arguments, stdin)
        finally:
            protocol.transport.close_session()

    def _in_shell(
        self, protocol: Protocol, command: str, arguments: Sequence[str], stdin: Sequence[bytes]
    ) -> CommandResult:
        with self._classified("opening a shell"):
            self._tick(protocol, "opening a shell")
            shell = protocol.open_shell(codepage=65001, noprofile=True, idle_timeout="PT180S")
        try:
            with self._classified("running the agent"):
                self._tick(protocol, "starting the agent")
                running = protocol.run_command(
                    shell, command, arguments, console_mode_stdin=False, skip_cmd_shell=False
                )
                for index, piece in enumerate(stdin):
                    self._tick(protocol, "sending the request")
                    protocol.send_command_input(shell, running, piece, end=index == len(stdin) - 1)
                return self._receive(protocol, shell, running)
        finally:
            with contextlib.suppress(Exception):  # the cause is on its way up; the host drops idle shells
                protocol.close_shell(shell, close_session=False)

    def _receive(self, protocol: Protocol, shell: str, running: str) -> CommandResult:
        from winrm.exceptions import WinRMOperationTimeoutError

        stdout, stderr, code, done = [], [], 0, False
        while not done:
            self._tick(protocol, "waiting for the agent")
            try:
                out, err, code, done = protocol.get_command_output_raw(shell, running)
            except WinRMOperationTimeoutError:
                continue  # no output yet: normal, ask again (`facts/winrm.md`, 6)
            stdout.append(out)
            stderr.append(err)
        return CommandResult(b"".join(stdout), b"".join(stderr), code)

    def _tick(self, protocol: Protocol, doing: str) -> None:
        """Give the next request what is left of the deadline."""
        left = self._deadline.left(endpoint=self.settings.endpoint, doing=doing)
        protocol.operation_timeout_sec = int(max(1, min(RECEIVE_SECONDS, left)))
        _set_timeouts(protocol, left)

    @contextlib.contextmanager
    def _classified(self, doing: str) -> Iterator[None]:
        """Whatever pywinrm and the libraries below raise becomes one of our errors."""
        try:
            yield
        except Exception as error:
            raise classify(
                error,
                endpoint=self.settings.endpoint,
                username=self.settings.username,
                doing=doing,
                seconds=self._deadline.seconds,
            ) from error

    def _protocol(self) -> Protocol:
        from winrm.protocol import Protocol

        settings = self.settings
        left = self._deadline.left(endpoint=settings.endpoint, doing="connecting")
        authority: Any = settings.tls.value if settings.tls.mode == "ca" else None
        protocol = Protocol(
            endpoint=settings.url,
            transport=settings.auth,  # type: ignore[arg-type] # checked by the schema
            username=settings.username,
            password=settings.password.reveal(),
            proxy=None,
            ca_trust_path=authority,
            server_cert_validation="validate",
            message_encryption="auto",
        )
        _set_timeouts(protocol, left)
        session = protocol.transport.build_session()
        session.trust_env = False
        if settings.tls.mode == "fingerprint":
            session.mount("https://", _pinned(settings.tls.value))
            session.verify = False
        return protocol


def _set_timeouts(protocol: Protocol, left: float) -> None:
    """Connect and read seconds of the next request: requests takes the pair, pywinrm's types do not know."""
    pair: Any = (min(CONNECT_SECONDS, left), left)
    protocol.transport.read_timeout_sec = pair


def _pinned(fingerprint: str) -> Any:
    """An adapter that accepts exactly one certificate, by its SHA-256."""
    from requests.adapters import HTTPAdapter

    class Pinned(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, assert_fingerprint=fingerprint, **kwargs)

    return Pinned()
