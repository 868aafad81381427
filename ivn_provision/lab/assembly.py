"""All parts of the lab in one asyncio loop: recorders, portal, mail. `lab.Lab` is its face for other threads."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from ivn_provision.errors import LabError
from ivn_provision.lab.camera.camera import AxisCamera
from ivn_provision.lab.cameras import TARGET, Cameras, Surroundings
from ivn_provision.lab.clock import Clock
from ivn_provision.lab.loopback import free_ports, listen, require_loopback
from ivn_provision.lab.mail.sink import Account, MailSink
from ivn_provision.lab.nvr.machine import Nvr
from ivn_provision.lab.nvr.recordings import ALWAYS_SECONDS
from ivn_provision.lab.nvr.store import Edit
from ivn_provision.lab.onvif.devices import OnvifDevices, with_onvif_ports
from ivn_provision.lab.passwords import PORTAL_CLIENT, Passwords, with_passwords
from ivn_provision.lab.portal import hands
from ivn_provision.lab.portal.front import check_fault
from ivn_provision.lab.portal.objects import SmtpSettings
from ivn_provision.lab.portal.portal import Portal, unknown_site
from ivn_provision.lab.portal.store import Json
from ivn_provision.lab.portal.vantage import Recorders
from ivn_provision.lab.scenario import LabSite
from ivn_provision.lab.tls import LabTls, prepare_tls

_MAIL_HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the shared services listen; 0 takes a free port. `recorders_free` gives recorders free ports too;
    without `recorders` there are only portal and mail."""

    portal_host: str = "127.0.0.1"
    portal: int = 8443
    mail: int = 2525
    recorders_free: bool = False
    recorders: bool = True


