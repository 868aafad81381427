"""Which driver serves which target of a site, and how it is opened for reading or for writing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING

from ivn_provision.errors import Refused, SecretError
from ivn_provision.model.desired import Desired, desired_of
from ivn_provision.model.targets import camera_target
from ivn_provision.plan.attestations import Attestation
from ivn_provision.run.fleet.limits import STANDARD, FleetLimits
from ivn_provision.secret import Secret, SecretRef
from ivn_provision.spec.axis import AxisConnect
from ivn_provision.spec.site import Camera, Nvr, Portal, Site
from ivn_provision.transports.breaker import Account, Breaker
from ivn_provision.transports.deadline import Deadline, SiteDeadline

if TYPE_CHECKING:
    from ivn_provision.drivers.axis.logins import Refusals
    from ivn_provision.drivers.base import Reader, Writer
    from ivn_provision.drivers.portal.testing import PortalTesting
    from ivn_provision.drivers.portal.tokens import TokenSource
    from ivn_provision.drivers.xprotect_e.agent_link import AgentLink
    from ivn_provision.drivers.xprotect_e.driver import XProtectReader
    from ivn_provision.drivers.xprotect_e.image_server import Login
    from ivn_provision.drivers.xprotect_e.layout_set import Layouts
    from ivn_provision.run.portals import Portals
    from ivn_provision.transports.http import JsonClient
    from ivn_provision.transports.vapix import VapixLink

READ_SCOPE = "sites:read events:read"
WRITE_SCOPE = "sites:read events:read sites:write secrets:write"
TEST_SCOPE = "sites:read events:read tests:run"
SITE_DEADLINES = 3
E_CODE = ("xprotect-professional-", "xprotect-enterprise-")


@dataclass(slots=True)
class Opener:
    """Opens drivers. Shared by the sites of a run, for what they share of a portal; thread-safe.

    `secret` resolves references; `deadline_seconds` is for each operation on a target. All operations that read
    a site have `SITE_DEADLINES` times that together; those that write one have no such end. `limits` are of the
    whole run. `listed`: over how many sites the run is, if it only reads and takes what a portal says of them in
    one listing, up to five minutes old; 0 for a request for each site. `asks` says, by site and target, which cameras are
    asked at all. `attestations` gives
    those of a site by its name, `clock` the time by which they are weighed. `layouts` are those of recorders;
    None for those that ship with the tool. `file_edits`: may files of a real recorder be edited? `desired` says
    what a site shall be: what its file declares, or an earlier state. `writes_before`: how often the run, if it
    is resumed, has written on a site's recorder already.
    """

    secret: Callable[[SecretRef], Secret]
    run_id: str
    deadline_seconds: float = 60.0
    breaker: Breaker = field(default_factory=Breaker)
    attestations: Callable[[str], tuple[Attestation, ...]] = lambda _: ()
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    layouts: Layouts | None = None
    file_edits: bool = False
    desired: Callable[[Site], Desired] = desired_of
    writes_before: Mapping[str, int] = field(default_factory=dict)
    limits: FleetLimits = STANDARD
    listed: int = 0
    asks: Callable[[str, str], bool] = lambda _, __: True
    _refused: Refusals = field(default_factory=dict, init=False, repr=False)
    _shared: Portals | None = field(default=None, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def readers(self, site: Site) -> Mapping[str, Reader]:
        """Drivers that cannot write, by target."""
        found: dict[str, Reader] = {}
        deadline = SiteDeadline(self.deadline_seconds, SITE_DEADLINES * self.deadline_seconds)
        if site.nvr:
            found["nvr"] = self.recorder(site.name, site.nvr, deadline=deadline)
        if site.portal:
            from ivn_provision.drivers.portal.driver import PortalReader

            secret = self.secret(site.portal.auth.client_secret)
            found["portal"] = PortalReader(
                site.name,
                site.portal.account,
                self._portals().client(site.portal, deadline, deadline.waited),
                self._portals().token(site.portal, secret, READ_SCOPE),
                mails_since=self._mails_since(site),
                fleet=self._portals().fleet(site.portal, secret) if self.listed else None,
            )
        for target, camera, link in self._cameras(site, deadline):
            from ivn_provision.drivers.axis.driver import AxisReader

            found[target] = AxisReader(
                site.name, camera, link, passwords=self._camera_accounts(camera), refused=self._refused
            )
        return found

    def _cameras(
        self, site: Site, deadline: Callable[[], Deadline]
    ) -> Iterator[tuple[str, Camera, VapixLink]]:
        """The cameras that the site manages itself, each with its own line."""
        for camera in site.cameras or ():
            target = camera_target(camera.number)
            if camera.axis is not None and self.asks(site.name, target):
                yield target, camera, self.vapix(camera.axis.connect, deadline)

    def vapix(self, connect: AxisConnect, deadline: Callable[[], Deadline] | None = None) -> VapixLink:
        """The line to one camera. `deadline` gives that of each request, where it is not the opener's."""
        from ivn_provision.transports.vapix import VapixLink

        password = self.secret(connect.password)
        account = Account(f"camera account {connect.username}", password)
        endpoint = f"{connect.host}:{connect.port}"
        return VapixLink(
            connect, password, deadline or self._deadline, lambda: self.breaker.guard(account, endpoint)
        )

    def recorder(
        self,
        site: str,
        nvr: Nvr,
        *,
        logs_in: bool = True,
        deadline: Callable[[], Deadline] | None = None,
    ) -> XProtectReader:
        """The driver of a recorder, for reading; with `logs_in` declared users are tried at its image server.
        `deadline` gives that of each operation, where it is not the opener's."""
        from ivn_provision.drivers.xprotect_e.driver import XProtectReader
        from ivn_provision.drivers.xprotect_e.windows_seen import asked_of

        link = self._link(nvr, deadline)
        logins = self._logins(nvr) if logs_in else ()
        return XProtectReader(
            site,
            nvr.product,
            link,
            layouts=self.layouts,
            logins=logins,
            asked=asked_of(nvr),
            clock=self.clock,
        )

    def writers(self, site: Site) -> Mapping[str, Writer]:
        """Drivers that can write, by target."""
        found: dict[str, Writer] = {}
        if site.nvr:
            from ivn_provision.drivers.xprotect_e.driver import XProtectWriter
            from ivn_provision.drivers.xprotect_e.windows_seen import asked_of

            found["nvr"] = XProtectWriter(
                site.name,
                site.nvr.product,
                self._link(site.nvr),
                run_id=lambda: f"{self.run_id}-{site.name}",
                file_edits=self.file_edits,
                layouts=self.layouts,
                logins=self._logins(site.nvr),
                asked=asked_of(site.nvr),
                clock=self.clock,
                writes_before=self.writes_before.get(site.name, 0),
            )
        if site.portal:
            from ivn_provision.drivers.portal.driver import PortalWriter

            found["portal"] = PortalWriter(
                site.name,
                site.portal.account,
                self._client(site.portal),
                self._token(site.portal, WRITE_SCOPE),
                mails_since=self._mails_since(site),
            )
        for target, camera, link in self._cameras(site, self._deadline):
            from ivn_provision.drivers.axis.driver import AxisWriter

            found[target] = AxisWriter(
                site.name,
                camera,
                link,
                passwords=self._camera_accounts(camera),
                refused=self._refused,
                known_password=self._camera_mail(camera),
            )
        return found

    def _camera_accounts(self, camera: Camera) -> Mapping[str, Secret]:
        """Passwords of declared accounts, as far as they are at hand: a login shows whether one is right."""
        found = {}
        for user in (camera.axis.users if camera.axis else None) or ():
            with suppress(SecretError):
                found[user.name] = self.secret(user.password)
        return found

    def _camera_mail(self, camera: Camera) -> Secret | None:
        """The password of the mail account that is declared, as far as it is at hand: no camera shows one."""
        smtp = camera.axis.smtp if camera.axis else None
        if smtp is None or smtp.password is None:
            return None
        with suppress(SecretError):
            return self.secret(smtp.password)
        return None

    def testing(self, site: Site) -> PortalTesting:
        """The portal of a site for an acceptance test. Raises Refused for a site without one."""
        from ivn_provision.drivers.portal.testing import PortalTesting

        if site.portal is None:
            raise Refused(
                f"{site.name} declares no portal: nothing can be tested there",
                next_step="declare `portal` in the site file",
            )
        tokens = self._token(site.portal, TEST_SCOPE)
        return PortalTesting(site.name, site.portal.account, self._client(site.portal), tokens)

    def link(self, nvr: Nvr) -> AgentLink:
        """The way to a recorder's agent, for commands that speak to it themselves."""
        return self._link(nvr)

    def _link(self, nvr: Nvr, deadline: Callable[[], Deadline] | None = None) -> AgentLink:
        from ivn_provision.drivers.xprotect_e.agent_link import RemoteAgent
        from ivn_provision.transports.ways import way_of
        from ivn_provision.transports.winrm_settings import is_loopback

        if not nvr.product.startswith(E_CODE):
            raise Refused(
                f"there is no driver for {nvr.product} yet",
                next_step="XProtect Professional and Enterprise are supported; leave other recorders to a person",
            )
        way = way_of(nvr.connect, self.secret)
        return RemoteAgent(
            way,
            is_loopback=is_loopback(nvr.connect.host),
            deadline=deadline or self._deadline,
            guard=lambda: self.breaker.guard(way.account, way.endpoint),
        )

    def _logins(self, nvr: Nvr) -> tuple[Login, ...]:
        """Declared basic users whose password is known here: a login shows whether it is the declared one."""
        from ivn_provision.drivers.xprotect_e.image_server import Login

        port = (nvr.server_access.local_port if nvr.server_access else None) or 80
        found = []
        for user in nvr.users or ():
            if user.kind == "basic" and user.password is not None:
                with suppress(SecretError):
                    found.append(Login(user.name, self.secret(user.password), port))
        return tuple(found)

    def _mails_since(self, site: Site) -> str:
        """A mail shows something for as long as an attestation would."""
        return (self.clock() - timedelta(days=site.attestation_days)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _client(self, portal: Portal) -> JsonClient:
        return self._portals().client(portal, self._deadline)

    def _token(self, portal: Portal, scope: str) -> TokenSource:
        return self._portals().token(portal, self.secret(portal.auth.client_secret), scope)

    def _deadline(self) -> Deadline:
        return Deadline(self.deadline_seconds)

    def _portals(self) -> Portals:
        from ivn_provision.run.portals import Portals

        with self._lock:
            if self._shared is None:
                self._shared = Portals(self.breaker, self.limits, self.listed)
            return self._shared
