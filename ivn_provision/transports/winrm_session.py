"""The HTTP session below pywinrm. Imported late: requests takes its time.

The host decides nothing about where we connect or how much we take: a redirect would lead the NTLM
handshake to a host of its choice, and a small compressed reply can unfold to gigabytes.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any

from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter

from ivn_provision.errors import ProtocolFault
from ivn_provision.transports.line import Line
from ivn_provision.transports.pools import pools

MAX_REPLY = 4 * 1024 * 1024  # pywinrm asks for envelopes of 150 KiB at most


def secure(session: Session, line: Line, context: ssl.SSLContext, *, fingerprint: str, endpoint: str) -> None:
    """Make `session` connect by `line` only, verify by `context` or fingerprint, and follow nothing."""
    session.trust_env = False
    session.verify = not fingerprint
    session.headers["Accept-Encoding"] = "identity"
    session.adapters.clear()
    adapter = _Adapter(line, context, fingerprint, endpoint)
    session.mount("http://", adapter)
    session.mount("https://", adapter)


class _Adapter(HTTPAdapter):
    def __init__(self, line: Line, context: ssl.SSLContext, fingerprint: str, endpoint: str) -> None:
        self._line = line
        self._tls: dict[str, Any] = {"ssl_context": context, "assert_fingerprint": fingerprint or None}
        self._endpoint = endpoint
        super().__init__()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, **self._tls, **kwargs)
        self.poolmanager.pool_classes_by_scheme = dict(pools(self._line))

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing to add: the context knows its authority. The bundle of requests would widen it."""

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Also used by requests_ntlm within its handshake, past the session."""
        response = super().send(request, *args, **kwargs)
        if 300 <= response.status_code < 400:
            response.close()
            raise self._off(f"redirects to another address (HTTP {response.status_code})")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            response.close()
            raise self._off("compresses its answer, which was not asked for")
        self._bound(response)
        return response

    def _bound(self, response: Response) -> None:
        stream = response.raw.stream

        def bounded(amount: int, decode_content: bool | None = None) -> Iterator[bytes]:
            total = 0
            for piece in stream(amount, decode_content=decode_content):
                total += len(piece)
                if total > MAX_REPLY:
                    response.close()
                    raise self._off("answers with more than 4 MiB at once")
                yield piece

        response.raw.stream = bounded  # type: ignore[method-assign] # requests makes the class of it

    def _off(self, what: str) -> ProtocolFault:
        return ProtocolFault(
            f"{self._endpoint} {what}: WinRM does not",
            endpoint=self._endpoint,
            next_step="see what listens on that port; connect to the recorder itself, without a proxy",
        )
