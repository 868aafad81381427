"""The line breaks at every step: a read is made good or fails clearly, a write is never sent twice nor cut short."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from ivn_provision.errors import DeadlineExceeded, ProtocolFault, Refused, TargetError, Uncertain
from ivn_provision.spec.site import Connect
from tests.conformance.test_transports import stopped_before
from tests.support.ssh_servers import Cable, Sshd, sshd
from tests.support.ways import Bench, agent_of, bench, facts, overwrite, resolve
from tests.wire.nvr_fixture import until

VERBS = ("create", "command", "send", "receive", "delete")
WAYS = pytest.mark.parametrize("way", ["winrm http ntlm", "winrm https ntlm"])
BROKEN = pytest.mark.parametrize("kind", ["lose", "drop", "cut"])


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("faults")) as made:
        yield made


@pytest.fixture
def recorder(shared: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr("ivn_provision.transports.winrm.PAUSES", (0.05, 0.3))
    yield shared
    shared.nvr.faults.clear()
    assert shared.nvr._shells is not None
    shared.nvr._shells._shells.clear()
    shared.nvr.counters.posts_by_action.clear()


def left_behind(kind: str, verb: str) -> int:
    """Shells whose very making was never heard of: the host ends them when they have been idle for long."""
    return 1 if verb == "create" and kind in {"drop", "cut"} else 0


@WAYS
@BROKEN
@pytest.mark.parametrize("verb", VERBS)
def test_a_read_is_made_good(way: str, kind: str, verb: str, recorder: Bench) -> None:
    recorder.nvr.fault(f"{kind}-at-{verb}-once")
    assert facts(agent_of(recorder.connects[way]))["ok"]
    assert recorder.nvr.faults == set(), "the fault came"
    assert recorder.shells == left_behind(kind, verb)


@WAYS
@BROKEN
@pytest.mark.parametrize("verb", VERBS[:-1])
def test_a_line_that_keeps_breaking_ends_with_an_error(
    way: str, kind: str, verb: str, recorder: Bench
) -> None:
    recorder.nvr.fault(f"{kind}-at-{verb}")
    with pytest.raises(ProtocolFault, match="broke the connection") as caught:
        facts(agent_of(recorder.connects[way]))
    assert type(caught.value) is ProtocolFault
    assert caught.value.next_step
    assert recorder.nvr.counters.posts_by_action[verb.capitalize()] <= 8
    if verb != "create":
        assert recorder.shells == 0


@WAYS
@pytest.mark.parametrize("verb", VERBS)
def test_a_bare_500_is_said_and_the_shell_deleted(way: str, verb: str, recorder: Bench) -> None:
    recorder.nvr.fault(f"http500-at-{verb}-once")
    if verb == "delete":
        assert facts(agent_of(recorder.connects[way]))["ok"]
    else:
        with pytest.raises(TargetError) as caught:
            facts(agent_of(recorder.connects[way]))
        assert caught.value.next_step
    assert recorder.shells == (1 if verb == "create" else 0)


@WAYS
@pytest.mark.parametrize("kind", ["lose", "drop", "cut", "http500"])
@pytest.mark.parametrize("verb", VERBS)
def test_a_write_is_all_or_nothing_and_made_once(way: str, kind: str, verb: str, recorder: Bench) -> None:
    recorder.put(b"old")
    recorder.nvr.fault(f"{kind}-at-{verb}-once")
    error = None
    try:
        overwrite(agent_of(recorder.connects[way]), b"old", b"new")
    except TargetError as caught:
        error = caught
    content = recorder.content()
    counted = recorder.nvr.counters.posts_by_action
    assert counted["Send"] <= 1
    if error is None:
        assert content == b"new"
        assert verb in {"create", "delete"}
    elif verb in {"send", "receive"}:
        assert isinstance(error, Uncertain)
        assert "plan again" in error.next_step
        assert content == (b"old" if (kind, verb) == ("lose", "send") else b"new")
        assert counted["Delete"] == counted["Signal"] == 0
    else:
        assert not isinstance(error, Uncertain), "nothing was handed over yet"
        assert content == b"old"
        assert recorder.shells <= left_behind(kind, verb) + (kind == "http500")


@WAYS
@pytest.mark.parametrize("verb", ["send", "receive"])
def test_a_write_that_hangs_is_left_to_end(way: str, verb: str, recorder: Bench) -> None:
    recorder.put(b"old")
    recorder.nvr.fault(f"hang-at-{verb}-once")
    with stopped_before(recorder, "write_files"):
        with pytest.raises(Uncertain, match="no answer within"):
            overwrite(agent_of(recorder.connects[way], seconds=1.2), b"old", b"new")
        assert recorder.shells == 1
        assert recorder.nvr.counters.posts_by_action["Delete"] == 0
    until(lambda: recorder.content() == b"new")


@WAYS
def test_a_read_that_hangs_ends_and_deletes_its_shell(way: str, recorder: Bench) -> None:
    recorder.nvr.fault("hang-at-receive")
    with pytest.raises(DeadlineExceeded):
        facts(agent_of(recorder.connects[way], seconds=1.2))
    assert recorder.shells == 0


@pytest.mark.parametrize("writes", [False, True])
def test_a_full_quota_of_shells_is_named(writes: bool, recorder: Bench) -> None:
    assert recorder.nvr._shells is not None
    recorder.nvr._shells.per_user, before = 0, recorder.nvr._shells.per_user
    try:
        with pytest.raises(TargetError, match="MaxShellsPerUser"):
            agent_of(recorder.connects["winrm http ntlm"]).call([{"verb": "facts"}], writes=writes)
        assert recorder.nvr.counters.posts_by_action == {"Create": 3}
        timer = threading.Timer(0.2, lambda: setattr(recorder.nvr._shells, "per_user", before))
        timer.start()
        assert facts(agent_of(recorder.connects["winrm http ntlm"]))["ok"]
        timer.join()
    finally:
        recorder.nvr._shells.per_user = before


def test_a_read_costs_five_posts_and_one_authentication(recorder: Bench) -> None:
    for connect in recorder.connects.values():
        counters = recorder.nvr.counters
        posts, logins, lines = counters.posts, counters.authentications, counters.connections
        facts(agent_of(connect))
        assert counters.posts - posts == 5
        assert counters.authentications - logins == 1
        assert counters.connections - lines == 1


@pytest.fixture(scope="module")
def openssh(shared: Bench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(shared.nvr, tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def cable(openssh: Sshd) -> Iterator[Cable]:
    made = Cable(openssh.port)
    yield made
    openssh.interpreter.got = lambda: None
    made.close()


def over(cable: Cable, openssh: Sshd) -> Connect:
    from tests.conformance.test_transports import ssh

    return ssh(cable.port, openssh.username, host_key=openssh.fingerprint, key_file=str(openssh.key))


@pytest.mark.parametrize("after", [0, 500, 2000, 3500, 6000])
def test_an_ssh_read_is_made_good(after: int, cable: Cable, openssh: Sshd) -> None:
    cable.cut_after = after
    assert facts(agent_of(over(cable, openssh)))["ok"]
    assert cable.connections == 2


def test_an_ssh_read_whose_answer_is_cut_off_is_asked_again(cable: Cable, openssh: Sshd) -> None:
    def once() -> None:
        openssh.interpreter.got = lambda: None
        cable.cut()

    openssh.interpreter.got = once
    assert facts(agent_of(over(cable, openssh)))["ok"]
    assert cable.connections == 2


def test_an_ssh_line_that_keeps_breaking_ends_with_an_error(cable: Cable, openssh: Sshd) -> None:
    openssh.interpreter.got = cable.cut
    with pytest.raises(ProtocolFault, match="broke the connection") as caught:
        facts(agent_of(over(cable, openssh)))
    assert type(caught.value) is ProtocolFault
    assert cable.connections == 2


def test_an_ssh_write_that_was_handed_over_is_uncertain(cable: Cable, openssh: Sshd, recorder: Bench) -> None:
    recorder.put(b"old")
    openssh.interpreter.got = cable.cut
    ended = len(openssh.interpreter.ended)
    with pytest.raises(Uncertain, match="its answer was lost"):
        overwrite(agent_of(over(cable, openssh)), b"old", b"new")
    until(lambda: len(openssh.interpreter.ended) == ended + 1)
    assert recorder.content() == b"new"
    assert cable.connections == 1


@pytest.mark.parametrize("after", [0, 500, 2000])
def test_an_ssh_write_that_was_not_handed_over_was_not_made(
    after: int, cable: Cable, openssh: Sshd, recorder: Bench
) -> None:
    recorder.put(b"old")
    cable.cut_after = after
    with pytest.raises(ProtocolFault, match="broke the connection"):
        overwrite(agent_of(over(cable, openssh)), b"old", b"new")
    assert recorder.content() == b"old"
    assert cable.connections == 1


def test_a_host_that_does_not_offer_credssp(recorder: Bench) -> None:
    pytest.importorskip("requests_credssp", reason="its client is not installed: ivn-provision[credssp]")
    with pytest.raises(Refused, match="does not offer CredSSP") as caught:
        facts(agent_of(recorder.winrm("credssp")))
    assert caught.value.next_step


@pytest.mark.parametrize(("auth", "there"), [("kerberos", "HAVE_KERBEROS"), ("credssp", "HAVE_CREDSSP")])
def test_a_package_that_is_not_installed_is_named(
    auth: str, there: str, recorder: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"winrm.transport.{there}", False)
    with pytest.raises(Refused) as caught:
        facts(agent_of(recorder.winrm(auth)))
    assert f"pip install 'ivn-provision[{auth}]'" in caught.value.next_step


def test_something_else_on_the_port(recorder: Bench, openssh: Sshd) -> None:
    with pytest.raises((ProtocolFault, DeadlineExceeded)) as caught:
        facts(agent_of(over_port(openssh, recorder.nvr.http_port), seconds=2))
    assert caught.value.next_step
    with pytest.raises(ProtocolFault) as caught:
        facts(agent_of(replace(recorder.connects["winrm http ntlm"], port=openssh.port), seconds=2))
    assert caught.value.next_step


def over_port(openssh: Sshd, port: int) -> Connect:
    from tests.conformance.test_transports import ssh

    return ssh(port, openssh.username, host_key=openssh.fingerprint, key_file=str(openssh.key))


def test_secrets_resolve_only_where_they_are_used(recorder: Bench) -> None:
    """A password that is not there does not matter to a certificate."""
    from ivn_provision.transports.ways import way_of

    asked: list[str] = []
    connect = recorder.connects["winrm https certificate"]
    way = way_of(connect, lambda ref: asked.append(ref.name) or resolve(ref))  # type: ignore[func-returns-value]
    assert asked == []
    assert str(way.account) == "account ivn-provision with its certificate"
