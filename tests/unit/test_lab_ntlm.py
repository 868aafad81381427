"""The lab's own NTLMv2 acceptor against pyspnego as client, and its primitives against published vectors."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
import spnego
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

from ivn_provision.lab.nvr import spnego as lab_spnego
from ivn_provision.lab.nvr.counters import Counters
from ivn_provision.lab.nvr.gate import Gate, GateRules
from ivn_provision.lab.nvr.ntlm import Account, Refused, begin, channel_binding, finish
from ivn_provision.lab.nvr.ntlm_crypto import Rc4, md4, rc4
from ivn_provision.lab.nvr.ntlm_seal import BadSeal, NtlmSession

ACCOUNT = Account("ivn-provision", "Pässword: 日本", "IVN-LAB-1")
CERTIFICATE_HASH = hashlib.sha256(b"a certificate").digest()
NONCE = bytes(range(8))
NOW = 133_000_000_000_000_000


def client(password: str = ACCOUNT.password, username: str = ACCOUNT.username, **more: Any) -> Any:
    # pyspnego's own implementation, never a library of the system.
    wrapped = more.setdefault("protocol", "ntlm") == "negotiate"
    options = spnego.NegotiateOptions.use_negotiate if wrapped else spnego.NegotiateOptions.use_ntlm
    return spnego.client(username, password, hostname="127.0.0.1", service="HTTP", options=options, **more)


def logged_on(peer: Any, binding: bytes | None = None) -> NtlmSession:
    shake = begin(peer.step(), ACCOUNT, challenge=NONCE, filetime=NOW)
    return finish(shake, peer.step(shake.challenge_message), ACCOUNT, binding=binding)


@pytest.mark.parametrize(
    ("message", "digest"),
    [
        (b"", "31d6cfe0d16ae931b73c59d7e0c089c0"),
        (b"a", "bde52cb31de33e46245e05fbdbd6fb24"),
        (b"abc", "a448017aaf21d8525fc10ae87aa6729d"),
        (b"message digest", "d9130a8164549fe818874806e1c7014b"),
        (b"12345678901234567890" * 4, "e33b4ddc9c38f2199c3e7b164fcc0536"),
    ],
)
def test_md4_as_in_rfc_1320(message: bytes, digest: str) -> None:
    assert md4(message).hex() == digest


def test_rc4_as_in_rfc_6229_and_in_pieces() -> None:
    whole = Rc4(bytes([1, 2, 3, 4, 5])).apply(bytes(16))
    assert whole.hex() == "b2396305f03dc027ccc3524a0a1118a8"
    assert rc4(bytes([1, 2, 3, 4, 5]))(bytes(16)) == whole
    stream = Rc4(bytes([1, 2, 3, 4, 5]))
    assert stream.apply(bytes(7)) + stream.apply(bytes(9)) == whole


def test_pyspnego_logs_on_and_messages_go_both_ways() -> None:
    peer = client()
    session = logged_on(peer)
    assert peer.complete
    for text in (b"", b"one", b"x" * 20_000):
        sealed = peer.wrap_winrm(text)
        assert session.unseal(sealed.header, sealed.data) == text
        signature, data = session.seal(text)
        assert peer.unwrap_winrm(signature, data) == text


@pytest.mark.parametrize(
    "username", ["IVN-Provision", ".\\ivn-provision", "IVN-LAB-1\\ivn-provision", "ivn-lab-1\\ivn-provision"]
)
def test_forms_of_the_account(username: str) -> None:
    assert logged_on(client(username=username))


@pytest.mark.parametrize(
    ("password", "username"),
    [
        ("wrong", "ivn-provision"),
        ("", "ivn-provision"),
        (ACCOUNT.password, "other"),
        (ACCOUNT.password, "CORP\\ivn-provision"),
    ],
)
def test_a_wrong_account_is_refused(password: str, username: str) -> None:
    with pytest.raises(Refused):
        logged_on(client(password, username))


def bindings(certificate_hash: bytes) -> GssChannelBindings:
    return GssChannelBindings(application_data=b"tls-server-end-point:" + certificate_hash)


def test_the_channel_binding_is_checked_when_sent() -> None:
    right = channel_binding(CERTIFICATE_HASH)
    assert logged_on(client(channel_bindings=bindings(CERTIFICATE_HASH)), right)
    assert logged_on(client(), right)
    with pytest.raises(Refused, match="binding"):
        logged_on(client(channel_bindings=bindings(b"x" * 32)), right)


def test_a_changed_message_is_refused() -> None:
    peer = client()
    shake = begin(peer.step(), ACCOUNT, challenge=NONCE, filetime=NOW)
    authenticate = bytearray(peer.step(shake.challenge_message))
    authenticate[60] ^= 0x20  # a flag: only the MIC can notice
    with pytest.raises(Refused):
        finish(shake, bytes(authenticate), ACCOUNT, binding=None)


@pytest.mark.parametrize("at", [0, 8, 20, 24, 36, 52, 64, 100])
def test_cut_messages_are_refused(at: int) -> None:
    peer = client()
    negotiate = peer.step()
    shake = begin(negotiate, ACCOUNT, challenge=NONCE, filetime=NOW)
    authenticate = peer.step(shake.challenge_message)
    with pytest.raises(Refused):
        finish(shake, authenticate[:at], ACCOUNT, binding=None)
    with pytest.raises(Refused):
        begin(negotiate[: min(at, 12)], ACCOUNT, challenge=NONCE, filetime=NOW)


def test_sealed_messages_must_be_whole_and_in_order() -> None:
    peer = client()
    session = logged_on(peer)
    first, second = peer.wrap_winrm(b"first"), peer.wrap_winrm(b"second")
    with pytest.raises(BadSeal):
        session.unseal(second.header, second.data)
    other = logged_on(client())
    with pytest.raises(BadSeal):
        other.unseal(first.header, first.data)


@pytest.mark.parametrize("protocol", ["ntlm", "negotiate"])
@pytest.mark.parametrize("word", ["Negotiate", "NTLM"])
def test_the_gate_takes_raw_and_wrapped_tokens(protocol: str, word: str) -> None:
    import base64

    counters = Counters()
    gate, peer = Gate(GateRules(ACCOUNT), counters), client(protocol=protocol)
    refusal, _ = gate.check("")
    assert refusal is not None
    assert refusal.headers == [("WWW-Authenticate", "Negotiate")]
    token: bytes | None = peer.step()
    final: list[tuple[str, str]] = []
    for _ in range(3):
        assert token is not None
        refusal, final = gate.check(f"{word} {base64.b64encode(token).decode()}")
        if refusal is None:
            break
        scheme, _, answer = refusal.headers[0][1].partition(" ")
        assert scheme == word
        token = peer.step(base64.b64decode(answer))
    assert (gate.owner, counters.authentications, counters.authentication_failures) == ("ivn-provision", 1, 0)
    if protocol == "negotiate":
        # The list's signature goes out with the 200, and the client insists on it.
        peer.step(base64.b64decode(final[0][1].partition(" ")[2]))
    assert peer.complete
    assert gate.session is not None
    sealed = peer.wrap_winrm(b"text")
    assert gate.session.unseal(sealed.header, sealed.data) == b"text"
    signature, data = gate.session.seal(b"answer")
    assert peer.unwrap_winrm(signature, data) == b"answer"
    with pytest.raises(SpnegoError):
        peer.unwrap_winrm(signature, data)


@pytest.mark.parametrize(
    "authorization",
    [
        "Negotiate",
        "Negotiate !!!",
        "Negotiate AAAA",
        "NTLM TlRMTVNTUAADAAAA",
        "Basic aXZuOnB3",
        "Digest AAAA",
        "Negotiate YIIB",
    ],
)
def test_the_gate_refuses_the_rest(authorization: str) -> None:
    counters = Counters()
    gate = Gate(GateRules(ACCOUNT), counters)
    refusal, _ = gate.check(authorization)
    assert refusal is not None
    assert refusal.status == 401
    assert gate.owner == ""
    assert counters.authentication_failures == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x60",
        b"\x60\x84\xff\xff\xff\xff",
        b"\x60\x03\x06\x01\x00",
        b"\xa1\x00",
        b"\x30\x00",
        b"\x60\x82",
    ],
)
def test_cut_spnego_is_a_bad_token(data: bytes) -> None:
    with pytest.raises(lab_spnego.BadToken):
        lab_spnego.read(data)
