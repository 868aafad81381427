"""What the sites of a run share of a portal: tokens, the pace of requests, and one reading of many sites."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from ivn_provision.drivers.portal.bulk import PortalFleet
from ivn_provision.drivers.portal.tokens import TokenSource
from ivn_provision.run.fleet.limits import FleetLimits
from ivn_provision.secret import Secret
from ivn_provision.spec.site import Portal
from ivn_provision.spec.values import Tls
from ivn_provision.transports.breaker import Breaker
from ivn_provision.transports.deadline import Deadline
from ivn_provision.transports.http import JsonClient
from ivn_provision.transports.throttle import Throttle


@dataclass(slots=True)
class Portals:
    """Thread-safe. `listed` is how many sites the run is over, where it may read them together."""

    breaker: Breaker
    limits: FleetLimits
    listed: int = 0
    _tokens: dict[tuple[str, str, Secret, str], TokenSource] = field(default_factory=dict, init=False)
    _throttles: dict[str, Throttle] = field(default_factory=dict, init=False)
    _fleets: dict[tuple[str, Tls, str, Secret], PortalFleet] = field(default_factory=dict, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def client(
        self,
        portal: Portal,
        new_deadline: Callable[[], Deadline],
        waited: Callable[[float], None] = lambda _: None,
    ) -> JsonClient:
        """A connection of its own, at the pace that all keep together."""
        url = portal.url.rstrip("/")
        return JsonClient(url, portal.tls, new_deadline, self._throttle(url), waited)

    def token(self, portal: Portal, secret: Secret, scope: str) -> TokenSource:
        """One for all sites of a client."""
        key = (portal.url, portal.auth.client_id, secret, scope)
        with self._lock:
            if key not in self._tokens:
                self._tokens[key] = TokenSource(portal.auth.client_id, secret, scope, self.breaker)
            return self._tokens[key]

    def fleet(self, portal: Portal, secret: Secret) -> PortalFleet:
        """What this client sees of the portal, for readers."""
        key = (portal.url, portal.tls, portal.auth.client_id, secret)
        with self._lock:
            if key not in self._fleets:
                self._fleets[key] = PortalFleet(self.listed)
            return self._fleets[key]

    def _throttle(self, url: str) -> Throttle:
        most = self.limits.portal_per_second
        with self._lock:
            if url not in self._throttles:
                burst = max(1, int(most)) if most is not None else 1
                self._throttles[url] = Throttle(most, burst, self.limits.per_portal)
            return self._throttles[url]
