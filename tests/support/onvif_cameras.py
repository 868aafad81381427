"""A lab whose cameras speak ONVIF, and what is read of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest

from ivn_provision.drivers.onvif.reading import Asked, Outcome, read_cameras
from ivn_provision.drivers.onvif.seen import (
    Account,
    DeviceClock,
    DeviceInformation,
    Encoder,
    Ntp,
    OnvifSeen,
    Profile,
)
from ivn_provision.lab.clock import Clock, system_clock
from ivn_provision.lab.lab import Lab
from ivn_provision.lab.onvif.device import Device
from ivn_provision.lab.sites import generated_sites, with_onvif
from ivn_provision.secret import Secret, SecretRef
from ivn_provision.spec.onvif import Onvif
from ivn_provision.spec.secrets import resolve
from ivn_provision.spec.site import Camera
from tests.support.world import World, own_addresses

SITE = "lab-0001"
PLACE = f"{SITE}/192.168.10.61"
"""Of camera 10."""
SEEN = OnvifSeen(
    endpoint="192.0.2.10:443",
    device=DeviceInformation("Northcam", "NC-200", "2.10.4", "00408C000161", "1.0"),
    clock=DeviceClock(0.0, "NTP", "UTC0"),
    profiles=(Profile("main", "video_0", Encoder("JPEG", 1280, 800, 8)),),
    inputs=1,
    ntp=Ntp(from_dhcp=False, servers=("time.example.org",)),
    accounts=(Account("onvif", "Administrator"),),
)
"""A camera where all is well."""


def need_library() -> None:
    """Skip where the extra is not installed."""
    pytest.importorskip(
        "onvif", reason="the extra `onvif` is not installed (pip install 'ivn-provision[onvif]')"
    )


@dataclass(slots=True)
class Cameras:
    """The cameras of one site: `read` speaks to them as a check does."""

    world: World

    @property
    def lab(self) -> Lab:
        return self.world.lab

    @property
    def device(self) -> Device:
        """That of camera 10."""
        return self.lab.assembly.onvif.devices[PLACE]

    def declared(self) -> tuple[Camera, ...]:
        return self.world.site(SITE).cameras or ()

    def read(self, *connects: Onvif, seconds: float = 20.0) -> Mapping[int, Outcome]:
        """All cameras of the site; with `connects` these instead, numbered from 0."""
        asked = [
            Asked(number, each, resolve(each.password, {}))
            for number, each in (
                enumerate(connects) if connects else ((each.number, each.onvif) for each in self.declared())
            )
            if each is not None
        ]
        return read_cameras(asked, each=seconds, together=3 * seconds, clock=lambda: datetime.now(UTC))

    def first(self, connect: Onvif | None = None, *, seconds: float = 20.0) -> Outcome:
        """What camera 10 said, or the one at `connect`."""
        found = self.declared()[0].onvif if connect is None else connect
        assert found is not None
        return self.read(found, seconds=seconds)[0]

    def connect(self) -> Onvif:
        """How camera 10 is reached."""
        found = self.declared()[0].onvif
        assert found is not None
        return found

    @contextmanager
    def fault(self, name: str) -> Iterator[None]:
        """A fault of camera 10."""
        self.lab.fault(PLACE, name)
        try:
            yield
        finally:
            self.lab.fault(PLACE, name, on=False)


@contextmanager
def onvif_cameras(
    folder: Path, scheme: Literal["http", "https"] = "https", *, clock: Clock = system_clock
) -> Iterator[Cameras]:
    """One generated site with two cameras."""
    sites = with_onvif(generated_sites(1, own_addresses()), scheme)
    with Lab(folder / "lab", sites, portal_port=0, mail_port=0, clock=clock) as lab:
        lab.write_sites(folder / "sites")
        yield Cameras(World(lab, folder / "sites"))


def secret(text: str) -> Secret:
    """A secret that no file holds."""
    return Secret(text, SecretRef("env", "ONVIF"))
