"""Authentication of one connection (facts/winrm.md, parts 5 and 10).

Basic and client certificates over TLS only, NTLM raw or in SPNEGO; others by an `Acceptor` that is given.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ivn_provision.lab.nvr import spnego
from ivn_provision.lab.nvr.counters import Counters
from ivn_provision.lab.nvr.http_wire import HttpResponse
from ivn_provision.lab.nvr.ntlm import SIGNATURE, Account, Handshake, Refused, begin, finish
from ivn_provision.lab.nvr.ntlm_seal import BadSeal, NtlmSession
from ivn_provision.lab.nvr.sealing import Session

MUTUAL = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"
"""What a client writes into Authorization when its certificate is all it shows."""

_FILETIME_EPOCH = 11_644_473_600  # seconds from 1601 to 1970


def filetime_now() -> int:
    """100 ns since 1601."""
    return int((time.time() + _FILETIME_EPOCH) * 10_000_000)


KERBEROS_OID = bytes.fromhex("06092a864886f712010202")


class Acceptor(Session, Protocol):
    """The accepting side of another mechanism, for one connection. Raises Refused."""

    @property
    def complete(self) -> bool: ...

    def step(self, token: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class GateRules:
    """What a listener accepts. `binding` is the MD5 of its TLS end point, None without TLS.

    `others` makes an acceptor for `kerberos` or `credssp`; the account is theirs to check.
    """

    account: Account
    binding: bytes | None = None
    others: Mapping[str, Callable[[], Acceptor]] = field(default_factory=dict)
    nonce: Callable[[], bytes] = field(default=lambda: os.urandom(8))
    filetime: Callable[[], int] = filetime_now

    @property
    def tls(self) -> bool:
        """Whether this is the HTTPS listener."""
        return self.binding is not None


class Gate:
    """The state of one connection. Once admitted it stays so: authentication belongs to the connection."""

    def __init__(self, rules: GateRules, counters: Counters, *, certificate_of: str = "") -> None:
        """`certificate_of` is the name in the client's verified certificate: it maps to the account of that name."""
        self._rules = rules
        self._certificate_of = certificate_of
        self._counters = counters
        self._shake: Handshake | None = None
        self._mech_types = b""
        self.owner = ""
        self.session: Session | None = None
        self._acceptor: Acceptor | None = None

    def check(self, authorization: str) -> tuple[HttpResponse | None, list[tuple[str, str]]]:
        """A refusal or challenge, or None to go on; and headers for the answer (the final token)."""
        scheme, _, value = authorization.partition(" ")
        if not authorization:
            return (None, []) if self.owner else (self._challenge(), [])
        if scheme.lower() == MUTUAL:
            return self._certificate(), []
        try:
            token = base64.b64decode(value.strip(), validate=True)
        except (binascii.Error, ValueError):
            return self._refuse(), []
        return self._by_scheme(scheme, token)

    def _by_scheme(self, scheme: str, token: bytes) -> tuple[HttpResponse | None, list[tuple[str, str]]]:
        word = scheme.lower()
        if word == "basic" and self._rules.tls:
            return self._basic(token), []
        if word == "credssp":
            return self._other(scheme, token, "credssp")
        if word in {"negotiate", "kerberos"} and KERBEROS_OID in token[:20]:
            return self._other(scheme, token, "kerberos")
        if word in {"negotiate", "ntlm"}:
            return self._negotiate(scheme, token)
        return self._refuse(), []

    def _certificate(self) -> HttpResponse | None:
        """No challenge, no password: Windows maps the certificate to a local account (facts/winrm.md, part 5)."""
        named = self._certificate_of.casefold()
        if not self._rules.tls or not named or named != self._rules.account.username.casefold():
            return self._refuse()
        if not self.owner:
            self._admit(None)
        return None

    def _basic(self, token: bytes) -> HttpResponse | None:
        account = self._rules.account
        username, _, password = _credentials(token).partition(":")
        known = username.casefold() == account.username.casefold()
        if known and hmac.compare_digest(password.encode(), account.password.encode()):
            if not self.owner:
                self._admit(None)
            return None
        return self._refuse()

    def _negotiate(self, scheme: str, token: bytes) -> tuple[HttpResponse | None, list[tuple[str, str]]]:
        try:
            answer = self._raw(token) if token.startswith(SIGNATURE) else self._wrapped(token)
        except (Refused, BadSeal, spnego.BadToken):
            return self._refuse(), []
        word = f"{scheme} {base64.b64encode(answer).decode('ascii')}" if answer else ""
        if self._shake is not None:
            return HttpResponse(401, [("WWW-Authenticate", word or scheme)]), []
        return None, [("WWW-Authenticate", word)] if word else []

    def _other(
        self, scheme: str, token: bytes, name: str
    ) -> tuple[HttpResponse | None, list[tuple[str, str]]]:
        if name not in self._rules.others:
            return self._refuse(), []
        self._acceptor = self._acceptor or self._rules.others[name]()
        try:
            answer = self._acceptor.step(token)
        except Refused:
            return self._refuse(), []
        word = (
            [("WWW-Authenticate", f"{scheme} {base64.b64encode(answer).decode('ascii')}")] if answer else []
        )
        if not self._acceptor.complete:
            return HttpResponse(401, word), []
        self._admit(self._acceptor)
        return None, word

    def _raw(self, token: bytes) -> bytes:
        if self._shake is None:
            return self._begin(token)
        self._finish(token)
        return b""

    def _wrapped(self, data: bytes) -> bytes:
        token = spnego.read(data)
        self._mech_types = token.mech_types or self._mech_types
        if not token.prefers_ntlm:
            self._shake = Handshake(b"", b"", b"")
            return spnego.challenge(b"", preferred=False)
        if self._shake is None or not self._shake.challenge:
            return spnego.challenge(self._begin(token.mech_token), preferred=True)
        session = self._finish(token.mech_token, token.mech_list_mic)
        if not token.mech_list_mic:
            return spnego.completed(b"")
        # RFC 4178: both sides sign the list; NTLM then starts its key streams over (as Windows does).
        mic = session.sign(self._mech_types)
        session.reset_outgoing()
        return spnego.completed(mic)

    def _begin(self, token: bytes) -> bytes:
        nonce, now = self._rules.nonce(), self._rules.filetime()
        self._shake = begin(token, self._rules.account, challenge=nonce, filetime=now)
        return self._shake.challenge_message

    def _finish(self, token: bytes, mech_list_mic: bytes = b"") -> NtlmSession:
        assert self._shake is not None
        session = finish(self._shake, token, self._rules.account, binding=self._rules.binding)
        if mech_list_mic:
            session.verify(self._mech_types, mech_list_mic)
            session.reset_incoming()
        self._admit(session)
        return session

    def _admit(self, session: Session | None) -> None:
        self._shake, self.session = None, session
        self.owner = self._rules.account.username
        self._counters.authentications += 1

    def _refuse(self) -> HttpResponse:
        self._shake, self._acceptor, self.session, self.owner = None, None, None, ""
        self._counters.authentication_failures += 1
        return self._challenge()

    def _challenge(self) -> HttpResponse:
        offers = [("WWW-Authenticate", "Negotiate")]
        if self._rules.tls:
            offers.append(("WWW-Authenticate", 'Basic realm="WSMAN"'))
        if "credssp" in self._rules.others:
            offers.append(("WWW-Authenticate", "CredSSP"))
        return HttpResponse(401, offers)


def _credentials(token: bytes) -> str:
    # RFC 7617 names no charset: clients send UTF-8 or Latin-1.
    try:
        return token.decode("utf-8")
    except UnicodeDecodeError:
        return token.decode("latin-1")
