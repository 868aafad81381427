"""The lab recorder's WS-Man endpoint with stock clients: pywinrm and pypsrp over real sockets."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from winrm.exceptions import InvalidCredentialsError, WinRMOperationTimeoutError, WSManFaultError

from ivn_provision.lab.nvr.readings import READINGS
from tests.wire.nvr_fixture import PASSWORD, Running, ask, command_line, payload, recorder

WAYS = ("http", "https-basic", "https-ntlm")
CONFIGURATION = r"C:\ProgramData\Milestone\Milestone Surveillance\configuration.xml"
KEY = base64.b64encode(b"k" * 32).decode()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Running]:
    with recorder(tmp_path) as running:
        yield running


def run(protocol: Any, command: str, *arguments: str) -> tuple[bytes, bytes, int]:
    shell = protocol.open_shell()
    try:
        command_id = protocol.run_command(shell, command, arguments)
        found: tuple[bytes, bytes, int] = protocol.get_command_output(shell, command_id)
        protocol.cleanup_command(shell, command_id)
        return found
    finally:
        protocol.close_shell(shell)


@pytest.mark.parametrize("way", WAYS)
def test_pywinrm_runs_a_command(lab: Running, way: str) -> None:
    assert run(lab.protocol(way), "hostname") == (b"IVN-LAB-TEST-SITE\r\n", b"", 0)
    assert lab.nvr.counters.authentications == 1


@pytest.mark.parametrize("way", WAYS)
def test_the_agent_reads_and_writes(lab: Running, way: str) -> None:
    protocol = lab.protocol(way)
    reading = {
        "verb": "read_files",
        "redact_key": KEY,
        "files": [{"path": CONFIGURATION, "redact": ["Password"]}],
    }
    reply = ask(protocol, {"verb": "facts"}, reading)
    facts, read = reply["steps"]
    assert facts["computer_name"] == "IVN-LAB-TEST-SITE"
    real = lab.nvr.configuration_path.read_bytes()
    assert read["files"][0]["sha256"] == hashlib.sha256(real).hexdigest()
    at = real.index(b"<FPS>8<") + 5
    changed = real[:at] + b"12" + real[at + 1 :]
    write = {
        "path": CONFIGURATION,
        "base_sha256": hashlib.sha256(real).hexdigest(),
        "splices": [[at, 1, base64.b64encode(b"12").decode()]],
        "result_sha256": hashlib.sha256(changed).hexdigest(),
    }
    written = ask(lab.protocol(way), {"verb": "write_files", "files": [write]})
    assert written["steps"][0]["ok"] is True
    assert lab.nvr.configuration_path.read_bytes() == changed
    assert lab.nvr.counters.file_writes == 1


@pytest.mark.parametrize(("signal", "posts"), [(False, 5), (True, 6)])
def test_one_run_is_one_connection_one_logon_and_six_posts(lab: Running, signal: bool, posts: int) -> None:
    ask(lab.protocol("http"), {"verb": "facts"}, signal=signal)
    counters = lab.nvr.counters
    assert (counters.connections, counters.authentications, counters.authentication_failures) == (1, 1, 0)
    assert counters.posts == posts
    expected = {"Create": 1, "Command": 1, "Send": 1, "Receive": 1, "Delete": 1}
    assert counters.posts_by_action == (expected | {"Signal": 1} if signal else expected)
    assert counters.processes == 1


@pytest.mark.parametrize("way", WAYS)
def test_a_wrong_password_is_refused_once(lab: Running, way: str) -> None:
    # pywinrm with "always" authenticates while it builds its session and stumbles over the missing header there.
    with pytest.raises((InvalidCredentialsError, KeyError)):
        lab.protocol(way, password="wrong").open_shell()
    assert lab.nvr.counters.authentications == 0
    assert lab.nvr.counters.authentication_failures == 1
    assert lab.nvr.counters.posts == 0


@pytest.mark.parametrize(
    "username", ["ivn-provision", ".\\ivn-provision", "IVN-LAB-TEST-SITE\\IVN-Provision"]
)
def test_forms_of_the_user_name(lab: Running, username: str) -> None:
    assert run(lab.protocol("http", username=username), "hostname")[2] == 0


@pytest.mark.parametrize("username", ["somebody", "OTHER\\ivn-provision", ""])
def test_other_users_are_refused(lab: Running, username: str) -> None:
    with pytest.raises((InvalidCredentialsError, KeyError)):
        lab.protocol("https-ntlm", username=username).open_shell()
    assert lab.nvr.counters.authentications == 0


def test_anything_else_is_not_recognized(lab: Running) -> None:
    out, err, code = run(lab.protocol(), "format", "c:", "/y")
    assert (out, code) == (b"", 1)
    assert b"'format' is not recognized" in err


def encoded(script: str) -> tuple[str, ...]:
    return ("-NoProfile", "-EncodedCommand", base64.b64encode(script.encode("utf-16-le")).decode("ascii"))


def test_lines_that_read_a_fact_are_answered(lab: Running) -> None:
    out, err, code = run(lab.protocol(), "powershell.exe", *encoded("\n".join(READINGS)))
    assert (err, code) == (b"", 0)
    said = out.decode("utf-8").split("\r\n", 9)
    assert said[0] == "IVN-LAB-TEST-SITE"
    assert said[5:9] == ["Running", "Running", "0", "8.6a"]
    assert said[9].removesuffix("\r\n").encode() == lab.nvr.configuration_path.read_bytes().removeprefix(
        b"\xef\xbb\xbf"
    )


@pytest.mark.parametrize("script", ["hostname\nGet-Process", "hostname; hostname", "", "Stop-Computer"])
def test_no_other_line_is(lab: Running, script: str) -> None:
    out, err, code = run(lab.protocol(), "powershell.exe", *encoded(script))
    assert (out, code) == (b"", 1)
    assert b"not recognized" in err


def test_a_line_over_8191_characters_is_text_and_no_fault(lab: Running) -> None:
    out, err, code = run(lab.protocol(), "hostname", "x" * 8183)
    assert (out, err, code) == (b"", b"The command line is too long.\r\n", 1)
    assert b"not recognized" in run(lab.protocol(), "hostnamx", "x" * 8182)[1]


@pytest.mark.parametrize(
    ("stdin", "seen"),
    [
        (b"", b"separating line"),
        (b"AAAA\n.\nBBBB\n", b"cannot be unpacked"),
        (payload({}, agent="Get-Process | Stop-Process"), b"no script but the ivn-provision agent"),
    ],
    ids=["empty", "damaged", "another script"],
)
def test_other_scripts_are_refused(lab: Running, stdin: bytes, seen: bytes) -> None:
    protocol = lab.protocol()
    shell = protocol.open_shell()
    command = protocol.run_command(shell, *command_line())
    protocol.send_command_input(shell, command, stdin, end=True)
    _, err, code = protocol.get_command_output(shell, command)
    protocol.close_shell(shell)
    assert code == 1
    assert err.startswith(b"#< CLIXML")
    assert seen in err


def test_receive_waits_and_then_is_the_timeout_fault(lab: Running) -> None:
    protocol = lab.protocol(operation_timeout_sec=1)
    shell = protocol.open_shell()
    command = protocol.run_command(shell, *command_line())
    with pytest.raises(WinRMOperationTimeoutError):
        protocol.get_command_output_raw(shell, command)
    protocol.close_shell(shell)


def test_receive_in_pieces(lab: Running) -> None:
    size = 300_000
    place = lab.nvr.windows.tree.write(r"C:\big.bin", bytes(range(256)) * (size // 256))
    # Content that does not compress, so that the reply needs several envelopes.
    place.write_bytes(b"".join(hashlib.sha256(n.to_bytes(4, "big")).digest() for n in range(size // 32)))
    reading = {"verb": "read_files", "redact_key": "", "files": [{"path": r"C:\big.bin", "redact": []}]}
    read = ask(lab.protocol(), reading)["steps"][0]["files"][0]
    assert base64.b64decode(read["content"]) == place.read_bytes()
    assert lab.nvr.counters.posts_by_action["Receive"] > 1


def test_shells_per_user_are_limited(tmp_path: Path) -> None:
    with recorder(tmp_path, shells_per_user=2) as lab:
        protocol = lab.protocol()
        shells = [protocol.open_shell() for _ in range(2)]
        with pytest.raises(WSManFaultError) as refused:
            protocol.open_shell()
        assert refused.value.wsman_fault_code == 2150859173
        protocol.close_shell(shells.pop(), close_session=False)
        shells.append(protocol.open_shell())
        for shell in shells:
            protocol.close_shell(shell, close_session=False)
        protocol.transport.close_session()


def test_unknown_shells_and_commands_are_faults(lab: Running) -> None:
    protocol = lab.protocol()
    shell = protocol.open_shell()
    with pytest.raises(WSManFaultError):
        protocol.get_command_output_raw(shell, "11111111-2222-3333-4444-555555555555")
    with pytest.raises(WSManFaultError) as unknown:
        protocol.run_command("11111111-2222-3333-4444-555555555555", "hostname")
    assert unknown.value.wsman_fault_code == 2150858843
    command = protocol.run_command(shell, "hostname")
    with pytest.raises(WSManFaultError) as ended:
        protocol.send_command_input(shell, command, b"too late", end=True)
    assert ended.value.wsman_fault_code == 232
    protocol.close_shell(shell)


def test_an_idle_shell_expires(lab: Running) -> None:
    protocol = lab.protocol()
    shell = protocol.open_shell(idle_timeout="PT0S")
    with pytest.raises(WSManFaultError):
        protocol.run_command(shell, "hostname")
    protocol.transport.close_session()


def test_twenty_clients_at_once(lab: Running) -> None:
    failures: list[BaseException] = []

    def client() -> None:
        try:
            assert ask(lab.protocol(), {"verb": "facts"})["steps"][0]["ok"] is True
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=client) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    counters = lab.nvr.counters
    assert (counters.connections, counters.authentications, counters.processes) == (20, 20, 20)


@pytest.mark.parametrize(
    ("auth", "tls", "encryption"),
    [
        ("ntlm", False, "always"),
        ("negotiate", False, "always"),
        ("ntlm", True, "auto"),
        ("negotiate", True, "auto"),
        ("negotiate", True, "always"),
        ("basic", True, "auto"),
    ],
)
def test_pypsrp_runs_a_command(lab: Running, auth: str, tls: bool, encryption: str) -> None:
    from pypsrp.shell import Process, WinRS
    from pypsrp.wsman import WSMan

    port = lab.nvr.https_port if tls else lab.nvr.http_port
    trust: Any = str(lab.ca_file) if tls else False
    with (
        WSMan(
            "127.0.0.1",
            ssl=tls,
            port=port,
            auth=auth,
            username="ivn-provision",
            password=PASSWORD,
            encryption=encryption,
            cert_validation=trust,
            no_proxy=True,
        ) as wsman,
        WinRS(wsman) as shell,
    ):
        process = Process(shell, "hostname")
        process.invoke()
        process.signal("ctrl_c")
        assert (process.stdout, process.stderr, process.rc) == (b"IVN-LAB-TEST-SITE\r\n", b"", 0)
    assert lab.nvr.counters.authentications == 1
