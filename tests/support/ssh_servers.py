"""SSH servers in front of a lab recorder: OpenSSH's own sshd, and asyncssh for passwords; a line to cut.

Neither starts anything but the recorder's programs: what is asked of the far side goes to `programs.resolve`.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from ivn_provision.lab.nvr import Nvr
from ivn_provision.lab.nvr.programs import Result, resolve
from tests.support.ways import PASSPHRASE, PASSWORD, USERNAME

# Runs below sshd in the place of Windows' command interpreter: hands line and input to the test, prints the reply.
STAND_IN = """
import json, os, socket, sys
far = socket.socket(socket.AF_UNIX)
far.connect(sys.argv[1])
far.sendall(json.dumps(os.environ.get("SSH_ORIGINAL_COMMAND", "")).encode() + b"\\n")
while piece := os.read(0, 65536):
    far.sendall(piece)
far.shutdown(socket.SHUT_WR)
head, _, _ = (reply := far.makefile("rb")).readline().partition(b"\\n")
code, out, err = json.loads(head)
sys.stdout.buffer.write(reply.read(out)); sys.stdout.buffer.flush()
sys.stderr.buffer.write(reply.read(err)); sys.stderr.buffer.flush()
sys.exit(code)
"""


def ran(nvr: Nvr, line: str, stdin: bytes) -> Result:
    found = resolve(line, nvr.windows)
    return found if isinstance(found, Result) else found(stdin)


@dataclass
class Interpreter:
    """What the stand-in talks to. `got` is called when all input is there, before anything runs."""

    nvr: Nvr
    path: Path
    got: Callable[[], None] = lambda: None
    ended: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream, contextlib.suppress(OSError):
            line = json.loads(stream.readline())
            self.lines.append(line)
            stdin = stream.read()
            self.got()
            result = ran(self.nvr, line, stdin)
            self.ended.append(line)
            head = json.dumps([result.exit_code, len(result.stdout), len(result.stderr)])
            connection.sendall(head.encode() + b"\n" + result.stdout + result.stderr)


@dataclass(frozen=True)
class Sshd:
    """A running sshd. Paths of a plain and an encrypted key that it knows, and of one that it does not."""

    port: int
    username: str
    fingerprint: str
    host_line: str
    key: Path
    locked_key: Path
    unknown_key: Path
    interpreter: Interpreter


def keygen(path: Path, *, passphrase: str = "", kind: str = "ed25519") -> str:
    """Make a key pair; the public line."""
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", str(path)]
    subprocess.run(command, check=True, timeout=20)
    return path.with_name(f"{path.name}.pub").read_text(encoding="ascii").strip()


@contextlib.contextmanager
def sshd(nvr: Nvr, folder: Path) -> Iterator[Sshd]:
    """OpenSSH's sshd on a free loopback port, with a configuration and keys of its own."""
    program = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if program is None or shutil.which("ssh-keygen") is None:
        pytest.skip("sshd is not installed (Debian: openssh-server)")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    host = keygen(folder / "host")
    public = [keygen(folder / "key"), keygen(folder / "locked", passphrase=PASSPHRASE, kind="ecdsa")]
    keygen(folder / "unknown")
    (folder / "authorized").write_text("\n".join(public) + "\n", encoding="ascii")
    (folder / "stand_in.py").write_text(STAND_IN, encoding="ascii")
    interpreter = Interpreter(nvr, folder / "socket")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(interpreter.path))
    listener.listen(64)
    threading.Thread(target=interpreter.serve, args=(listener,), daemon=True).start()
    port = _free_port()
    (folder / "sshd_config").write_text(_configuration(folder, port, interpreter.path), encoding="ascii")
    log = (folder / "sshd.log").open("wb")
    command = [program, "-D", "-e", "-f", str(folder / "sshd_config")]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)
    try:
        _listening(port, process, folder / "sshd.log")
        fingerprint = _fingerprint(folder / "host.pub")
        host_line = f"[127.0.0.1]:{port} {host}"
        keys = (folder / "key", folder / "locked", folder / "unknown")
        yield Sshd(port, getpass.getuser(), fingerprint, host_line, *keys, interpreter)
    finally:
        process.terminate()
        process.wait(10)
        log.close()
        listener.close()


def _configuration(folder: Path, port: int, path: Path) -> str:
    return f"""
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AuthorizedKeysFile {folder}/authorized
MaxStartups 50
ForceCommand {sys.executable} -I {folder}/stand_in.py {path}
"""


def _fingerprint(public: Path) -> str:
    shown = subprocess.run(
        ["ssh-keygen", "-lf", str(public)], check=True, capture_output=True, text=True, timeout=20
    )
    return shown.stdout.split()[1]


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _listening(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 10
    while True:
        if process.poll() is not None:
            pytest.skip(f"sshd does not start here: {log.read_text(errors='replace')[-300:]}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert time.monotonic() < deadline, "sshd does not listen"
        time.sleep(0.05)


class _PasswordServer(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USERNAME, PASSWORD)


@dataclass(frozen=True)
class PasswordServer:
    """asyncssh, under the name that Windows' server gives itself."""

    port: int
    fingerprint: str


@contextlib.contextmanager
def password_server(nvr: Nvr, loop: Any) -> Iterator[PasswordServer]:
    """An SSH server that takes the recorder's password, on the recorder's loop."""
    key = asyncssh.generate_private_key("ssh-ed25519")

    async def process(running: asyncssh.SSHServerProcess[bytes]) -> None:
        stdin = await running.stdin.read()
        result = await asyncio.to_thread(ran, nvr, running.command or "", stdin)
        running.stdout.write(result.stdout)
        running.stderr.write(result.stderr)
        await running.stdout.drain()
        running.exit(0)  # early builds on Windows always say so (facts/winrm.md, part 9)

    async def serve() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=_PasswordServer,
            server_host_keys=[key],
            process_factory=process,
            encoding=None,
            server_version="OpenSSH_for_Windows_8.1",
        )

    async def stop(server: asyncssh.SSHAcceptor) -> None:
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0.1)

    server = loop.run(serve())
    try:
        yield PasswordServer(server.get_port(), key.get_fingerprint())
    finally:
        loop.run(stop(server))


class Cable:
    """A TCP connection to `port` that can be cut, as pulling the cable would; and is, after `cut_after` bytes."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = []
        self.connections = 0
        self.cut_after: int | None = None
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Cut what is connected now; new connections go through."""
        ends, self._ends = self._ends, []
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            far = socket.create_connection(("127.0.0.1", self._target))
            self._ends += [near, far]
            threading.Thread(target=self._carry, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self._carry, args=(far, near, False), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, outward: bool) -> None:
        carried = 0
        with contextlib.suppress(OSError):
            while piece := source.recv(16384):
                carried += len(piece)
                if outward and self.cut_after is not None and carried > self.cut_after:
                    self.cut_after = None
                    self.cut()
                    break
                sink.sendall(piece)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        source.close()  # the other thread's sink, and its business to close its own
