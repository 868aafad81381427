"""An SMTP server that takes every mail and hands it on (aiosmtpd, STARTTLS, AUTH PLAIN and LOGIN)."""

from __future__ import annotations

import asyncio
import hmac
import logging
import socket
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from ivn_provision.errors import LabError
from ivn_provision.lab.clock import Clock
from ivn_provision.lab.mail.message import Mail

MAX_MAIL_BYTES = 1024 * 1024
_IDLE_SECONDS = 60
# aiosmtpd warns at each login that a field which it sets itself is deprecated
logging.getLogger("mail.log").setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class Account:
    """A login and the site it belongs to."""

    site: str
    password: str


@dataclass(slots=True)
class SinkCounters:
    """Since the start."""

    connections: int = 0
    mails: int = 0
    logins: int = 0
    login_failures: int = 0


class MailSink:
    """Listens on `sock`. `deliver` is called for each mail in the loop's thread.

    Unknown recipients are taken: a recorder that is refused retries for ever (facts/portal.md, row 44).
    """

    def __init__(
        self,
        accounts: Mapping[str, Account],
        tls: ssl.SSLContext,
        deliver: Callable[[Mail], None],
        clock: Clock,
        *,
        require_tls: bool = True,
        require_login: bool = True,
    ) -> None:
        self.accounts = accounts
        self.counters = SinkCounters()
        self.messages: deque[Mail] = deque(maxlen=1000)
        self._tls, self._deliver, self._clock = tls, deliver, clock
        self._require_tls, self._require_login = require_tls, require_login
        self._server: asyncio.Server | None = None
        self._open: set[_Session] = set()
        if require_login and not require_tls:
            raise LabError("the lab's mail server asks for a login only after STARTTLS")

    async def start(self, sock: socket.socket) -> None:
        """Serve until `stop`."""
        self._server = await asyncio.get_running_loop().create_server(self._session, sock=sock)

    async def stop(self) -> None:
        """Close the listener and every open connection."""
        if self._server is None:
            return
        self._server.close()
        for session in tuple(self._open):
            session.drop()
        await self._server.wait_closed()
        await asyncio.sleep(0)

    def _session(self) -> _Session:
        return _Session(
            self,
            loop=asyncio.get_running_loop(),
            hostname="smtp.lab.invalid",
            ident="ivn-provision lab",
            data_size_limit=MAX_MAIL_BYTES,
            tls_context=self._tls,
            require_starttls=self._require_tls,
            auth_required=self._require_login,
            authenticator=self._authenticate,
            timeout=_IDLE_SECONDS,
        )

    def opened(self, session: _Session) -> None:
        self.counters.connections += session not in self._open
        self._open.add(session)

    def closed(self, session: _Session) -> None:
        self._open.discard(session)

    def _authenticate(
        self, _server: SMTP, _session: Any, _envelope: Any, _mechanism: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        account = self.accounts.get(data.login.decode("utf-8", "replace"))
        good = account is not None and hmac.compare_digest(account.password.encode(), data.password)
        self.counters.logins += good
        self.counters.login_failures += not good
        # handled=False: aiosmtpd answers 535 itself
        return AuthResult(success=good, handled=False, auth_data=data.login.decode("utf-8", "replace"))

    async def handle_DATA(self, _server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's hook
        username = str(session.auth_data or "")
        account = self.accounts.get(username)
        mail = Mail(
            received_at=self._clock(),
            peer=str(session.peer[0]),
            username=username,
            account=account.site if account else "",
            sender=str(envelope.mail_from),
            recipients=tuple(str(each) for each in envelope.rcpt_tos),
            raw=bytes(envelope.content),
            tls=session.ssl is not None,
        )
        self.counters.mails += 1
        self.messages.append(mail)
        self._deliver(mail)
        return "250 OK"


class _Session(SMTP):
    """One connection that its sink can drop."""

    def __init__(self, sink: MailSink, **options: Any) -> None:
        super().__init__(sink, **options)
        self._sink = sink

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._sink.opened(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._sink.closed(self)

    def drop(self) -> None:
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()
