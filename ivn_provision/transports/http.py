"""HTTP with JSON: one connection, deadlines, bounded answers, errors with a next step. Built on httpx."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlencode, urlsplit

from ivn_provision.errors import (
    AuthenticationFailed,
    Conflict,
    IvnError,
    LeaseHeld,
    ProtocolFault,
    Refused,
    TlsFailed,
    Unreachable,
)
from ivn_provision.secret import Secret
from ivn_provision.spec.site import Tls
from ivn_provision.transports.deadline import Deadline, exceeded
from ivn_provision.transports.line import CONNECT_SECONDS, Line
from ivn_provision.transports.masking import said
from ivn_provision.transports.tls import context_of

if TYPE_CHECKING:
    import httpx

MAX_REPLY = 16 * 1024 * 1024
_FORM = "application/x-www-form-urlencoded"
_PROBLEM = "urn:ivn-provision:problem:"
_LEASE_HELD = f"{_PROBLEM}lease-held"
_NO_CLIENT = {"invalid_client", "invalid_grant", "unauthorized_client"}  # RFC 6749, 5.2: also with HTTP 400


@dataclass(frozen=True, slots=True)
class Reply:
    """A good answer: status, headers (lower-case names) and the parsed JSON object."""

    status: int
    headers: Mapping[str, str]
    body: Mapping[str, Any]


@dataclass(slots=True)
class JsonClient:
    """Speaks JSON to one server. Used by one thread at a time; `close` it. `new_deadline` is for a request."""

    url: str
    tls: Tls
    new_deadline: Callable[[], Deadline]
    _parts: SplitResult = field(init=False, repr=False)
    _line: Line = field(default_factory=Line, init=False, repr=False)
    _client: httpx.Client | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        try:
            self._parts = urlsplit(self.url)
            sound = self._parts.scheme in {"http", "https"} and self._parts.hostname and self._parts.port != 0
        except ValueError:
            sound = False
        if not sound:
            raise Refused(
                "portal.url is not the address of a server",
                next_step="write it as https://host or https://host:port",
            )

    @property
    def endpoint(self) -> str:
        return self._parts.netloc.rpartition("@")[2]

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        form: Mapping[str, str | Secret] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        secrets: Sequence[Secret] = (),
        missing_ok: bool = False,
        expected: Collection[str] = (),
    ) -> Reply:
        """One request. A problem becomes an error of ours; a 404 is a Reply where `missing_ok`, and so is a
        problem of one of the types `expected` (the last part of the URN), its texts made safe to show.

        No error repeats a secret: not those of `form`, not an `Authorization`, and not `secrets`, which
        names those that are in `json`.
        """
        all_headers = {"Accept": "application/json", "Accept-Encoding": "identity", **(headers or {})}
        body = _encoded(json, form, all_headers)
        query = f"?{urlencode(params)}" if params else ""
        status, seen, raw = self._send(method, path + query, body, all_headers)
        talk = _Talk(self.endpoint, f"{method} {path}", status, tuple(_sent(form, all_headers, secrets)))
        answer = _parsed(talk, seen, raw)
        if 200 <= status < 300 or (status == 404 and missing_ok):
            return Reply(status, seen, answer)
        if status >= 400 and answer.get("type") in [_PROBLEM + each for each in expected]:
            return Reply(status, seen, talk.safe(answer))
        raise _problem(talk, answer)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
        self._line.close()

    def _send(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        import httpx

        deadline = self.new_deadline()
        left = deadline.left(endpoint=self.endpoint, doing=method)
        try:
            with (
                self._line.until(deadline),
                self._opened().stream(
                    method,
                    self.url + target,
                    content=body,
                    headers=headers,
                    timeout=httpx.Timeout(left, connect=min(CONNECT_SECONDS, left)),
                    extensions={"trace": self._trace},
                ) as reply,
            ):
                return reply.status_code, {k.lower(): v for k, v in reply.headers.items()}, self._body(reply)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            if deadline.over:
                raise self._late(deadline) from error
            raise _transport(error, self.endpoint, deadline.seconds) from error
        except IvnError as error:
            if deadline.over:
                raise self._late(deadline) from error
            raise

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Give each new connection to the watchdog, before TLS (httpx's request extension `trace`)."""
        if event == "connection.connect_tcp.complete":
            self._line.carry(info["return_value"].get_extra_info("socket"))

    def _late(self, deadline: Deadline) -> IvnError:
        return exceeded(deadline.seconds, endpoint=self.endpoint, doing="waiting for the portal")

    def _body(self, reply: httpx.Response) -> bytes:
        if reply.headers.get("Content-Encoding", "identity") != "identity":
            raise self._off("the answer is compressed, which was not asked for")
        raw = bytearray()
        for piece in reply.iter_raw():
            raw += piece
            if len(raw) > MAX_REPLY:
                raise self._off("the answer is larger than 16 MiB")
        return bytes(raw)

    def _off(self, summary: str) -> ProtocolFault:
        return ProtocolFault(
            summary, endpoint=self.endpoint, next_step="check portal.url; is a proxy in between?"
        )

    def _opened(self) -> httpx.Client:
        if self._client is None:
            self._client = self._new_client()
        return self._client

    def _new_client(self) -> httpx.Client:
        import httpx

        verify: Any = True
        if self._parts.scheme == "https":
            if self.tls.mode not in {"verify", "ca"}:
                raise TlsFailed(
                    f"tls: {self.tls.mode} is not possible for the portal",
                    endpoint=self.endpoint,
                    next_step="use verify or a CA file in portal.tls",
                )
            verify = context_of(self.tls, endpoint=self.endpoint, field="portal.tls")
        else:
            verify = context_of(Tls(), endpoint=self.endpoint, field="portal.tls")  # unused, yet shared
        return httpx.Client(verify=verify, trust_env=False, follow_redirects=False)


