"""Which driver serves which target of a site, and how it is opened for reading or for writing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from ivn_provision.errors import Refused
from ivn_provision.secret import Secret, SecretRef
from ivn_provision.spec.site import Nvr, Portal, Site
from ivn_provision.transports.breaker import Account, Breaker
from ivn_provision.transports.deadline import Deadline

if TYPE_CHECKING:
    from ivn_provision.drivers.base import Reader, Writer
    from ivn_provision.drivers.portal.tokens import TokenSource
    from ivn_provision.drivers.xprotect_e.agent_link import AgentLink
    from ivn_provision.transports.http import JsonClient

READ_SCOPE = "sites:read"
WRITE_SCOPE = "sites:read sites:write secrets:write"
E_CODE = ("xprotect-professional-", "xprotect-enterprise-")


@dataclass(slots=True)
class Opener:
    """Opens drivers. Shared by the sites of a run, for portal tokens; thread-safe.

    `secret` resolves references; `deadline_seconds` is for each operation on a target.
    """

    secret: Callable[[SecretRef], Secret]
    run_id: str
    deadline_seconds: float = 60.0
    breaker: Breaker = field(default_factory=Breaker)
    _tokens: dict[tuple[str, str, Secret, str], TokenSource] = field(default_factory=dict, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def readers(self, site: Site) -> Mapping[str, Reader]:
        """Drivers that cannot write, by target."""
        found: dict[str, Reader] = {}
        if site.nvr:
            from ivn_provision.drivers.xprotect_e.driver import XProtectReader

            found["nvr"] = XProtectReader(site.name, site.nvr.product, self._link(site.nvr))
        if site.portal:
            from ivn_provision.drivers.portal.driver import PortalReader

            found["portal"] = PortalReader(
                site.name,
                site.portal.account,
                self._client(site.portal),
                self._token(site.portal, READ_SCOPE),
            )
        return found

    def writers(self, site: Site) -> Mapping[str, Writer]:
        """Drivers that can write, by target."""
        found: dict[str, Writer] = {}
        if site.nvr:
            from ivn_provision.drivers.xprotect_e.driver import XProtectWriter

            found["nvr"] = XProtectWriter(
                site.name, site.nvr.product, self._link(site.nvr), run_id=lambda: f"{self.run_id}-{site.name}"
            )
        if site.portal:
            from ivn_provision.drivers.portal.driver import PortalWriter

            found["portal"] = PortalWriter(
                site.name,
                site.portal.account,
                self._client(site.portal),
                self._token(site.portal, WRITE_SCOPE),
            )
        return found

    def _link(self, nvr: Nvr) -> AgentLink:
        from ivn_provision.drivers.xprotect_e.agent_link import WinRmAgent
        from ivn_provision.transports.winrm import is_loopback, settings_of

        if not nvr.product.startswith(E_CODE):
            raise Refused(
                f"there is no driver for {nvr.product} yet",
                next_step="XProtect Professional and Enterprise are supported; leave other recorders to a person",
            )
        if nvr.connect.transport != "winrm":
            raise Refused(
                f"the transport {nvr.connect.transport} is not there yet", next_step="use transport: winrm"
            )
        if nvr.connect.password is None:
            raise Refused("nvr.connect has no password", next_step="give it a !secret reference")
        settings = settings_of(nvr.connect, self.secret(nvr.connect.password))
        account = Account(f"account {settings.username}", settings.password)
        return WinRmAgent(
            settings,
            is_loopback=is_loopback(nvr.connect.host),
            deadline=lambda: Deadline(self.deadline_seconds),
            guard=lambda: self.breaker.guard(account, settings.endpoint),
        )

    def _client(self, portal: Portal) -> JsonClient:
        from ivn_provision.transports.http import JsonClient

        return JsonClient(portal.url.rstrip("/"), portal.tls, lambda: Deadline(self.deadline_seconds))

    def _token(self, portal: Portal, scope: str) -> TokenSource:
        from ivn_provision.drivers.portal.tokens import TokenSource

        secret = self.secret(portal.auth.client_secret)
        key = (portal.url, portal.auth.client_id, secret, scope)
        with self._lock:
            if key not in self._tokens:
                self._tokens[key] = TokenSource(portal.auth.client_id, secret, scope, self.breaker)
            return self._tokens[key]
