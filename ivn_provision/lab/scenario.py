"""What the lab serves: plain values, no behaviour. The product's code is never imported here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

FIRST_NUMBER = 10
"""Of a site's first camera."""


@dataclass(frozen=True, slots=True)
class LabCamera:
    """A device that a technician has added to the recorder: still under the name the wizard gave it.

    With `onvif` it also speaks ONVIF, at the recorder's address; port 0 takes a free one.
    With `axis` (a profile: `5.50`, `10.12`, `11.11`, `12.9`) the lab plays the camera itself too, over VAPIX at
    `axis_host` (a loopback address, "" = the recorder's own) on ports of which 0 takes a free one.
    """

    address: str
    mac: str
    model: str = "AXIS M1034-W"
    name: str = "Camera 1"
    inputs: int = 1
    channels: int = 1
    onvif: Literal["", "http", "https"] = ""
    onvif_port: int = 0
    axis: str = ""
    axis_host: str = ""
    axis_http_port: int = 0
    axis_https_port: int = 0
    axis_username: str = "root"
    axis_password: str = "lab-only"  # noqa: S105 - replaced by a random one at `lab up`


@dataclass(frozen=True, slots=True)
class LabSite:
    """One recorder and its place in the portal, as they stand before the tool's first run.

    `host` is a loopback address of its own, so that every recorder can use the product's real ports.
    `image_port` is where the Image Server really listens (0 = a free port): the machine's own 80 is not ours to take.
    `web_port` is what the site's router forwards to it: the product's *Internet port*.
    `store` is how the recorder keeps its configuration: `b` in files that no shipped layout describes.
    `time_zone` is that of the machine's clock, whose local time stands in its mails.
    Passwords are for the lab only. `users` are basic users that the technician has created already.
    """

    key: str
    host: str = "127.0.0.1"
    http_port: int = 15985
    https_port: int = 15986
    event_port: int = 1234
    image_port: int = 0
    web_port: int = 8080
    store: Literal["a", "b"] = "a"
    product: str = "XProtect Professional 2014"
    version: str = "8.6a"
    time_zone: str = "America/New_York"
    username: str = "ivn-provision"
    password: str = "lab-only"  # noqa: S105 - never leaves loopback; replaced by a random one at `lab up`
    users: tuple[tuple[str, str, bool], ...] = (("ivnview", "lab-only", True),)
    mail_username: str = ""
    mail_password: str = "lab-only"  # noqa: S105 - likewise
    cameras: tuple[LabCamera, ...] = field(
        default=(
            LabCamera("192.168.10.61", "00408C123456", name="Camera 1"),
            LabCamera("192.168.10.62", "00408C123457", name="Camera 2"),
        )
    )


def numbered(site: LabSite) -> Iterator[tuple[int, LabCamera]]:
    """Cameras with their numbers: 10, 11, ..."""
    return enumerate(site.cameras, FIRST_NUMBER)
