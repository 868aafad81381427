"""An SMTP server that takes every mail and hands it on (aiosmtpd, STARTTLS, AUTH PLAIN and LOGIN)."""

from __future__ import annotations

import asyncio
import hmac
import logging
import socket
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from ivn_provision.errors import LabError
from ivn_provision.lab.clock import Clock
from ivn_provision.lab.fault_list import MAIL, SLOW_MAIL_SECONDS, names
from ivn_provision.lab.mail.message import Mail
from ivn_provision.lab.mail.relay import relayed
from ivn_provision.lab.mail.session import Mute, Session

MAX_MAIL_BYTES = 1024 * 1024
MAIL_FAULTS = names(MAIL)
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
        self.faults: set[str] = set()
        self.slow_seconds = SLOW_MAIL_SECONDS
        self._late: set[asyncio.TimerHandle] = set()
        self._tls, self._deliver, self._clock = tls, deliver, clock
        self._require_tls, self._require_login = require_tls, require_login
        self._server: asyncio.Server | None = None
        self._open: set[Session | Mute] = set()
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
        self.lose_late()
        for session in tuple(self._open):
            session.drop()
        await self._server.wait_closed()
        await asyncio.sleep(0)

    def fault(self, name: str, *, on: bool) -> None:
        """Switch a fault of the mail server. Raises LabError for one that does not exist."""
        if name not in MAIL_FAULTS:
            known = ", ".join(sorted(MAIL_FAULTS))
            raise LabError(f"the mail server has no fault {name!r}", next_step=f"faults are: {known}")
        (self.faults.add if on else self.faults.discard)(name)

    def _session(self) -> Session | Mute:
        if self.faults & {"refuse-connection", "stall"}:
            return Mute(self)
        return Session(
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

    def opened(self, session: Session | Mute) -> None:
        """Count a connection, once: STARTTLS opens it a second time."""
        self.counters.connections += session not in self._open
        self._open.add(session)

    def closed(self, session: Session | Mute) -> None:
        """A connection has ended."""
        self._open.discard(session)

    def _authenticate(
        self, _server: SMTP, _session: Any, _envelope: Any, _mechanism: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        account = self.accounts.get(data.login.decode("utf-8", "replace"))
        refused = account is None or "refuse-login" in self.faults
        good = (
            not refused
            and account is not None
            and hmac.compare_digest(account.password.encode(), data.password)
        )
        self.counters.logins += good
        self.counters.login_failures += not good
        # handled=False: aiosmtpd answers 535 itself
        return AuthResult(success=good, handled=False, auth_data=data.login.decode("utf-8", "replace"))

    async def handle_DATA(self, _server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's hook
        username = str(session.auth_data or "")
        account = self.accounts.get(username)
        self.counters.mails += 1
        mail = Mail(
            received_at=self._clock(),
            peer=str(session.peer[0]),
            username=username,
            account=account.site if account else "",
            sender=str(envelope.mail_from),
            recipients=tuple(str(each) for each in envelope.rcpt_tos),
            raw=relayed(bytes(envelope.content), self.faults),
            tls=session.ssl is not None,
        )
        for _ in range(0 if "lose" in self.faults else 2 if "duplicate" in self.faults else 1):
            self._hand_on(mail)
        return "250 OK"

    @property
    def under_way(self) -> int:
        """Mails that were taken and are still to arrive."""
        return len(self._late)

    def lose_late(self) -> None:
        """Mails that were taken and are still to arrive never do."""
        for timer in self._late:
            timer.cancel()
        self._late.clear()

    def _hand_on(self, mail: Mail) -> None:
        if "slow" not in self.faults:
            self._arrived(mail)
            return
        loop = asyncio.get_running_loop()

        def arrive() -> None:
            self._late.discard(timer)
            self._arrived(replace(mail, received_at=self._clock()))

        timer = loop.call_later(self.slow_seconds, arrive)
        self._late.add(timer)

    def _arrived(self, mail: Mail) -> None:
        self.messages.append(mail)
        self._deliver(mail)

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's hook
        self, _server: SMTP, session: Any, _envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        silent = "no-starttls" in self.faults
        return [each for each in responses if not (silent and each.endswith("STARTTLS"))]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's hook
        self, _server: SMTP, _session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if "refuse-recipient" in self.faults:
            return "550 5.1.1 No such mailbox here"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"
