"""The portal's JSON objects <-> resources (`schemas/portal.openapi.yaml`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ivn_provision.errors import PlanError
from ivn_provision.model.resource import UNSET, Address, Resource, Value
from ivn_provision.plan.plan import Change
from ivn_provision.secret import Fingerprint, Secret

DEVICE = "recorder"
SITE_FIELDS = ("name", "time_zone", "location_address", "entry_delay_seconds")
NESTED = {
    "clip.pre_seconds": ("clip", "pre_seconds"),
    "clip.post_seconds": ("clip", "post_seconds"),
    "monitoring.station": ("monitoring", "station"),
    "monitoring.account_number": ("monitoring", "account_number"),
}
DEVICE_FIELDS = ("make", "model", "web_server_port", "event_server_port", "log_server_port", "username")
PIN_FIELDS = ("camera", "event_type", "label", "enabled")
WRITABLE = {
    "site": (*SITE_FIELDS, "address", "status", "clip", "monitoring", "labels"),
    "device": DEVICE_FIELDS,
    "pin": PIN_FIELDS,
}


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as the portal gave it."""

    kind: str
    key: str
    etag: str
    body: Mapping[str, Any]


def stored_of(site: Mapping[str, Any]) -> dict[str, Stored]:
    """All objects of a site's answer by handle. Raises KeyError or TypeError where one is malformed."""
    found = {"site": Stored("site", "", str(site["etag"]), site)}
    for device in site["devices"]:
        found[f"device/{device['key']}"] = Stored("device", str(device["key"]), str(device["etag"]), device)
        if device["key"] != DEVICE:
            continue
        for pin in device["alarm_inputs"]:
            key = f"{int(pin['pin'])}{ {'hardware': 'H', 'soft': 'S'}[pin['source']] }"
            found[f"pin/{key}"] = Stored("pin", key, str(pin["etag"]), pin)
    return found


def computed_of(stored: Mapping[str, Stored]) -> dict[str, str]:
    """Values that the portal generates, by `!ref` path (R-75)."""
    device = stored.get(f"device/{DEVICE}")
    return {"portal.smtp_account_id": str(device.body["smtp"]["account_id"])} if device else {}


def resources_of(site: str, stored: Mapping[str, Stored]) -> tuple[Resource, ...]:
    return tuple(_resource(site, handle, each) for handle, each in stored.items())


def _resource(site: str, handle: str, stored: Stored) -> Resource:
    ours = stored.kind != "device" or stored.key == DEVICE
    key = stored.key if stored.kind == "pin" or not ours else ""
    return Resource(
        address=Address(site, "portal", stored.kind, key),
        fields=dict(_fields(stored)),
        handle=handle,
        digest=stored.etag,
        owned=ours,
        title=str(stored.body.get("label") or stored.body.get("name") or stored.key),
    )


def _fields(stored: Stored) -> Iterator[tuple[str, Value]]:
    names = {"site": SITE_FIELDS, "device": DEVICE_FIELDS, "pin": PIN_FIELDS}[stored.kind]
    for name in names:
        yield name, _scalar(stored.body.get(name))
    if stored.kind == "site":
        for name, (outer, inner) in NESTED.items():
            yield name, _scalar((stored.body.get(outer) or {}).get(inner))
    if stored.kind == "device":
        seen = stored.body.get("password_fingerprint")
        yield (
            "password",
            Fingerprint(str(seen["salt"]), str(seen["digest"])) if isinstance(seen, dict) else UNSET,
        )


def _scalar(value: object) -> Value:
    if value is None:
        return UNSET
    if isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{type(value).__name__} where a plain value belongs")


def body_of(change: Change, fields: Mapping[str, Value], stored: Stored | None) -> dict[str, Any]:
    """The body of a PUT: what is there now, with every declared field in its place."""
    kind = change.address.kind
    body: dict[str, Any] = (
        {name: stored.body[name] for name in WRITABLE[kind] if name in stored.body} if stored else {}
    )
    for name, value in fields.items():
        if name in NESTED:
            outer, inner = NESTED[name]
            body[outer] = {**(body.get(outer) or {}), inner: value}
        elif isinstance(value, Secret):
            if stored is None or any(each.name == name for each in change.fields):
                body[name] = value.reveal()
        elif isinstance(value, (bool, int, float, str)):
            body[name] = value
        else:
            raise PlanError(f"{change.address}: {name} is not known yet", where=str(change.address))
    return body
