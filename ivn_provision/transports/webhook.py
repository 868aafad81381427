"""Tells a web server something: one POST of JSON, with a deadline, and again only where nothing was taken."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

from ivn_provision.errors import DeadlineExceeded, IvnError, Refused, TlsFailed, Unreachable
from ivn_provision.spec.playbook_file import is_sound_url
from ivn_provision.spec.site import Tls
from ivn_provision.transports.tls import context_of

ATTEMPTS = 3
WAIT_SECONDS = 1.0
_NOT_TAKEN = frozenset({429, 503})
"""Answers that say that nothing was done with the request."""


class Clock(Protocol):
    """A clock, and a wait in seconds (run/watching.py)."""

    @property
    def now(self) -> Callable[[], datetime]: ...
    @property
    def sleep(self) -> Callable[[float], None]: ...


@dataclass(frozen=True, slots=True)
class Webhook:
    """`url` may be a password as a whole, so errors name its host at most; `words` stand for it if it is a secret."""

    url: str
    words: str
    clock: Clock
    ca: str = ""

    def post(self, payload: Mapping[str, Any], *, key: str, seconds: float) -> None:
        """Returns when a server took it (2xx). Redirects are not followed. `key` tells it which requests are one.

        Raises IvnError.
        """
        if not is_sound_url(self.url):
            raise Refused(
                f"{self.words or 'the URL'} is not the address of a server that can be trusted",
                next_step="https:// without user name; http:// on loopback only",
            )
        end = self.clock.now() + timedelta(seconds=seconds)
        for attempt in range(1, ATTEMPTS + 1):
            left = (end - self.clock.now()).total_seconds()
            if left <= 0:
                raise DeadlineExceeded(
                    f"{self._place} did not take the notice within {seconds:g} s", endpoint=self._place
                )
            problem = self._once(payload, key, left)
            if problem is None:
                return
            if attempt == ATTEMPTS or not problem.again:
                raise problem.error
            self.clock.sleep(min(WAIT_SECONDS * attempt, max(0.0, left)))

    @property
    def _place(self) -> str:
        return self.words or urlsplit(self.url).netloc

    def _once(self, payload: Mapping[str, Any], key: str, seconds: float) -> _Problem | None:
        import httpx

        headers = {"Content-Type": "application/json", "Idempotency-Key": key, "User-Agent": "ivn-provision"}
        verify = self._context() if self.url.startswith("https") else False
        try:
            with httpx.Client(
                timeout=seconds, follow_redirects=False, trust_env=False, verify=verify
            ) as client:
                status = client.post(
                    self.url, content=json.dumps(payload).encode(), headers=headers
                ).status_code
        except httpx.ConnectError as error:
            return self._unreached(error)
        except httpx.TimeoutException:
            text = f"{self._place} did not answer within {seconds:.0f} s"
            return _Problem(DeadlineExceeded(text, endpoint=self._place), again=False)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
            text = f"{self._place} could not be told: {type(error).__name__}"
            return _Problem(Unreachable(text, endpoint=self._place), again=False)
        if 200 <= status < 300:
            return None
        text = f"{self._place} did not take the notice (HTTP {status})"
        return _Problem(Refused(text, endpoint=self._place), again=status in _NOT_TAKEN)

    def _context(self) -> ssl.SSLContext:
        tls = Tls("ca", self.ca) if self.ca else Tls()
        return context_of(tls, endpoint=self._place, field="`ca` of the notify step")

    def _unreached(self, error: Exception) -> _Problem:
        """No connection: nothing was sent, so it can be tried again. A certificate does not become better."""
        if "CERTIFICATE" in str(error).upper():
            text = f"the certificate of {self._place} is not trusted here"
            return _Problem(TlsFailed(text, endpoint=self._place), again=False)
        return _Problem(Unreachable(f"{self._place} cannot be reached", endpoint=self._place), again=True)


@dataclass(frozen=True, slots=True)
class _Problem:
    error: IvnError
    again: bool