@dataclass(frozen=True, slots=True)
class _Talk:
    """What was asked, and how it was answered: for errors. `sent` are the secrets that went out."""

    endpoint: str
    request: str
    status: int
    sent: tuple[str, ...] = field(repr=False)

    def said(self, value: object) -> str:
        return said(value, self.sent)

    def safe(self, body: Mapping[str, Any]) -> dict[str, str]:
        """The texts of a problem, without secrets and marks."""
        return {name: self.said(value) for name, value in body.items() if isinstance(value, str)}


def _encoded(
    json: Mapping[str, Any] | None, form: Mapping[str, str | Secret] | None, headers: dict[str, str]
) -> bytes | None:
    """The body, its type put into `headers`. Here alone the secrets of a form become plain."""
    if form is not None:
        headers["Content-Type"] = _FORM
        return urlencode({name: _plain(value) for name, value in form.items()}).encode()
    if json is None:
        return None
    import json as writer

    headers["Content-Type"] = "application/json"
    return writer.dumps(json, allow_nan=False).encode()


def _sent(
    form: Mapping[str, str | Secret] | None, headers: Mapping[str, str], secrets: Sequence[Secret]
) -> Iterator[str]:
    yield from (each.reveal() for each in secrets)
    yield from (each.reveal() for each in (form or {}).values() if isinstance(each, Secret))
    yield headers.get("Authorization", "").partition(" ")[2]


def _plain(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value


def _parsed(talk: _Talk, headers: Mapping[str, str], raw: bytes) -> Mapping[str, Any]:
    import json as parser

    if talk.status == 204 or (talk.status < 300 and headers.get("content-length") == "0"):
        return {}
    try:
        body = parser.loads(raw, parse_constant=_not_json)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict) or 300 <= talk.status < 400:
        what = talk.said(headers.get("content-type", "").partition(";")[0]) or "no content type"
        raise ProtocolFault(
            f"{talk.endpoint} answered HTTP {talk.status} with {what} instead of a JSON object",
            endpoint=talk.endpoint,
            next_step="check portal.url: is it the API, and is a proxy or login page in between?",
        )
    return body


def _not_json(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _transport(error: Exception, endpoint: str, seconds: float) -> IvnError:
    import httpx

    if isinstance(error, httpx.ConnectTimeout):
        return Unreachable(
            f"no answer from {endpoint}", endpoint=endpoint, next_step="check the route and the firewall"
        )
    if isinstance(error, httpx.TimeoutException):
        return exceeded(seconds, endpoint=endpoint, doing="waiting for the portal")
    if isinstance(error, httpx.ConnectError) and ("SSL" in str(error) or "TLS" in str(error)):
        return TlsFailed(
            f"the certificate of {endpoint} is not trusted, or not made for that host"
            if "CERTIFICATE" in str(error)
            else f"{endpoint} speaks no TLS that this machine accepts",
            endpoint=endpoint,
            next_step="give portal.tls the CA file that signed it, and portal.url the host that it names",
        )
    if isinstance(error, (httpx.ConnectError, httpx.InvalidURL, httpx.UnsupportedProtocol)):
        return Unreachable(
            f"nothing listens on {endpoint}", endpoint=endpoint, next_step="check portal.url; is the lab up?"
        )
    return ProtocolFault(
        f"{endpoint} broke off its answer ({type(error).__name__})",
        endpoint=endpoint,
        next_step="try again; if it stays, tell the portal's operator",
    )


def _problem(talk: _Talk, body: Mapping[str, Any]) -> IvnError:
    """An RFC 9457 problem document (or any JSON error) as an error of ours."""
    text = f"the portal refused {talk.request} (HTTP {talk.status}): {_reason(talk, body)}"
    status, endpoint = talk.status, talk.endpoint
    if status in {409, 423} and body.get("type") == _LEASE_HELD:
        return _held(talk, body)
    error = body.get("error")
    if status in {401, 403} or (isinstance(error, str) and error in _NO_CLIENT):
        return AuthenticationFailed(
            text, endpoint=endpoint, next_step="check portal.auth and the scopes of the client"
        )
    if status in {409, 412, 428}:
        return Conflict(
            text, endpoint=endpoint, next_step="run the command again: it plans from what is there now"
        )
    if status == 429 or status >= 500:
        return ProtocolFault(
            text, endpoint=endpoint, next_step="wait and try again; if it stays, tell the portal's operator"
        )
    return Refused(text, endpoint=endpoint, next_step="correct the value in the site file")


def _held(talk: _Talk, body: Mapping[str, Any]) -> LeaseHeld:
    """The problem `lease-held` says who writes, and until when."""
    names = ("owner", "run", "expires_at")
    owner, run, ends = (talk.said(body.get(name)) or f"(no {name})" for name in names)
    return LeaseHeld(
        f"{owner} writes to the site in the portal: run {run}, until {ends}",
        owner=owner,
        run=run,
        expires_at=ends,
        endpoint=talk.endpoint,
        next_step="wait for that run; if it broke off, its lease ends by itself at that time",
    )


def _reason(talk: _Talk, body: Mapping[str, Any]) -> str:
    """The server's own words, where they are words."""
    words = " ".join(filter(None, (talk.said(body.get(name)) for name in ("title", "detail", "message"))))
    kind = talk.said(body.get("type")).rpartition("/")[2]
    reason = words or kind or talk.said(body.get("error")) or "no reason"
    errors = body.get("errors")
    listed = "; ".join(
        f"{talk.said(each.get('pointer'))}: {talk.said(each.get('message'))}"
        for each in (errors[:5] if isinstance(errors, list) else ())
        if isinstance(each, dict)
    )
    return f"{reason} ({listed})" if listed else reason
