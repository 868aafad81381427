"""OAuth 2 client credentials: one token for all sites of a run that share a client."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field

from ivn_provision.errors import ProtocolFault, TargetError
from ivn_provision.secret import Secret
from ivn_provision.transports.breaker import Account, Breaker
from ivn_provision.transports.http import JsonClient, Reply

EARLY_SECONDS = 30.0
LONGEST_SECONDS = 86_400
_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}")  # what may stand in a header


@dataclass(slots=True)
class TokenSource:
    """Gives a bearer token and gets a new one shortly before the old one ends. Thread-safe.

    Sites that wait while one of them asks share its failure: each asking anew would add up the deadlines.
    """

    client_id: str
    client_secret: Secret
    scope: str
    breaker: Breaker
    clock: Callable[[], float] = time.monotonic
    _token: str = field(default="", init=False, repr=False)
    _until: float = field(default=0.0, init=False)
    _failure: TargetError | None = field(default=None, init=False)
    _failures: int = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def token(self, client: JsonClient) -> str:
        """A valid token, asked of the server behind `client` if there is none yet."""
        failures = self._failures
        with self._lock:
            if self._token and self.clock() < self._until:
                return self._token
            if self._failure is not None and self._failures > failures:
                raise copy(self._failure)
            try:
                self._renew(client)
            except TargetError as error:
                self._failure, self._failures = copy(error), self._failures + 1
                raise
            return self._token

    def _renew(self, client: JsonClient) -> None:
        account = Account(f"portal client {self.client_id}", self.client_secret)
        with self.breaker.guard(account, client.endpoint) as attempt:
            attempt.begin(client.new_deadline())
            body = self._asked(client).body
            attempt.proven()
        token, seconds = body.get("access_token"), body.get("expires_in", 60)
        if not isinstance(token, str) or not _TOKEN.fullmatch(token) or not isinstance(seconds, int):
            raise ProtocolFault(
                "the portal's token endpoint gave no token",
                endpoint=client.endpoint,
                next_step="check portal.url and portal.auth",
            )
        self._token = token
        lifetime = max(0, min(seconds, LONGEST_SECONDS))  # as a whole number: any may have been sent
        self._until = self.clock() + max(lifetime - EARLY_SECONDS, 1.0)

    def _asked(self, client: JsonClient) -> Reply:
        return client.request(
            "POST",
            "/oauth/token",
            form={
                "grant_type": "client_credentials",
                "client_id": self.client_id,
                "client_secret": self.client_secret,
                "scope": self.scope,
            },
        )
