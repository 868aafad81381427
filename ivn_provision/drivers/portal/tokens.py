"""OAuth 2 client credentials: one token for all sites of a run that share a client."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ivn_provision.errors import ProtocolFault
from ivn_provision.secret import Secret
from ivn_provision.transports.breaker import Breaker
from ivn_provision.transports.http import JsonClient

EARLY_SECONDS = 30.0


@dataclass(slots=True)
class TokenSource:
    """Gives a bearer token and gets a new one shortly before the old one ends. Thread-safe."""

    client_id: str
    client_secret: Secret
    scope: str
    breaker: Breaker
    clock: Callable[[], float] = time.monotonic
    _token: str = field(default="", init=False, repr=False)
    _until: float = field(default=0.0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def token(self, client: JsonClient) -> str:
        """A valid token, asked of the server behind `client` if there is none yet."""
        with self._lock:
            if not self._token or self.clock() >= self._until:
                with self.breaker.guard(f"portal client {self.client_id}", client.endpoint):
                    self._renew(client)
            return self._token

    def _renew(self, client: JsonClient) -> None:
        reply = client.request(
            "POST",
            "/oauth/token",
            form={
                "grant_type": "client_credentials",
                "client_id": self.client_id,
                "client_secret": self.client_secret.reveal(),
                "scope": self.scope,
            },
        )
        token, seconds = reply.body.get("access_token"), reply.body.get("expires_in", 60)
        if not isinstance(token, str) or not isinstance(seconds, int):
            raise ProtocolFault(
                "the portal's token endpoint gave no token",
                endpoint=client.endpoint,
                next_step="check portal.url and portal.auth",
            )
        self._token, self._until = token, self.clock() + max(seconds - EARLY_SECONDS, 1.0)
