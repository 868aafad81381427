"""HTTP with JSON: one connection, deadlines, bounded answers, errors with a next step. Built on httpx."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlencode, urlsplit

from ivn_provision.errors import (
    DeadlineExceeded,
    IvnError,
    ProtocolFault,
    Refused,
    TlsFailed,
    Unreachable,
)
from ivn_provision.secret import Secret
from ivn_provision.spec.values import Tls
from ivn_provision.transports.deadline import Deadline, exceeded
from ivn_provision.transports.http_problems import PROBLEM, Talk, problem
from ivn_provision.transports.line import CONNECT_SECONDS, Line
from ivn_provision.transports.throttle import DEFAULT_SECONDS, Throttle, retry_after
from ivn_provision.transports.tls import context_of

if TYPE_CHECKING:
    import httpx

MAX_REPLY = 16 * 1024 * 1024
MOST_REFUSALS = 20
_FORM = "application/x-www-form-urlencoded"


_Answer = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True, slots=True)
class Reply:
    """A good answer: status, headers (lower-case names) and the parsed JSON object."""

    status: int
    headers: Mapping[str, str]
    body: Mapping[str, Any]


@dataclass(slots=True)
class JsonClient:
    """Speaks JSON to one server. Used by one thread at a time; `close` it. `new_deadline` is for a request.

    `throttle` is shared by all clients of a server; `waited` is told the seconds spent waiting for its turn.
    """

    url: str
    tls: Tls
    new_deadline: Callable[[], Deadline]
    throttle: Throttle = field(default_factory=Throttle, repr=False)
    waited: Callable[[float], None] = field(default=lambda _: None, repr=False)
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

        A refusal that says when to come back (429; 503 of what only reads) is waited for, within the deadline.
        No error repeats a secret: not those of `form`, not an `Authorization`, and not `secrets`, which
        names those that are in `json`.
        """
        all_headers = {"Accept": "application/json", "Accept-Encoding": "identity", **(headers or {})}
        body = _encoded(json, form, all_headers)
        query = f"?{urlencode(params)}" if params else ""
        reads = method == "GET" or form is not None  # a token is asked for by a form
        (status, seen, raw), refusals = self._until_taken(method, path + query, body, all_headers, reads)
        asked = f"{method} {path}"
        talk = Talk(self.endpoint, asked, status, tuple(_sent(form, all_headers, secrets)), refusals)
        answer = _parsed(talk, seen, raw)
        if 200 <= status < 300 or (status == 404 and missing_ok):
            return Reply(status, seen, answer)
        if status >= 400 and answer.get("type") in [PROBLEM + each for each in expected]:
            return Reply(status, seen, talk.safe(answer))
        raise problem(talk, answer)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
        self._line.close()

    def _until_taken(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str], reads: bool
    ) -> tuple[_Answer, int]:
        """The answer, and how often the server said before it that this is not the time.

        The first wait for a turn is no part of the deadline, and as long as one at most.
        """
        began = self.throttle.clock()
        with self.throttle.turn(self.new_deadline(), self.endpoint):
            self.waited(self.throttle.clock() - began)
            deadline = self.new_deadline()
            answer = self._send(method, target, body, headers, deadline)
        for refusals in range(MOST_REFUSALS):
            seconds = _come_back(answer, reads=reads)
            if seconds is None:
                self.throttle.answered()
                return answer, refusals
            self.throttle.pause(seconds)
            if deadline.over or seconds >= deadline.left():
                return answer, refusals + 1
            with ExitStack() as turn:
                try:
                    turn.enter_context(self.throttle.turn(deadline, self.endpoint))
                except DeadlineExceeded:
                    return answer, refusals + 1  # the refusal says more than that its time is over
                answer = self._send(method, target, body, headers, deadline)
        return answer, MOST_REFUSALS

    def _send(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str], deadline: Deadline
    ) -> _Answer:
        import httpx

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


def _parsed(talk: Talk, headers: Mapping[str, str], raw: bytes) -> Mapping[str, Any]:
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


def _come_back(answer: _Answer, *, reads: bool) -> float | None:
    """After how many seconds the same request may be sent again; None for an answer that stands.

    A 429 is given before anything is done. Of a 503 nobody knows that, so it only lets what reads come again.
    """
    status, headers, _ = answer
    if status == 429:
        seconds = retry_after(headers)
        return DEFAULT_SECONDS if seconds is None else seconds
    return retry_after(headers) if status == 503 and reads else None
