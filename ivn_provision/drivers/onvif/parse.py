"""The library's objects -> frozen values. They hold what a device sent: nothing of it is trusted to be there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from ivn_provision.drivers.clock_offset import offset_of
from ivn_provision.drivers.onvif.seen import Account, DeviceClock, DeviceInformation, Encoder, Ntp, Profile
from ivn_provision.transports.masking import said

MOST = 256
"""So many items of a list are looked at."""


def device_of(answer: object) -> DeviceInformation:
    """Of `GetDeviceInformation`."""
    return DeviceInformation(
        manufacturer=_text(answer, "Manufacturer"),
        model=_text(answer, "Model"),
        firmware=_text(answer, "FirmwareVersion"),
        serial=_text(answer, "SerialNumber"),
        hardware=_text(answer, "HardwareId"),
    )


def time_of(answer: object) -> datetime | None:
    """The UTC time of `GetSystemDateAndTime`, to the second; None where there is none."""
    date, time = _at(answer, "UTCDateTime", "Date"), _at(answer, "UTCDateTime", "Time")
    year, month, day = (_whole(date, each) or 0 for each in ("Year", "Month", "Day"))
    hour, minute, second = (_whole(time, each) for each in ("Hour", "Minute", "Second"))
    if hour is None or minute is None or second is None:
        return None
    try:
        return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def clock_of(answer: object, before: datetime, after: datetime) -> DeviceClock:
    """How far it is off, asked between `before` and `after`."""
    there = time_of(answer)
    offset = offset_of(there, before, after) if there is not None else None
    return DeviceClock(offset, _text(answer, "DateTimeType"), _text(answer, "TimeZone", "TZ"))


def xaddrs_of(services: object) -> dict[str, str]:
    """Addresses by namespace, of `GetServices`."""
    found = {_text(each, "Namespace"): _text(each, "XAddr") for each in _items(services)}
    return {space: address for space, address in found.items() if space and address}


def xaddrs_of_capabilities(answer: object, media: str, deviceio: str) -> dict[str, str]:
    """The same of `GetCapabilities`, which older devices have."""
    found = {
        media: _text(answer, "Media", "XAddr"),
        deviceio: _text(answer, "Extension", "DeviceIO", "XAddr"),
    }
    return {space: address for space, address in found.items() if address}


def connectors_of(answer: object) -> int | None:
    """How many inputs the device has, of `GetCapabilities`."""
    return _whole(_at(answer, "Device", "IO"), "InputConnectors")


def profiles_of(answer: object) -> tuple[Profile, ...]:
    """Of `GetProfiles`."""
    return tuple(
        Profile(
            name=_text(each, "Name") or _text(each, "token"),
            source=_text(each, "VideoSourceConfiguration", "SourceToken"),
            encoder=_encoder(_at(each, "VideoEncoderConfiguration")),
        )
        for each in _items(answer)
    )


def _encoder(found: object) -> Encoder | None:
    if found is None:
        return None
    return Encoder(
        encoding=_text(found, "Encoding"),
        width=_whole(found, "Resolution", "Width"),
        height=_whole(found, "Resolution", "Height"),
        fps=_whole(found, "RateControl", "FrameRateLimit"),
        quality=_number(found, "Quality"),
        bitrate=_whole(found, "RateControl", "BitrateLimit"),
    )


def inputs_of(answer: object) -> int:
    """Of `GetDigitalInputs`."""
    return sum(1 for _ in _items(answer))


def ntp_of(answer: object) -> Ntp:
    """Of `GetNTP`: servers that were set, or that DHCP gave."""
    hosts = [*_items(_at(answer, "NTPManual")), *_items(_at(answer, "NTPFromDHCP"))]
    names = (
        _text(each, "DNSname") or _text(each, "IPv4Address") or _text(each, "IPv6Address") for each in hosts
    )
    return Ntp(from_dhcp=_at(answer, "FromDHCP") is True, servers=tuple(filter(None, names)))


def accounts_of(answer: object) -> tuple[Account, ...]:
    """Of `GetUsers`. A device gives no passwords, and none would be read."""
    return tuple(Account(_text(each, "Username"), _text(each, "UserLevel")) for each in _items(answer))


def _items(value: object) -> Iterator[object]:
    yield from value[:MOST] if isinstance(value, list) else ()


def _at(value: object, *names: str) -> object:
    for name in names:
        value = getattr(value, name, None)
    return value


def _text(value: object, *names: str) -> str:
    """In one line of at most 300 characters."""
    return said(_at(value, *names), ())


def _whole(value: object, *names: str) -> int | None:
    found = _at(value, *names)
    return found if isinstance(found, int) and not isinstance(found, bool) and abs(found) < 10**9 else None


def _number(value: object, *names: str) -> float | None:
    found = _at(value, *names)
    return float(found) if isinstance(found, (int, float)) and abs(found) < 10**9 else None
