"""All cameras of a lab that speak ONVIF, by their place: `SITE/ADDRESS`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ivn_provision.errors import LabError
from ivn_provision.lab.clock import Clock
from ivn_provision.lab.loopback import free_port, listen
from ivn_provision.lab.onvif.device import USERNAME, Device, Settings
from ivn_provision.lab.onvif.front import Front
from ivn_provision.lab.onvif.soap import Tokens
from ivn_provision.lab.passwords import Passwords
from ivn_provision.lab.scenario import LabCamera, LabSite
from ivn_provision.lab.server import AsgiServer


def with_onvif_ports(sites: Iterable[LabSite]) -> tuple[LabSite, ...]:
    """The sites; each camera that speaks ONVIF has a free port at its recorder's address."""
    return tuple(
        replace(site, cameras=tuple(_with_port(site.host, camera) for camera in site.cameras))
        for site in sites
    )


def _with_port(host: str, camera: LabCamera) -> LabCamera:
    return replace(camera, onvif_port=free_port(host)) if camera.onvif and not camera.onvif_port else camera


@dataclass(slots=True)
class _Served:
    device: Device
    front: Front
    host: str
    port: int
    tls: tuple[Path, Path] | None
    server: AsgiServer | None = None


class OnvifDevices:
    """Started and stopped with the lab."""

    def __init__(
        self, sites: Iterable[LabSite], passwords: Passwords, tls: tuple[Path, Path], clock: Clock
    ) -> None:
        self._served = {
            f"{site.key}/{camera.address}": _served(site, camera, passwords, tls, clock)
            for site in sites
            for camera in site.cameras
            if camera.onvif
        }

    @property
    def devices(self) -> Mapping[str, Device]:
        """By place."""
        return {place: each.device for place, each in self._served.items()}

    def device(self, site: str, address: str) -> Device:
        """Raises LabError."""
        found = self._served.get(f"{site}/{address}")
        if found is None:
            known = ", ".join(self._served) or "none; see `lab up --onvif`"
            raise LabError(
                f"{site} has no camera {address!r} that speaks ONVIF", next_step=f"there are: {known}"
            )
        return found.device

    async def start(self) -> None:
        """Raises LabError."""
        for place, each in self._served.items():
            sock = listen(each.host, each.port, f"the camera {place}")
            each.server = AsgiServer(each.front.app, sock, each.tls)
            await each.server.start()

    async def stop(self) -> None:
        for each in self._served.values():
            if each.server is not None:
                await each.server.stop()


def _served(
    site: LabSite, camera: LabCamera, passwords: Passwords, tls: tuple[Path, Path], clock: Clock
) -> _Served:
    password = passwords.get(f"{site.key}-onvif")
    origin = f"{camera.onvif}://{site.host}:{camera.onvif_port}"
    device = Device(camera.mac, origin, clock, Tokens(USERNAME, password), Settings(inputs=camera.inputs))
    front = Front(device, password)
    return _Served(device, front, site.host, camera.onvif_port, tls if camera.onvif == "https" else None)