class Assembly:
    """Made in any thread; `start`, `stop` and all else run in one loop."""

    def __init__(self, directory: Path, sites: Iterable[LabSite], ports: Ports, clock: Clock) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory, self.ports, self.clock = directory, ports, clock
        self.passwords = Passwords(directory / "secrets")
        self.sites = with_passwords(with_onvif_ports(_with_ports(sites, ports)), self.passwords)
        _check(self.sites, ports)
        hosts = {ports.portal_host, _MAIL_HOST, *(site.host for site in self.sites)}
        hosts |= {each.axis_host for site in self.sites for each in site.cameras if each.axis_host}
        self.tls: LabTls = prepare_tls(directory, hosts, clock)
        usernames = {site.key: site.mail_username for site in self.sites}
        self.smtp = SmtpSettings(_MAIL_HOST, ports.mail, "starttls", usernames)
        clients = {PORTAL_CLIENT: self.passwords.get("portal-client")}
        recorders = Recorders(self._reach, self._open_to_all, self._recorded)
        self.portal = Portal(directory / "portal.sqlite3", clients, self.smtp, clock, recorders=recorders)
        context = self.tls.server_context()
        accounts = {site.mail_username: Account(site.key, site.mail_password) for site in self.sites}
        self.mail = MailSink(accounts, context, self.portal.receive, clock)
        around = Surroundings(directory / "cameras", context, self.tls.ca_file, clock, self._camera_saw)
        self.cameras = Cameras(self.sites, around)
        self._telling: set[asyncio.Task[int]] = set()
        served = self.sites if ports.recorders else ()
        self.nvrs = {site.key: _nvr(site, directory, context, clock) for site in served}
        self.onvif = OnvifDevices(served, self.passwords, (self.tls.certificate, self.tls.key), clock)
        roots = self.tls.ca_file.read_text(encoding="ascii")
        for nvr in self.nvrs.values():
            nvr.windows.system.trusted_roots = roots

    async def start(self) -> None:
        """Everything, or nothing: what was started is stopped if the rest fails. Raises LabError."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        mail = listen(_MAIL_HOST, self.ports.mail, "the mail server", option="--mail-port")
        self.smtp.port = int(mail.getsockname()[1])
        await self.mail.start(mail)
        portal = listen(self.ports.portal_host, self.ports.portal, "the portal", option="--portal-port")
        await self.portal.start(portal, (self.tls.certificate, self.tls.key))
        for nvr in self.nvrs.values():
            await nvr.start()
        await self.onvif.start()
        await self.cameras.start()

    async def stop(self) -> None:
        """Stop all parts, whatever was started."""
        await self.cameras.stop()
        for nvr in self.nvrs.values():
            await nvr.stop()
        await self.onvif.stop()
        await self.mail.stop()
        await self.portal.stop()

    def nvr(self, site: str) -> Nvr:
        """The recorder of a site. Raises LabError."""
        if site not in self.nvrs:
            raise unknown_site(site, list(self.nvrs))
        return self.nvrs[site]

    async def fire_soft(self, site: str, pin: int) -> Json:
        """Through the portal, as its button does. Raises LabError."""
        return await hands.press_fire(self.portal.core, site, pin)

    async def fire_input(self, site: str, device: str, number: int, edge: str) -> int:
        """A device's input changes; how many events the recorder raised. Raises LabError.

        A device that is a camera of the lab (`camera-10`, or by its address) sees its own input change too.
        """
        camera = self.cameras.find(site, device)
        address = camera.camera.address if camera and TARGET.fullmatch(device) else device
        events = await self.nvr(site).fire_input(address, number, edge)
        if camera is not None:
            with contextlib.suppress(LabError):  # the recorder may know of inputs that the camera has not
                camera.fire_input(number, active=edge.casefold() == "rising", told=True)
        return events

    def _camera_saw(self, site: str, address: str, number: int, edge: str) -> None:
        """A camera changed its input by itself, so the recorder sees it too."""
        if site in self.nvrs:
            task = asyncio.get_running_loop().create_task(self.nvrs[site].fire_input(address, number, edge))
            self._telling.add(task)
            task.add_done_callback(self._told)

    def _told(self, task: asyncio.Task[int]) -> None:
        self._telling.discard(task)
        if not task.cancelled():
            task.exception()  # a recorder that does not know the device has nothing to raise

    def tamper(self, site: str, kind: str, key: str, fields: Mapping[str, str]) -> None:
        """A person changes something on the recorder, or (`site`, `device`, `pin`) in the portal. Raises LabError."""
        camera, of_camera = self._of_camera(site, kind)
        if camera is not None:
            camera.tamper(of_camera, key, dict(fields))
        elif kind in hands.KINDS:
            hands.tamper(self.portal.core, site, kind, key, fields)
        elif kind == "onvif":
            self.onvif.device(site, key).tamper(fields)
        else:
            self.nvr(site).tamper(kind, key, fields)

    def remove(self, site: str, kind: str, key: str) -> None:
        """A person deletes something. Raises LabError."""
        camera, of_camera = self._of_camera(site, kind)
        if camera is not None:
            camera.remove(of_camera, key)
        elif kind in hands.KINDS:
            hands.remove(self.portal.core, site, kind, key)
        else:
            self.nvr(site).remove(kind, key)

    def _of_camera(self, site: str, kind: str) -> tuple[AxisCamera | None, str]:
        """`camera-10/rule` is a rule of a camera; None for what is none of a camera. Raises LabError."""
        camera, slash, rest = kind.partition("/")
        return (self.cameras.get(site, camera), rest) if slash and TARGET.fullmatch(camera) else (None, kind)

    def fault(self, place: str, name: str, *, on: bool) -> None:
        """Switch a fault of `portal`, `mail`, a site's recorder, its camera (`SITE/camera-10`) or a camera that speaks
        ONVIF (`SITE/ADDRESS`). Raises LabError."""
        if place == "portal":
            check_fault(name)
            (self.portal.faults.add if on else self.portal.faults.discard)(name)
        elif place == "mail":
            self.mail.fault(name, on=on)
        elif name.startswith("onvif-"):
            self.onvif.device(*place.partition("/")[::2]).fault(name, on=on)
        elif "/" in place:
            site, _, camera = place.partition("/")
            self.cameras.get(site, camera).fault(name, on=on)
        else:
            self.nvr(place).fault(name, on=on)

    def portal_state(self, site: str, *, armed: bool | None, incident: str | None) -> None:
        """What happens on a site, as the portal shows it; None leaves it, "" ends an incident. Raises LabError."""
        self.portal.leases.set_alarm(site, armed, incident)
        if armed is False:
            self.portal.disarmed(site)

    def gui(self, site: str, edit: Edit) -> None:
        """A person does one thing in the Management Application and saves. Raises LabError."""
        nvr = self.nvr(site)
        if edit.action in {"open", "close"}:
            nvr.open_gui(is_open=edit.action == "open")
        else:
            nvr.gui(edit)

    def _reach(self, host: str, port: int) -> tuple[str, int]:
        """The routers of the sites: the web port goes to the Image Server, every other one straight on."""
        for nvr in self.nvrs.values():
            if (nvr.site.host, nvr.site.web_port) == (host, port) and nvr.image_port:
                return host, nvr.image_port
        return host, port

    def _open_to_all(self, host: str) -> bool:
        return any(
            nvr.site.host == host and "event-port-open" in nvr.windows.faults for nvr in self.nvrs.values()
        )

    def _recorded(self, site: str, camera: int, _: datetime) -> tuple[float, float] | None:
        return self.nvrs[site].recorded(camera) if site in self.nvrs else (ALWAYS_SECONDS, ALWAYS_SECONDS)

    def set_latency(self, seconds: float) -> None:
        """Added to every request to the portal and the recorders."""
        self.portal.latency_seconds = seconds
        for nvr in self.nvrs.values():
            nvr.latency_seconds = seconds
        for _, _, camera in self.cameras:
            camera.wire.latency_seconds = seconds


def _nvr(site: LabSite, directory: Path, tls: ssl.SSLContext, clock: Clock) -> Nvr:
    zone = ZoneInfo(site.time_zone)
    # a lab that goes on with another store must not find the files of the first
    folder = site.key if site.store == "a" else f"{site.key}.{site.store}"
    return Nvr(site, directory / "recorders" / folder, tls, clock=lambda: clock().astimezone(zone))


def _with_ports(sites: Iterable[LabSite], ports: Ports) -> Iterable[LabSite]:
    for site in sites:
        require_loopback(site.host)
        if not ports.recorders_free:
            yield site
            continue
        http, https, event = free_ports(site.host, 3)
        yield replace(site, http_port=http, https_port=https, event_port=event, image_port=0)


def _check(sites: tuple[LabSite, ...], ports: Ports) -> None:
    require_loopback(ports.portal_host)
    keys = [site.key for site in sites]
    if len(set(keys)) != len(keys):
        raise LabError("two sites of the lab have the same key")
