"""What a camera said over ONVIF: frozen values. None means that it was not read; `missing` says why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DeviceInformation:
    """As the device calls itself."""

    manufacturer: str
    model: str
    firmware: str
    serial: str
    hardware: str

    def __str__(self) -> str:
        name = " ".join(filter(None, (self.manufacturer, self.model))) or "a device without a name"
        return f"{name}, firmware {self.firmware or 'unknown'}"


@dataclass(frozen=True, slots=True)
class Encoder:
    """`encoding` is ONVIF's word: `JPEG`, `MPEG4`, `H264`. `fps` is the limit that is set, `bitrate` in kbit/s."""

    encoding: str
    width: int | None
    height: int | None
    fps: int | None
    quality: float | None = None
    bitrate: int | None = None

    def __str__(self) -> str:
        size = f"{self.width}x{self.height}" if self.width and self.height else "unknown size"
        return f"{self.encoding or 'unknown codec'} {size} at {self.fps if self.fps is not None else '?'} fps"


@dataclass(frozen=True, slots=True)
class Profile:
    """A media profile; `source` is the token of its video source."""

    name: str
    source: str
    encoder: Encoder | None


@dataclass(frozen=True, slots=True)
class DeviceClock:
    """`offset`: seconds that the device's clock is ahead (behind: negative), as far as that is certain; None where
    it said no time. `source` is ONVIF's word: `NTP` or `Manual`."""

    offset: float | None
    source: str = ""
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Ntp:
    """Where the device's time comes from."""

    from_dhcp: bool
    servers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Account:
    """An account on the device: `level` is ONVIF's word, such as `Administrator`."""

    name: str
    level: str


@dataclass(frozen=True, slots=True)
class OnvifSeen:
    """One camera. `inputs` is how many digital inputs it has.

    `other_hosts` are those that the device names as its own and that were not used: the declared one was.
    """

    endpoint: str
    device: DeviceInformation
    clock: DeviceClock
    profiles: tuple[Profile, ...] | None = None
    inputs: int | None = None
    ntp: Ntp | None = None
    accounts: tuple[Account, ...] | None = None
    other_hosts: tuple[str, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
