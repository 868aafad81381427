"""One suite for every way to a recorder: WinRM by each kind of authentication, SSH by password and by key."""

from __future__ import annotations

import base64
import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ivn_provision.drivers.xprotect_e.driver import XProtectReader
from ivn_provision.errors import (
    AuthenticationFailed,
    IvnError,
    TargetError,
    TlsFailed,
    Uncertain,
    Unreachable,
)
from ivn_provision.run.targets import Opener
from ivn_provision.spec.fleet import find_site
from ivn_provision.spec.site import Connect
from ivn_provision.spec.values import Tls
from tests.support import mechanisms
from tests.support.ssh_servers import PasswordServer, Sshd, password_server, sshd
from tests.support.ways import (
    PASSPHRASE,
    PASSWORD,
    USERNAME,
    Bench,
    agent_of,
    bench,
    client_certificate,
    facts,
    overwrite,
    read_step,
    reference,
    resolve,
)
from tests.wire.nvr_fixture import until

WINRM = (
    "winrm http ntlm",
    "winrm https ntlm",
    "winrm https pinned",
    "winrm https basic",
    "winrm https certificate",
)
WITH_PACKAGES = ("winrm https credssp", "winrm http credssp", "winrm https kerberos", "winrm http kerberos")
SSH = ("ssh password", "ssh key", "ssh locked key", "ssh known_hosts", "ssh agent")
SLOW = pytest.mark.parametrize(
    "way", ["winrm http ntlm", "winrm https certificate", "ssh password", "ssh key"]
)
EVERY = pytest.mark.parametrize("way", [*WINRM, *WITH_PACKAGES, *SSH])


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("bench")) as made:
        yield made


