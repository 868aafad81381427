"""A lab recorder on free loopback ports, its loop in a thread of its own, and a small SMTP sink."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import gzip
import ipaddress
import json
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from winrm.protocol import Protocol

from ivn_provision.lab.nvr import Nvr
from ivn_provision.lab.scenario import LabSite
from ivn_provision.lab.sites import STORE_B_VERSION

T = TypeVar("T")
PASSWORD = "Lab only: pässword 1"
MARKER = "wireTestMarker0001"
LOADER = "$ErrorActionPreference='Stop'; $t=@($input)-join''; exit 0"


class LoopThread:
    """An asyncio loop in a thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._main, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], timeout: float = 20) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout)

    def close(self) -> None:
        leaked = self.run(self._tasks())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        assert leaked == [], f"tasks leaked: {leaked}"

    async def _tasks(self) -> list[str]:
        await asyncio.sleep(0.05)
        return [repr(task) for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    def _main(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()


@dataclass
class Running:
    """A started recorder and what a client needs to reach it."""

    nvr: Nvr
    loop: LoopThread
    ca_file: Path

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.nvr.http_port}/wsman"

    @property
    def https(self) -> str:
        return f"https://127.0.0.1:{self.nvr.https_port}/wsman"

    def protocol(self, kind: str = "http", **more: Any) -> Any:
        ways: dict[str, dict[str, Any]] = {
            "http": {"endpoint": self.http, "transport": "ntlm", "message_encryption": "always"},
            "https-basic": {"endpoint": self.https, "transport": "basic", "message_encryption": "auto"},
            "https-ntlm": {"endpoint": self.https, "transport": "ntlm", "message_encryption": "auto"},
        }
        settings = {
            "username": "ivn-provision",
            "password": PASSWORD,
            "ca_trust_path": str(self.ca_file),
            "proxy": None,
            "operation_timeout_sec": 3,
            "read_timeout_sec": 5,
        }
        return Protocol(**{**ways[kind], **settings, **more})


def make_certificate(directory: Path) -> tuple[Path, ssl.SSLContext]:
    """A self-signed certificate for 127.0.0.1: the file to trust, and the server's context."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab recorder of a test")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, private = directory / "server.pem", directory / "server.key"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, private)
    return pem, context


@contextlib.contextmanager
def recorder(directory: Path, *, store: Literal["a", "b"] = "a", **more: Any) -> Iterator[Running]:
    """A recorder on free ports for the length of a `with`."""
    ca_file, context = make_certificate(directory)
    version = "8.6a" if store == "a" else STORE_B_VERSION
    site = LabSite(
        "test-site",
        http_port=0,
        https_port=0,
        event_port=0,
        password=PASSWORD,
        store=store,
        version=version,
    )
    thread = LoopThread()
    nvr = Nvr(site, directory / "nvr", context, **more)
    try:
        thread.run(nvr.start())
        yield Running(nvr, thread, ca_file)
    finally:
        thread.run(nvr.stop())
        thread.close()


def payload(request: Mapping[str, Any], agent: str = "# ivn-provision agent 1.0.0\nparam($t)\n") -> bytes:
    """Standard input of the bootstrap."""
    packed = [_packed(agent.encode()), b".", _packed(json.dumps(request).encode())]
    return b"\n".join(packed) + b"\n"


def _packed(content: bytes) -> bytes:
    text = base64.b64encode(gzip.compress(content))
    return b"\n".join(text[at : at + 1000] for at in range(0, len(text), 1000))


def command_line() -> tuple[str, list[str]]:
    """The bootstrap's command and arguments."""
    encoded = base64.b64encode(LOADER.encode("utf-16-le")).decode()
    options = ["-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-EncodedCommand", encoded]
    return "powershell.exe", options


def ask(protocol: Any, *steps: Mapping[str, Any], signal: bool = True) -> dict[str, Any]:
    """One agent run through pywinrm; the decoded reply."""
    request = {"protocol": 1, "marker": MARKER, "steps": list(steps), "always": []}
    shell = protocol.open_shell(codepage=65001, noprofile=True, idle_timeout="PT180S")
    try:
        command = protocol.run_command(shell, *command_line(), console_mode_stdin=False)
        protocol.send_command_input(shell, command, payload(request), end=True)
        out, err, code = protocol.get_command_output(shell, command)
        if signal:
            protocol.cleanup_command(shell, command)
    finally:
        protocol.close_shell(shell)
    assert (err, code) == (b"", 0)
    return decode(out)


def decode(stdout: bytes) -> dict[str, Any]:
    """The reply between the markers, length and hash checked."""
    import hashlib

    lines = stdout.decode("ascii").split("\r\n")
    _, marker, size, digest = lines[0].split(" ")
    end = lines.index(f"IVN-END {marker}")
    content = gzip.decompress(base64.b64decode("".join(lines[1:end])))
    assert (len(content), hashlib.sha256(content).hexdigest()) == (int(size), digest)
    reply = json.loads(content)
    assert isinstance(reply, dict)
    return reply


def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for a condition, with a deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the deadline passed"
        time.sleep(0.01)


@dataclass
class Sink:
    """A mail server of the test: counts what it took."""

    port: int = 0
    mails: list[tuple[str, list[str], bytes]] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return "250 taken"


@contextlib.contextmanager
def mail_sink(context: ssl.SSLContext | None = None, login: tuple[str, str] | None = None) -> Iterator[Sink]:
    """An SMTP server on a free loopback port, with STARTTLS and AUTH when asked for."""
    from aiosmtpd.smtp import SMTP, AuthResult

    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> Any:
        given = (data.login.decode(), data.password.decode())
        return AuthResult(success=given == login, handled=False)

    sink, thread = Sink(), LoopThread()
    options: dict[str, Any] = {"tls_context": context, "require_starttls": context is not None}
    if login:
        options |= {"authenticator": check, "auth_required": True, "auth_require_tls": context is not None}
    transports: list[Any] = []

    def factory() -> Any:
        smtp = SMTP(sink, loop=thread.loop, hostname="sink", ident="sink", **options)
        transports.append(smtp)
        return smtp

    async def serve() -> asyncio.Server:
        return await thread.loop.create_server(factory, "127.0.0.1", 0)

    async def finish(server: asyncio.Server) -> None:
        server.close()
        for smtp in transports:
            if smtp.transport is not None:
                smtp.transport.abort()
        await asyncio.sleep(0.1)

    server = thread.run(serve())
    sink.port = server.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        thread.run(finish(server))
        thread.close()
