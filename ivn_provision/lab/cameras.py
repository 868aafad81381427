"""The Axis cameras of a lab's sites: which there are, and how they are found."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ivn_provision.errors import LabError
from ivn_provision.lab.camera.camera import AxisCamera, Setting
from ivn_provision.lab.clock import Clock
from ivn_provision.lab.loopback import is_free
from ivn_provision.lab.scenario import LabCamera, LabSite, numbered

TARGET = re.compile(r"camera-(\d{1,4})")
Seen = Callable[[str, str, int, str], None]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """`seen(site, address, input from 1, edge)` is told of inputs that a camera changes itself."""

    directory: Path
    tls: ssl.SSLContext
    ca_file: Path
    clock: Clock
    seen: Seen


class Cameras:
    """Those with a profile, by site and number. Ports that were chosen freely are the same in the next run."""

    def __init__(self, sites: tuple[LabSite, ...], around: Surroundings) -> None:
        self._file = around.directory / "ports.json"
        self._ports = _remembered(self._file)
        self._all = {
            (site.key, number): self._made(site, number, camera, around)
            for site in sites
            for number, camera in numbered(site)
            if camera.axis
        }

    def __iter__(self) -> Iterator[tuple[str, int, AxisCamera]]:
        for (site, number), camera in self._all.items():
            yield site, number, camera

    async def start(self) -> None:
        """All of them. Raises LabError; whoever calls stops what was started."""
        for site, number, camera in self:
            await camera.start()
            self._ports[f"{site}/camera-{number}"] = [camera.http_port, camera.https_port]
        if self._all:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file.write_text(json.dumps(self._ports), "utf-8")

    async def stop(self) -> None:
        """All of them, whatever was started."""
        for _, _, camera in self:
            await camera.stop()

    async def settle(self, site: str, seconds: float) -> None:
        """Wait for the mails under way of a site's cameras."""
        for key, _, camera in self:
            if key == site:
                await camera.settle(seconds)

    def get(self, site: str, which: str | int) -> AxisCamera:
        """By number, `camera-10`, address or MAC. Raises LabError."""
        found = self.find(site, which)
        if found is None:
            known = [f"{key}/camera-{number}" for key, number, _ in self]
            raise LabError(
                f"the lab has no Axis camera {site}/{which}",
                next_step=f"cameras: {', '.join(known[:20])}"
                if known
                else "start the lab with --axis PROFILE",
            )
        return found

    def find(self, site: str, which: str | int) -> AxisCamera | None:
        """The same; None if there is no such camera."""
        text = str(which)
        match = TARGET.fullmatch(text)
        number = match[1] if match else text
        mac = re.sub("[:-]", "", text).upper()
        for key, each, camera in self:
            if key == site and (
                str(each) == number or text == camera.camera.address or mac == camera.camera.mac
            ):
                return camera
        return None

    def with_ports(self, sites: tuple[LabSite, ...]) -> tuple[LabSite, ...]:
        """The sites with the ports on which their cameras really listen."""
        return tuple(
            replace(site, cameras=tuple(self._told(site, number, each) for number, each in numbered(site)))
            for site in sites
        )

    def _told(self, site: LabSite, number: int, camera: LabCamera) -> LabCamera:
        running = self._all.get((site.key, number))
        if running is None:
            return camera
        return replace(camera, axis_http_port=running.http_port, axis_https_port=running.https_port)

    def _made(self, site: LabSite, number: int, camera: LabCamera, around: Surroundings) -> AxisCamera:
        name = f"{site.key}/camera-{number}"
        host = camera.axis_host or site.host
        http, https = self._ports.get(name, [0, 0])
        kept = replace(
            camera,
            axis_http_port=camera.axis_http_port or _if_free(host, http),
            axis_https_port=camera.axis_https_port or _if_free(host, https),
        )
        file = around.directory / f"{site.key}-camera-{number}.json"
        setting = Setting(name, host, file, around.tls, around.ca_file, around.clock)
        address = camera.address
        return AxisCamera(kept, setting, lambda number, edge: around.seen(site.key, address, number, edge))


def _if_free(host: str, port: int) -> int:
    return port if port and is_free(host, port) else 0


def _remembered(file: Path) -> dict[str, list[int]]:
    try:
        found = json.loads(file.read_text("utf-8"))
        return {str(name): [int(http), int(https)] for name, (http, https) in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
