"""HTTP to one Axis camera: one request at a time on one connection, logged in as the camera asks. On httpx.

Old firmware drops connections when it is asked two things at once (facts/axis.md, 2). Nothing is decided by
the camera about where we connect: redirects are said, not followed.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

from ivn_provision.errors import DeadlineExceeded, IvnError, Refused
from ivn_provision.secret import Secret
from ivn_provision.spec.axis import AxisConnect
from ivn_provision.spec.values import Tls
from ivn_provision.transports import vapix_faults as faults
from ivn_provision.transports.breaker import Attempt
from ivn_provision.transports.deadline import Deadline, exceeded
from ivn_provision.transports.line import CONNECT_SECONDS, Line
from ivn_provision.transports.tls import context_of
from ivn_provision.transports.vapix_auth import Challenge, Signer, challenges_of, chosen, signer_of
from ivn_provision.transports.winrm_settings import url_host

if TYPE_CHECKING:
    import httpx

MAX_REPLY = 4 * 1024 * 1024
"""Bytes. All parameters of a camera are some 60 kB (facts/axis.md, 3.2), 256 rules some hundred."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. `target` is path and query as they go on the line, which a digest signs; `media_type` is that of
    the body. What `writes` is never sent twice, and a lost answer to it is Uncertain."""

    method: str
    target: str
    body: bytes | None = field(default=None, repr=False)
    media_type: str = ""
    writes: bool = False

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


_BARE = Asked("GET", "/axis-cgi/pwdgrp.cgi?action=get")
"""Asks for the challenge: what no camera shows to everybody. Other paths may answer without a login, with less."""


@dataclass(frozen=True, slots=True)
class VapixReply:
    """An answer: status, content type with its parameters, body. `path` is what was asked."""

    status: int
    content_type: str
    body: bytes = field(repr=False)
    path: str
    endpoint: str


@dataclass(slots=True)
class VapixLink:
    """Speaks to one camera as one account. `close` it. `new_deadline` is for a request, `guard` for each login.

    Raises Refused for a host or user name that cannot be one.
    """

    connect: AxisConnect
    password: Secret
    new_deadline: Callable[[], Deadline]
    guard: Callable[[], AbstractContextManager[Attempt]] = field(repr=False)
    _url: str = field(default="", init=False, repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)
    _line: Line = field(default_factory=Line, init=False, repr=False)
    _client: httpx.Client | None = field(default=None, init=False, repr=False)
    _signer: Signer | None = field(default=None, init=False, repr=False)
    _challenge: Challenge | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        scheme = "https" if self.encrypted else "http"
        self._url = f"{scheme}://{url_host(self.connect.host, 'axis.connect')}:{self.connect.port}"
        if not is_user_name(self.connect.username):
            raise Refused(
                "axis.connect.username has characters that a login cannot have",
                next_step='leave out quotes, backslashes, colons and control characters: `" \\ :`',
            )

    @property
    def endpoint(self) -> str:
        """`host:port`, for people."""
        return self._url.partition("://")[2]

    @property
    def encrypted(self) -> bool:
        return self.connect.tls.mode != "off"

    def ask(self, asked: Asked) -> VapixReply:
        """The answer, whatever its status, except: a login that is refused (AuthenticationFailed), a redirect, a
        missing right, and a change where nobody has to log in (Refused), a camera that is busy (ProtocolFault).
        Raises TargetError.
        """
        with self._lock, self.guard() as attempt:
            deadline = self.new_deadline()
            return self._checked(self._logged_in(asked, deadline, attempt))

    def try_login(self, username: str, password: Secret, path: str) -> VapixReply:
        """One request as somebody else, a refusal (401) included; two where the camera's nonce was too old.

        Only after an `ask` of the link's own account.
        """
        asked = Asked("GET", path)
        with self._lock:
            deadline = self.new_deadline()
            for _ in range(2):
                known = self._challenge
                signer = signer_of(known, username, password) if known is not None else None
                reply, offered = self._sent(asked, signer, deadline)
                stale = next((each for each in offered if each.scheme == "digest" and each.is_stale), None)
                if stale is None:
                    break
                self._challenge, self._signer = self._chosen((stale,)), None
            return reply if reply.status == 401 else self._checked(reply)

    def close(self) -> None:
        """The connection ends; the next request logs in anew."""
        if self._client is not None:
            self._client.close()
        self._client = self._signer = self._challenge = None
        self._line.close()

    def _logged_in(self, asked: Asked, deadline: Deadline, attempt: Attempt) -> VapixReply:
        known = self._signer
        if known is None:
            reply, offered = self._sent(_BARE, None, deadline)
        else:
            attempt.begin(deadline)
            reply, offered = self._sent(asked, known, deadline)
        if reply.status == 401:
            if known is not None and not known.renews:
                raise self._refused_login(asked, before=True)
            self._signer, self._challenge = None, self._chosen(offered)
            signer = signer_of(self._challenge, self.connect.username, self.password)
            attempt.begin(deadline)
            reply, _ = self._sent(asked, signer, deadline)
            if reply.status == 401:
                raise self._refused_login(asked, before=known is not None)
            self._signer = signer
        elif known is None:
            self._checked(reply)
            if asked.writes:
                raise faults.asks_nobody(self.endpoint)
            reply, _ = self._sent(asked, None, deadline)  # nobody has to log in there
        if self._signer is not None:
            attempt.proven()
        return reply

    def _chosen(self, offered: tuple[Challenge, ...]) -> Challenge:
        return chosen(
            offered,
            endpoint=self.endpoint,
            encrypted=self.encrypted,
            basic_over_http=self.connect.basic_over_http,
        )

    def _refused_login(self, asked: Asked, *, before: bool) -> IvnError:
        self._signer = None
        account = f"{self.connect.username} with {self.password.reference}"
        return faults.refused_login(account, self.endpoint, asked.path, before=before)

    def _checked(self, reply: VapixReply) -> VapixReply:
        if 300 <= reply.status < 400:
            raise faults.redirected(self.endpoint, reply.status, encrypted=self.encrypted)
        if reply.status == 403:
            raise Refused(
                f"{self.endpoint} does not let {self.connect.username} use {reply.path} (HTTP 403)",
                endpoint=self.endpoint,
                next_step="give axis.connect an account with the role administrator",
            )
        if reply.status >= 500 and reply.status != 501:
            raise faults.off(self.endpoint, f"could not answer {reply.path} (HTTP {reply.status})")
        return reply

    def _sent(
        self, asked: Asked, signer: Signer | None, deadline: Deadline
    ) -> tuple[VapixReply, tuple[Challenge, ...]]:
        """One answer, and what it offers to log in with. What reads is asked again once when the line broke."""
        try:
            return self._once(asked, signer, deadline)
        except faults.Lost as lost:
            if asked.writes:
                raise faults.uncertain(lost, self.endpoint) from lost
        try:
            return self._once(asked, signer, deadline)
        except faults.Lost as lost:
            raise lost.plain() from lost

    def _once(
        self, asked: Asked, signer: Signer | None, deadline: Deadline
    ) -> tuple[VapixReply, tuple[Challenge, ...]]:
        import httpx

        left = deadline.left(endpoint=self.endpoint, doing=asked.method)
        client = self._opened()
        try:
            request = client.build_request(
                asked.method,
                self._url + asked.target,
                content=asked.body,
                headers=_headers(asked),
                timeout=httpx.Timeout(left, connect=min(CONNECT_SECONDS, left)),
                extensions={"trace": self._trace},
            )
            if signer is not None:
                signer.sign(request)
            with self._line.until(deadline):
                return self._received(asked, client.send(request, stream=True))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            if deadline.over:
                raise self._late(deadline) from error
            raise faults.transport_fault(error, self.endpoint, deadline.seconds) from error
        except DeadlineExceeded as error:
            raise self._late(deadline) from error

    def _received(self, asked: Asked, answer: httpx.Response) -> tuple[VapixReply, tuple[Challenge, ...]]:
        try:
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise faults.off(self.endpoint, "compresses its answer, which was not asked for")
            raw = bytearray()
            for piece in answer.iter_raw():
                raw += piece
                if len(raw) > MAX_REPLY:
                    raise faults.off(self.endpoint, "answers with more than 4 MiB")
        finally:
            answer.close()
        kind = answer.headers.get("Content-Type", "")
        offered = answer.headers.get_list("WWW-Authenticate") if answer.status_code == 401 else []
        reply = VapixReply(answer.status_code, kind, bytes(raw), asked.path, self.endpoint)
        return reply, challenges_of(offered)

    def _late(self, deadline: Deadline) -> DeadlineExceeded:
        return exceeded(deadline.seconds, endpoint=self.endpoint, doing=faults.WAITING)

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Each new connection goes to the watchdog before TLS, and a pinned certificate is looked at after it."""
        if event == "connection.connect_tcp.complete":
            self._line.carry(info["return_value"].get_extra_info("socket"))
        elif event == "connection.start_tls.complete" and self.connect.tls.mode == "fingerprint":
            stream = info["return_value"]
            seen = stream.get_extra_info("ssl_object").getpeercert(True)
            pinned = self.connect.tls.value.replace(":", "").lower()
            if not hmac.compare_digest(hashlib.sha256(seen or b"").hexdigest().encode(), pinned.encode()):
                stream.close()
                raise faults.wrong_certificate(self.endpoint)

    def _opened(self) -> httpx.Client:
        import httpx

        if self._client is None:
            tls = self.connect.tls if self.encrypted else Tls()  # a shared context, unused over HTTP
            self._client = httpx.Client(
                verify=context_of(tls, endpoint=self.endpoint, field="axis.connect.tls"),
                trust_env=False,
                follow_redirects=False,
                limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
            )
        return self._client


def is_user_name(text: str) -> bool:
    """Can it stand in a login as it is? Digest quotes it, Basic ends it at a colon."""
    return bool(text) and text.isprintable() and not set(text) & set('"\\:')


def _headers(asked: Asked) -> dict[str, str]:
    kind = {"Content-Type": asked.media_type} if asked.media_type else {}
    return {"Accept": "*/*", "Accept-Encoding": "identity", **kind}