@pytest.fixture(scope="module")
def openssh(recorder: Bench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(recorder.nvr, tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture(scope="module")
def asynchronous(recorder: Bench) -> Iterator[PasswordServer]:
    with password_server(recorder.nvr, recorder.loop) as server:
        yield server


@pytest.fixture
def connect(way: str, recorder: Bench, request: pytest.FixtureRequest, tmp_path: Path) -> Connect:
    """The way of that name, as a site declares it."""
    if way in recorder.connects:
        return recorder.connects[way]
    if way in WITH_PACKAGES:
        kind = way.split()[2]
        request.getfixturevalue(kind)
        made = recorder.winrm(kind, plain="http " in way)
        return made if kind == "credssp" else replace(made, host="localhost", password=None)
    if way == "ssh password":
        server: PasswordServer = request.getfixturevalue("asynchronous")
        login = ssh(server.port, USERNAME, host_key=server.fingerprint)
        return replace(login, password=reference("PASSWORD"))
    real: Sshd = request.getfixturevalue("openssh")
    by_key = ssh(real.port, real.username, host_key=real.fingerprint, key_file=str(real.key))
    if way == "ssh locked key":
        return replace(by_key, key_file=str(real.locked_key), key_passphrase=reference("PASSPHRASE"))
    if way == "ssh known_hosts":
        known = tmp_path / "known_hosts"
        known.write_text(real.host_line + "\n", encoding="ascii")
        return replace(by_key, host_key="", known_hosts=str(known))
    if way == "ssh agent":
        request.getfixturevalue("agent_with_key")
        return replace(by_key, key_file="", agent=True)
    return by_key


@pytest.fixture(scope="module")
def credssp(recorder: Bench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("credssp")
    with pytest.MonkeyPatch.context() as patch, mechanisms.credssp(recorder.nvr, folder, patch):
        yield


@pytest.fixture(scope="module")
def kerberos(recorder: Bench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("kerberos")
    with pytest.MonkeyPatch.context() as patch, mechanisms.kerberos(recorder.nvr, folder, patch):
        yield


@pytest.fixture
def agent_with_key(openssh: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A real ssh-agent that holds the key."""
    import subprocess

    path = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        for _ in range(100):
            added = subprocess.run(
                ["ssh-add", "-q", str(openssh.key)], capture_output=True, check=False, timeout=10
            )
            if added.returncode == 0:
                break
        assert added.returncode == 0, added.stderr
        yield
    finally:
        process.terminate()
        process.wait(10)


def ssh(port: int, username: str, **more: str) -> Connect:
    return replace(Connect("ssh", "127.0.0.1", port, username, None, Tls(), "ntlm"), **more)  # type: ignore[arg-type]


def failure(connect: Connect, *, seconds: float = 10.0) -> TargetError:
    with pytest.raises(TargetError) as caught:
        facts(agent_of(connect, seconds=seconds))
    assert caught.value.next_step
    assert caught.value.endpoint == f"{connect.host}:{connect.port}"
    for secret in (PASSWORD, PASSPHRASE, "wr0ng w0rd"):
        assert secret not in f"{caught.value} {caught.value.next_step} {caught.value.where}"
    return caught.value


@contextlib.contextmanager
def stopped_before(recorder: Bench, verb: str) -> Iterator[None]:
    """The agent stands still before its first step of that verb, until the end of the `with`."""
    machine, go = recorder.nvr.windows, threading.Event()
    before = machine.before_step

    def wait(name: str, index: int) -> None:
        if name == verb:
            assert go.wait(20)
        before(name, index)

    machine.before_step = wait  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        go.set()
        machine.before_step = before  # type: ignore[method-assign]


@EVERY
def test_a_recorder_is_read(way: str, connect: Connect, recorder: Bench) -> None:
    reader = XProtectReader("test-site", "xprotect-professional-2014", agent_of(connect))
    assert reader.probe().product == "XProtect Professional 2014"
    assert {each.kind for each in reader.read().resources} >= {"camera", "server_access"}
    assert recorder.shells == 0


@SLOW
def test_a_large_request_and_a_large_reply(way: str, connect: Connect, recorder: Bench) -> None:
    content = os.urandom(5_000_000).translate(None, b"<=")  # what looks like a password would be masked
    recorder.put(content)
    names = [base64.b64encode(os.urandom(750)).decode() for _ in range(1000)]
    steps = [{"verb": "processes", "names": names}, read_step()]
    answers = agent_of(connect).call(steps).steps
    assert (answers[0]["ok"], answers[0]["running"]) == (True, [])
    assert base64.b64decode(answers[1]["files"][0]["content"]) == content
    assert recorder.shells == 0


@EVERY
def test_a_write_is_made(way: str, connect: Connect, recorder: Bench) -> None:
    recorder.put(b"old")
    assert overwrite(agent_of(connect), b"old", b"new").steps[0]["ok"]
    assert recorder.content() == b"new"
    assert recorder.shells == 0


@SLOW
def test_the_deadline_holds(way: str, connect: Connect, recorder: Bench) -> None:
    step = {"verb": "wait_idle", "timeout_seconds": 30}
    with recorder.nvr.windows.agent_lock:  # another run is at work
        with pytest.raises(IvnError, match="no answer within 1 s") as caught:
            agent_of(connect, seconds=1.0).call([step])
        assert caught.value.next_step


@pytest.mark.parametrize("way", ["winrm http kerberos", "winrm https kerberos"])
def test_kerberos_without_a_ticket_says_how_to_get_one(
    way: str, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{tmp_path}/none")
    assert "kinit" in failure(connect).next_step


@pytest.mark.parametrize("way", ["winrm http credssp", "winrm http kerberos"])
def test_sealed_messages_may_be_large(way: str, connect: Connect, recorder: Bench) -> None:
    recorder.put(os.urandom(300_000))
    assert agent_of(connect).call([read_step()]).steps[0]["ok"]


@pytest.mark.parametrize("way", ["winrm http credssp", "winrm https credssp"])
def test_credssp_with_a_wrong_password(way: str, connect: Connect) -> None:
    assert isinstance(failure(replace(connect, password=reference("WRONG"))), AuthenticationFailed)


@pytest.mark.parametrize("way", ["winrm http ntlm", "winrm https ntlm", "winrm https basic", "ssh password"])
def test_a_wrong_password_is_tried_once(way: str, connect: Connect, recorder: Bench) -> None:
    before = recorder.nvr.counters.authentication_failures
    error = failure(replace(connect, password=reference("WRONG")))
    assert isinstance(error, AuthenticationFailed)
    if way.startswith("winrm"):
        assert recorder.nvr.counters.authentication_failures == before + 1


@pytest.mark.parametrize("way", ["ssh key"])
def test_a_key_that_the_host_does_not_know(way: str, connect: Connect, openssh: Sshd) -> None:
    error = failure(replace(connect, key_file=str(openssh.unknown_key)))
    assert isinstance(error, AuthenticationFailed)
    assert "administrators_authorized_keys" in error.next_step


@pytest.mark.parametrize("way", ["ssh locked key"])
@pytest.mark.parametrize("passphrase", [None, reference("WRONG")])
def test_a_key_that_stays_locked(way: str, connect: Connect, passphrase: object) -> None:
    error = failure(replace(connect, key_passphrase=passphrase))  # type: ignore[arg-type]
    assert "private key cannot be used" in error.summary
    assert error.where == connect.key_file


@pytest.mark.parametrize("way", ["ssh key"])
@pytest.mark.parametrize(
    "content", [None, b"", b"hunter2", b"\xff\x00", b"-----BEGIN OPENSSH PRIVATE KEY-----\nAA=="]
)
def test_a_key_file_that_is_none(way: str, connect: Connect, content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    error = failure(replace(connect, key_file=str(path)))
    assert "private key cannot be used" in error.summary
    assert "hunter2" not in str(error)


@pytest.mark.parametrize("way", ["ssh key", "ssh password"])
def test_an_unknown_host_key_is_shown_and_can_be_pinned(way: str, connect: Connect, tmp_path: Path) -> None:
    unknown = replace(connect, host_key="", known_hosts=str(tmp_path / "known_hosts"))
    error = failure(unknown)
    assert isinstance(error, TlsFailed)
    assert f"host_key: {connect.host_key}" in error.next_step
    assert connect.host_key in error.summary
    assert not (tmp_path / "known_hosts").exists()


@pytest.mark.parametrize("way", ["ssh key"])
def test_another_host_key_is_refused(way: str, connect: Connect, openssh: Sshd, tmp_path: Path) -> None:
    lines = len(openssh.interpreter.lines)
    pinned = failure(replace(connect, host_key="SHA256:" + "A" * 43))
    assert "not the pinned one" in pinned.summary
    other = openssh.unknown_key.with_name("unknown.pub").read_text(encoding="ascii")
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{connect.port} {other}", encoding="ascii")
    changed = failure(replace(connect, host_key="", known_hosts=str(known)))
    assert isinstance(changed, TlsFailed)
    assert "file of known hosts" in changed.summary
    assert len(openssh.interpreter.lines) == lines


@pytest.mark.parametrize("way", WINRM[1:])
def test_another_certificate_is_refused(way: str, connect: Connect) -> None:
    for tls in (Tls("fingerprint", "0" * 64), Tls()):
        assert isinstance(failure(replace(connect, tls=tls)), TlsFailed)


@pytest.mark.parametrize("way", ["winrm https certificate"])
def test_a_certificate_for_another_account_is_refused(way: str, connect: Connect, recorder: Bench) -> None:
    other = client_certificate(recorder.folder, "somebody")
    assert isinstance(failure(replace(connect, certificate=other)), AuthenticationFailed)


@pytest.mark.parametrize("way", ["winrm https certificate"])
def test_a_locked_client_key(way: str, connect: Connect, recorder: Bench) -> None:
    locked = replace(
        connect, certificate=client_certificate(recorder.folder, USERNAME, passphrase=PASSPHRASE)
    )
    for passphrase in (None, reference("WRONG")):
        error = failure(replace(locked, key_passphrase=passphrase))
        assert isinstance(error, TlsFailed)
        assert "client certificate" in error.summary
    assert facts(agent_of(replace(locked, key_passphrase=reference("PASSPHRASE"))))["ok"]


@EVERY
def test_nothing_listens(way: str, connect: Connect) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as sock:
        free = sock.getsockname()[1]
    error = failure(replace(connect, port=free))
    assert isinstance(error, Unreachable)
    assert "nothing listens" in error.summary


@SLOW
def test_a_write_without_an_answer_in_time_is_uncertain(way: str, connect: Connect, recorder: Bench) -> None:
    """The agent is left to end its work: the file is new, though nobody heard of it."""
    recorder.put(b"old")
    with stopped_before(recorder, "write_files"):
        with pytest.raises(Uncertain) as caught:
            overwrite(agent_of(connect, seconds=3), b"old", b"new")
        assert "plan again" in caught.value.next_step
    until(lambda: recorder.content() == b"new")


SITE = """site: north
nvr:
  product: xprotect-professional-2014
  connect:
    transport: ssh
    host: 127.0.0.1
    port: {port}
    username: {username}
    host_key: "{fingerprint}"
    key_file: keys/recorder
    key_passphrase: !secret env:PASSPHRASE
"""


def test_a_site_file_leads_over_ssh(openssh: Sshd, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "recorder").write_bytes(openssh.locked_key.read_bytes())
    text = SITE.format(
        port=openssh.port,
        username=openssh.username,
        fingerprint=openssh.fingerprint.replace("SHA256", "sha256") + "=",
    )
    (tmp_path / "north.yml").write_text(text, encoding="ascii")
    site = find_site(tmp_path, "north")
    reader = Opener(secret=resolve, run_id="test", deadline_seconds=20).readers(site)["nvr"]
    try:
        assert reader.probe().version == "8.6a"
    finally:
        reader.close()
