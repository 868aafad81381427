"""Tells a web server something: one POST of JSON, with a deadline, and again only where nothing was taken."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ivn_provision.errors import DeadlineExceeded, IvnError, Refused, TlsFailed, Unreachable
from ivn_provision.spec.playbook_file import is_sound_url
from ivn_provision.spec.values import Tls
from ivn_provision.transports.deadline import Deadline
from ivn_provision.transports.line import CONNECT_SECONDS, Line
from ivn_provision.transports.tls import context_of

ATTEMPTS = 3
WAIT_SECONDS = 1.0
_NOT_TAKEN = frozenset({429, 503})
"""Answers that say that nothing was done with the request."""


@dataclass(frozen=True, slots=True)
class _Problem:
    error: IvnError
    again: bool = False


@dataclass(frozen=True, slots=True)
class Webhook:
    """`url` may be a password as a whole, so errors name its host at most; `words` stand for it if it is a secret.

    `ca` is a file (PEM) that verifies the server, "" for those of the machine.
    """

    url: str
    words: str
    sleep: Callable[[float], None]
    ca: str = ""

    def post(self, payload: Mapping[str, Any], *, key: str, seconds: float) -> None:
        """Returns when a server took it (2xx). Redirects are not followed. `key` tells it which requests are one.

        Raises IvnError, at the latest after so many seconds.
        """
        if not is_sound_url(self.url):
            raise Refused(
                f"{self.words or 'the URL'} is not the address of a server that can be trusted",
                next_step="https:// without user name; http:// on loopback only",
            )
        deadline = Deadline(seconds)
        for attempt in range(1, ATTEMPTS + 1):
            problem = self._once(payload, key, deadline)
            if problem is None:
                return
            wait = WAIT_SECONDS * attempt
            if not problem.again or attempt == ATTEMPTS or deadline.earlier(wait).over:
                raise problem.error
            self.sleep(wait)

    @property
    def _place(self) -> str:
        return self.words or urlsplit(self.url).netloc

    def _once(self, payload: Mapping[str, Any], key: str, deadline: Deadline) -> _Problem | None:
        import httpx

        try:
            status = self._status(json.dumps(payload).encode(), key, deadline)
        except httpx.ConnectError as error:
            return self._unreached(error, deadline)
        except (httpx.TimeoutException, DeadlineExceeded):
            return self._late(deadline)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
            if deadline.over:
                return self._late(deadline)
            text = f"{self._place} could not be told: {type(error).__name__}"
            return _Problem(Unreachable(text, endpoint=self._place))
        if 200 <= status < 300:
            return None
        text = f"{self._place} did not take the notice (HTTP {status})"
        return _Problem(Refused(text, endpoint=self._place), again=status in _NOT_TAKEN)

    def _status(self, body: bytes, key: str, deadline: Deadline) -> int:
        """The status of the answer; the rest of it is not read."""
        import httpx

        headers = {"Content-Type": "application/json", "Idempotency-Key": key, "User-Agent": "ivn-provision"}
        line, left = Line(), deadline.left()

        def trace(event: str, info: Mapping[str, Any]) -> None:
            if event == "connection.connect_tcp.complete":
                line.carry(info["return_value"].get_extra_info("socket"))

        timeout = httpx.Timeout(left, connect=min(CONNECT_SECONDS, left))
        try:
            with (
                line.until(deadline),
                httpx.Client(verify=self._context(), trust_env=False, follow_redirects=False) as client,
                client.stream(
                    "POST",
                    self.url,
                    content=body,
                    headers=headers,
                    timeout=timeout,
                    extensions={"trace": trace},
                ) as reply,
            ):
                return reply.status_code
        finally:
            line.close()

    def _context(self) -> ssl.SSLContext:
        tls = Tls("ca", self.ca) if self.ca else Tls()
        return context_of(tls, endpoint=self._place, field="`ca` of the notify step")

    def _late(self, deadline: Deadline) -> _Problem:
        text = f"{self._place} did not take the notice within {deadline.seconds:g} s"
        return _Problem(DeadlineExceeded(text, endpoint=self._place))

    def _unreached(self, error: Exception, deadline: Deadline) -> _Problem:
        """No connection: nothing was sent, so it can be tried again. A certificate does not become better."""
        if deadline.over:
            return self._late(deadline)
        if "CERTIFICATE" in str(error).upper():
            text = f"the certificate of {self._place} is not trusted here"
            return _Problem(TlsFailed(text, endpoint=self._place))
        return _Problem(Unreachable(f"{self._place} cannot be reached", endpoint=self._place), again=True)
