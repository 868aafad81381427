"""HTTP with JSON: one shared TLS context, deadlines, errors with a next step. Built on httpx."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ivn_provision.errors import (
    AuthenticationFailed,
    Conflict,
    IvnError,
    ProtocolFault,
    Refused,
    TlsFailed,
    Unreachable,
)
from ivn_provision.spec.site import Tls
from ivn_provision.transports.deadline import Deadline, exceeded

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS = 5.0
MAX_REPLY = 16 * 1024 * 1024


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
    _client: httpx.Client | None = field(default=None, init=False)

    @property
    def endpoint(self) -> str:
        return urlsplit(self.url).netloc.rpartition("@")[2]

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        form: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        missing_ok: bool = False,
    ) -> Reply:
        """One request. A problem becomes an error of ours; a 404 is a Reply where `missing_ok`."""
        status, seen, raw = self._send(
            method, path, json=json, data=form, params=params, headers=dict(headers or {})
        )
        body = self._json(status, seen.get("content-type", ""), raw)
        if 200 <= status < 300 or (status == 404 and missing_ok):
            return Reply(status, seen, body)
        raise _problem(status, body, self.endpoint, f"{method} {path}")

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _send(self, method: str, path: str, **options: Any) -> tuple[int, dict[str, str], bytes]:
        import httpx

        deadline = self.new_deadline()
        left = deadline.left(endpoint=self.endpoint, doing=f"{method} {path}")
        timeout = httpx.Timeout(left, connect=min(CONNECT_SECONDS, left))
        try:
            with self._opened().stream(method, self.url + path, timeout=timeout, **options) as reply:
                raw = b""
                for piece in reply.iter_bytes():
                    raw += piece
                    deadline.left(endpoint=self.endpoint, doing=f"{method} {path}")
                    if len(raw) > MAX_REPLY:
                        raise ProtocolFault("the answer is larger than 16 MiB", endpoint=self.endpoint)
                return reply.status_code, {k.lower(): v for k, v in reply.headers.items()}, raw
        except httpx.HTTPError as error:
            raise _transport(error, self.endpoint, deadline.seconds) from error

    def _opened(self) -> httpx.Client:
        if self._client is None:
            import httpx

            verify: ssl.SSLContext | bool = True
            if self.url.startswith("https"):
                verify = _context(self.tls, self.endpoint)
            self._client = httpx.Client(verify=verify, trust_env=False, follow_redirects=False)
        return self._client

    def _json(self, status: int, kind: str, raw: bytes) -> Mapping[str, Any]:
        import json as parser

        if not raw and status < 300:
            return {}
        try:
            body = parser.loads(raw)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            what = kind.partition(";")[0] or "no content type"
            raise ProtocolFault(
                f"{self.endpoint} answered HTTP {status} with {what} instead of a JSON object",
                endpoint=self.endpoint,
                next_step="check portal.url: is it the API, and is a proxy or login page in between?",
            )
        return body


@lru_cache(maxsize=32)
def _authority(path: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=path or None)


def _context(tls: Tls, endpoint: str) -> ssl.SSLContext:
    """The TLS context for a server; contexts are shared, since making one costs 60 ms."""
    if tls.mode in {"verify", "ca"}:
        try:
            return _authority(tls.value if tls.mode == "ca" else "")
        except OSError as error:
            raise TlsFailed(
                "the CA file that verifies the portal cannot be read",
                endpoint=endpoint,
                where=tls.value,
                next_step="look at portal.tls; the lab writes its own when it starts (`ivn-provision lab up`)",
            ) from error
    raise TlsFailed(
        f"tls: {tls.mode} is not possible for the portal",
        endpoint=endpoint,
        next_step="use verify or a CA file in portal.tls",
    )


def _transport(error: Exception, endpoint: str, seconds: float) -> IvnError:
    import httpx

    if isinstance(error, httpx.ConnectTimeout):
        return Unreachable(
            f"no answer from {endpoint}", endpoint=endpoint, next_step="check the route and the firewall"
        )
    if isinstance(error, httpx.TimeoutException):
        return exceeded(seconds, endpoint=endpoint, doing="waiting for the portal")
    if isinstance(error, httpx.ConnectError):
        if "CERTIFICATE" in str(error) or "SSL" in str(error):
            return TlsFailed(
                f"the certificate of {endpoint} is not trusted",
                endpoint=endpoint,
                next_step="give portal.tls the CA file that signed it",
            )
        return Unreachable(
            f"nothing listens on {endpoint}", endpoint=endpoint, next_step="check portal.url; is the lab up?"
        )
    return ProtocolFault(
        f"{endpoint} broke off its answer ({type(error).__name__})",
        endpoint=endpoint,
        next_step="try again; if it stays, tell the portal's operator",
    )


def _problem(status: int, body: Mapping[str, Any], endpoint: str, request: str) -> IvnError:
    """An RFC 9457 problem document (or any JSON error) as an error of ours."""
    kind = str(body.get("type", "")).rpartition("/")[2]
    said = " ".join(str(body.get(name, "")).strip() for name in ("title", "detail")).strip()
    listed = "; ".join(
        f"{each.get('pointer', '')}: {each.get('message', '')}"
        for each in body.get("errors") or ()
        if isinstance(each, dict)
    )
    text = f"the portal refused {request} (HTTP {status}): {said or kind or body.get('error', 'no reason')}"
    if listed:
        text += f" ({listed})"
    if status in {401, 403}:
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
