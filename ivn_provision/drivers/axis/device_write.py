"""Ports, stream profiles, clock and accounts as requests. Pure; what is refused is refused before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ivn_provision.drivers.axis import accounts, json_api, params
from ivn_provision.drivers.axis.device_live import (
    PROFILE_FIELDS,
    active_name,
    active_state,
    port_fields,
    profile_parameters,
    profile_text,
)
from ivn_provision.drivers.axis.params import Params
from ivn_provision.errors import Refused
from ivn_provision.model.resource import UNSET, Value
from ivn_provision.secret import Secret
from ivn_provision.transports.vapix import Asked

_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,32}")
_HOST = re.compile(r"[A-Za-z0-9:.-]{1,253}")
_TEMPLATE = "streamprofile"
_DESCRIPTION = "Made by ivn-provision"


def port_pairs(group: str, direction: str, fields: Mapping[str, Value]) -> list[tuple[str, str]]:
    """Parameters of one port, its direction first: it decides which half the others belong to."""
    pairs = [(f"{group}.Direction", direction)] if "direction" in fields else []
    if "name" in fields:
        pairs.append((f"{group}.{direction.capitalize()}.Name", str(fields["name"])))
    if "normal" in fields:
        pairs.append((f"{group}.{active_name(direction)}", active_state(str(fields["normal"]))))
    return pairs


def set_port(number: int, fields: Mapping[str, Value]) -> Asked:
    """For firmware with the port API; `number` counts from 1, the API from 0."""
    names = {"name": "name", "direction": "direction", "normal": "normalState"}
    port = {"port": str(number - 1), **{names[name]: str(value) for name, value in fields.items()}}
    return json_api.call(json_api.PORTS, "setPorts", {"ports": [port]}, writes=True)


def check_port(key: str, fields: Mapping[str, Value], known: Params, endpoint: str) -> None:
    """Raises Refused for a port that the camera does not have, or whose direction is fixed."""
    group = f"IOPort.I{int(key) - 1}" if key.isdecimal() else ""
    if not group or int(key) - 1 not in known.groups("IOPort.I"):
        raise Refused(
            f"the camera has no I/O port {key}",
            endpoint=endpoint,
            next_step=f"correct the number in the site file: it has {len(known.groups('IOPort.I'))}",
        )
    fixed = known.text(f"{group}.Configurable").lower() == "no"
    if fixed and fields.get("direction", UNSET) not in {UNSET, port_fields(known, group)["direction"]}:
        raise Refused(
            f"I/O port {key} cannot be made an {fields['direction']}: its direction is fixed",
            endpoint=endpoint,
            next_step="leave the direction out, or use another port",
        )


def profile_values(fields: Mapping[str, Value]) -> dict[str, str]:
    """Fields as parameters of a profile. Raises Refused for a value that could be several."""
    found: dict[str, str] = {}
    for name, key in PROFILE_FIELDS.items():
        value = fields.get(name, UNSET)
        if value is None or value == UNSET:
            continue
        if not _PLAIN.fullmatch(str(value)):
            raise Refused(
                f"image.{name} has signs that a stream profile cannot have",
                where=f"image.{name}",
                next_step="write it as the camera does: letters, digits, dots and hyphens",
            )
        found[key] = str(value)
    return found


def profile_pairs(group: str, known: Params, fields: Mapping[str, Value]) -> list[tuple[str, str]]:
    """The one parameter of a profile; what a site does not declare stays in it."""
    present = profile_parameters(known.get(f"{group}.Parameters") or "")
    return [(f"{group}.Parameters", profile_text({**present, **profile_values(fields)}))]


def add_profile(name: str, fields: Mapping[str, Value]) -> Asked:
    values = {"Name": name, "Description": _DESCRIPTION, "Parameters": profile_text(profile_values(fields))}
    return params.add_form(_TEMPLATE, "StreamProfile", "S", values).post(params.PATH)


def check_room(known: Params, endpoint: str) -> None:
    """Raises Refused where no further profile can be made."""
    most, there = known.text("StreamProfile.MaxGroups"), len(known.groups("StreamProfile.S"))
    if most.isdecimal() and there >= int(most):
        raise Refused(
            f"the camera has {there} stream profiles, and no room for another",
            endpoint=endpoint,
            next_step="remove one on the camera's own pages",
        )


def clock_pairs(fields: Mapping[str, Value]) -> list[tuple[str, str]]:
    """Raises Refused for a server that is no host."""
    pairs = []
    if "posix_zone" in fields:
        pairs.append(("Time.POSIXTimeZone", str(fields["posix_zone"])))
    if "ntp_server" in fields:
        server = str(fields["ntp_server"])
        if not server:
            return [*pairs, ("Time.SyncSource", "None")]
        pairs.append(("Time.SyncSource", "NTP"))
        if server == "dhcp":
            return [*pairs, ("Time.ObtainFromDHCP", "yes")]
        if not _HOST.fullmatch(server):
            raise Refused(
                "time.ntp_server is no host", where="time.ntp_server", next_step="write a name or address"
            )
        pairs += [("Time.ObtainFromDHCP", "no"), ("Time.NTP.Server", server)]
    return pairs


def check_account(key: str, login: str, password: Value, endpoint: str) -> None:
    """Raises Refused for an account that the camera would refuse, and for the one that we log in with."""
    if key == login:
        raise Refused(
            f"{key} is the account that axis.connect logs in with: it is not managed",
            endpoint=endpoint,
            next_step="take it out of axis.users",
        )
    if not accounts.NAME.fullmatch(key):
        raise Refused(
            f"{key!r} cannot be the name of an account on a camera",
            endpoint=endpoint,
            next_step="names are 1 to 14 letters and digits, without accents",
        )
    if isinstance(password, Secret):
        plain = password.reveal()
        if not plain or not plain.isascii() or not plain.isprintable():
            raise Refused(
                f"the password of {key} is not made of plain ASCII letters and signs",
                endpoint=endpoint,
                next_step="choose another one: what a camera makes of others is unknown",
            )
