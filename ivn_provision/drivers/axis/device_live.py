"""Ports, stream profiles, clock and accounts of a reading as resources."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from urllib.parse import parse_qsl, quote

from ivn_provision.drivers.axis.making import Maker
from ivn_provision.drivers.axis.params import Params
from ivn_provision.drivers.axis.reading import Reading
from ivn_provision.drivers.axis.smtp import number
from ivn_provision.model.resource import UNSET, Resource, Value

_OPPOSITE = {"open": "closed", "closed": "open"}
PROFILE_FIELDS: Mapping[str, str] = {
    "codec": "videocodec",
    "resolution": "resolution",
    "compression": "compression",
    "fps": "fps",
}
_NUMBERS = frozenset({"compression", "fps"})
NO_SERVER = "0.0.0.0"  # noqa: S104 - how a camera writes that none is set


def port_resources(reading: Reading, make: Maker) -> Iterator[Resource]:
    """`IOPort.I0` is port 1 (facts/axis.md, 5.4)."""
    for index in reading.params.groups("IOPort.I"):
        group = f"IOPort.I{index}"
        yield make("io_port", str(index + 1), group, port_fields(reading.params, group))


def port_fields(known: Params, group: str) -> dict[str, Value]:
    """Fixed ports show only the half that they are (facts/axis.md, 3.3)."""
    halves = [half for half in ("Input", "Output") if known.get(f"{group}.{half}.Name") is not None]
    direction = known.text(f"{group}.Direction").lower() or (halves[0].lower() if len(halves) == 1 else "")
    if direction not in {"input", "output"}:
        return {"name": UNSET, "direction": direction or UNSET, "normal": UNSET}
    active = known.text(f"{group}.{active_name(direction)}").lower()
    name = known.get(f"{group}.{direction.capitalize()}.Name")
    return {
        "name": UNSET if name is None else name,
        "direction": direction,
        "normal": _OPPOSITE.get(active, UNSET),
    }


def active_name(direction: str) -> str:
    """The parameter that says at which state of the circuit a port is active: the opposite of its normal one.

    Inferred for outputs, as for inputs by public clients (facts/axis.md, 4).
    """
    return "Input.Trig" if direction == "input" else "Output.Active"


def active_state(normal: str) -> str:
    return _OPPOSITE[normal]


def profile_resources(reading: Reading, make: Maker, wanted: Collection[str]) -> Iterator[Resource]:
    """Those whose names were asked for; names are not unique (facts/axis.md, 3.2): the first counts."""
    for index in reading.params.groups("StreamProfile.S"):
        group = f"StreamProfile.S{index}"
        name = reading.params.get(f"{group}.Name") or ""
        if name in wanted:
            given = profile_parameters(reading.params.get(f"{group}.Parameters") or "")
            fields = {field: _profile_value(field, given.get(key)) for field, key in PROFILE_FIELDS.items()}
            yield make("stream_profile", name, group, fields, seen=given)


def profile_parameters(text: str) -> dict[str, str]:
    """As a map: the order of its keys differs by firmware."""
    return dict(parse_qsl(text, keep_blank_values=True))


def profile_text(given: Mapping[str, str]) -> str:
    return "&".join(f"{quote(name)}={quote(value)}" for name, value in given.items())


def _profile_value(field: str, text: str | None) -> Value:
    if text is None:
        return UNSET
    return number(text) if field in _NUMBERS else text


def clock_resources(reading: Reading, make: Maker) -> Iterator[Resource]:
    known = reading.params
    zone, source = known.get("Time.POSIXTimeZone"), known.get("Time.SyncSource")
    if zone is None and source is None:
        return
    fields: dict[str, Value] = {
        "posix_zone": UNSET if zone is None else zone.strip(),
        "ntp_server": _ntp(known) if source is not None else UNSET,
    }
    yield make("camera_clock", "", "Time", fields)


def _ntp(known: Params) -> str:
    if known.text("Time.SyncSource").upper() != "NTP":
        return ""
    if known.text("Time.ObtainFromDHCP").lower() == "yes":
        return "dhcp"
    server = known.text("Time.NTP.Server")
    return "" if server == NO_SERVER else server


def account_resources(reading: Reading, make: Maker, login: str) -> Iterator[Resource]:
    """The account that the tool itself uses is not listed: it must neither be changed nor removed."""
    for each in reading.accounts:
        if each.name != login:
            fields: dict[str, Value] = {"role": each.role or UNSET, "ptz": each.ptz}
            yield make("axis_user", each.name, f"user {each.name}", fields, owned=False, title=each.name)
