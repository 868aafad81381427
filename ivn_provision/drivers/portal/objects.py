"""The portal's JSON objects <-> resources (`schemas/portal.openapi.yaml`).

What the portal answers is checked before anything is made of it: a value of the wrong kind would become a
wrong plan, and an account id is where a recorder's alarm mails go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ivn_provision.errors import PlanError, ProtocolFault
from ivn_provision.model.live import Holding, Lease
from ivn_provision.model.resource import UNSET, Address, Resource, Unset, Value
from ivn_provision.plan.plan import Change
from ivn_provision.secret import Fingerprint, Secret
from ivn_provision.strict_json import Node, WrongShape, check_sound

DEVICE = "recorder"
SITE_FIELDS = ("name", "time_zone", "location_address", "entry_delay_seconds")
NESTED = {
    "clip.pre_seconds": ("clip", "pre_seconds"),
    "clip.post_seconds": ("clip", "post_seconds"),
    "monitoring.station": ("monitoring", "station"),
    "monitoring.account_number": ("monitoring", "account_number"),
}
GENERATED = frozenset({"smtp_account_id"})
DEVICE_FIELDS = ("make", "model", "web_server_port", "event_server_port", "log_server_port", "username")
PIN_FIELDS = ("camera", "event_type", "label", "enabled")

KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_ETAG = re.compile(r'"[!#-~]{1,128}"')  # RFC 9110, 8.8.3; a weak one cannot be a condition of a write
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_MAIL = re.compile(rf"(?=.{{3,254}}\Z)[A-Za-z0-9_+=-]+(?:\.[A-Za-z0-9_+=-]+)*@{_LABEL}(?:\.{_LABEL})*")
_LINE = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
_RUN = re.compile(r"[A-Za-z0-9._-]{1,120}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SOURCES = {"hardware": "H", "soft": "S"}

_Read = Callable[[Node], Any]


def _optional(read: _Read) -> _Read:
    return lambda node: None if node.is_null else read(node)


def _object(**members: _Read) -> _Read:
    return lambda node: {name: read(node[name]) for name, read in members.items()}


def _labels(node: Node) -> dict[str, str]:
    return {name: each.text() for name, each in node.members()}


def _text(node: Node) -> str:
    return node.text()


def _port(node: Node) -> int:
    return node.integer(1, 65535)


def _number(node: Node) -> int:
    """Of a pin or a camera."""
    return node.integer(1, 999)


def _seconds(node: Node) -> int:
    return node.integer(0, 86400)


def _account_id(node: Node) -> str:
    """One plain address: a second one behind a `;` would get every alarm mail too."""
    return node.text(_MAIL, "one plain e-mail address")


def _fingerprint(node: Node) -> Fingerprint:
    return Fingerprint(node["salt"].text(), node["digest"].text(_DIGEST, "64 hexadecimal digits"))


_WRITABLE: Mapping[str, Mapping[str, _Read]] = {
    "site": {
        "name": _text,
        "time_zone": _optional(_text),
        "location_address": _optional(_text),
        "entry_delay_seconds": _optional(_seconds),
        "address": _optional(_text),
        "status": _text,
        "clip": _object(pre_seconds=_seconds, post_seconds=_seconds),
        "monitoring": _optional(_object(station=_text, account_number=_text)),
        "labels": _labels,
    },
    "device": {
        "make": _text,
        "model": _text,
        "web_server_port": _optional(_port),
        "event_server_port": _optional(_port),
        "log_server_port": _optional(_port),
        "username": _optional(_text),
    },
    "pin": {
        "camera": _number,
        "event_type": _text,
        "label": _optional(_text),
        "enabled": Node.flag,
    },
}
_READ_ONLY: Mapping[str, Mapping[str, _Read]] = {
    "site": {},
    "device": {"password_fingerprint": _optional(_fingerprint), "smtp": _object(account_id=_account_id)},
    "pin": {},
}
WRITABLE = {kind: tuple(fields) for kind, fields in _WRITABLE.items()}


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as the portal gave it: `body` has what the tool knows of it, checked."""

    kind: str
    key: str
    etag: str
    body: Mapping[str, Any]


def off(error: WrongShape, endpoint: str) -> ProtocolFault:
    """The answer as a whole is refused."""
    return ProtocolFault(
        f"the portal's answer is not what its API promises: {error}",
        endpoint=endpoint,
        next_step="check portal.url and the version of the API; nothing was made of this answer",
    )


def stored_of(account: str, answer: Mapping[str, Any]) -> dict[str, Stored]:
    """All objects of the answer about the site `account`, by handle. Raises WrongShape."""
    site = Node(answer)
    check_sound(site)
    if site["key"].text() != account:
        site["key"].wrong("is not the site that was asked for")
    found = {"site": _stored("site", "", site)}
    for device in site["devices"].items():
        key = device["key"].text(KEY, "a key")
        _add(found, f"device/{key}", _stored("device", key, device), device)
        if key != DEVICE:
            continue
        for pin in device["alarm_inputs"].items():
            key = f"{_number(pin['pin'])}{_source(pin['source'])}"
            _add(found, f"pin/{key}", _stored("pin", key, pin), pin)
    return found


def _stored(kind: str, key: str, node: Node) -> Stored:
    fields = {**_WRITABLE[kind], **_READ_ONLY[kind]}
    body = {name: read(node[name]) for name, read in fields.items()}
    return Stored(kind, key, node["etag"].text(_ETAG, "a strong entity tag"), body)


def _source(node: Node) -> str:
    return _SOURCES.get(node.text()) or node.wrong("is not hardware or soft")


def _add(found: dict[str, Stored], handle: str, stored: Stored, node: Node) -> None:
    if handle in found:
        node.wrong("has the key of another one")
    found[handle] = stored


def lease_of(node: Node) -> Lease:
    """A lease as the portal shows it. Raises WrongShape."""
    return Lease(
        node["owner"].text(_LINE, "one line"),
        node["run"].text(_RUN, "the id of a run"),
        node["expires_at"].text(_TIME, "a time"),
        node["expired"].flag(),
    )


def holding_of(answer: Mapping[str, Any]) -> Holding:
    """Lease, alarm state and test of a site's answer; a portal without them holds nothing. Raises WrongShape."""
    site = Node(answer)
    lease, alarm = site.find("lease"), site.find("alarm_state")
    incident = alarm["open_incident"] if alarm is not None else None
    return Holding(
        lease=lease_of(lease) if lease is not None and not lease.is_null else None,
        armed=alarm["armed"].flag() if alarm is not None else False,
        incident=incident.text(_LINE, "one line") if incident is not None and not incident.is_null else "",
        test_until=_test_until(site.find("test_mode")),
    )


def _test_until(mode: Node | None) -> str:
    """When the site's test ends; "" while none is open."""
    if mode is None or mode.is_null or not mode["on"].flag():
        return ""
    return mode["until"].text(_TIME, "a time")


def computed_of(stored: Mapping[str, Stored]) -> dict[str, str]:
    """Values that the portal generates, by `!ref` path (R-75)."""
    device = stored.get(f"device/{DEVICE}")
    return {"portal.smtp_account_id": device.body["smtp"]["account_id"]} if device else {}


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
        title=stored.body.get("label") or stored.body.get("name") or stored.key,
    )


def _fields(stored: Stored) -> Iterator[tuple[str, Value]]:
    names = {"site": SITE_FIELDS, "device": DEVICE_FIELDS, "pin": PIN_FIELDS}[stored.kind]
    for name in names:
        yield name, _or_unset(stored.body[name])
    if stored.kind == "site":
        for name, (outer, inner) in NESTED.items():
            yield name, _or_unset((stored.body[outer] or {}).get(inner))
    if stored.kind == "device":
        yield "password", _or_unset(stored.body["password_fingerprint"])
        yield "smtp_account_id", _or_unset(stored.body["smtp"]["account_id"])


def _or_unset(value: Value) -> Value:
    return UNSET if value is None else value


def body_of(change: Change, fields: Mapping[str, Value], stored: Stored | None) -> dict[str, Any]:
    """The body of a PUT: what is there now, with every declared field in its place."""
    kind = change.address.kind
    body: dict[str, Any] = {name: stored.body[name] for name in WRITABLE[kind]} if stored else {}
    for name, value in fields.items():
        if name in GENERATED:
            continue
        if isinstance(value, Unset):
            _clear(kind, body, name)
        elif name in NESTED:
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


def _clear(kind: str, body: dict[str, Any], name: str) -> None:
    """No value: null, where the API has that; of a nested object, the whole of it. It forgets no password."""
    if name in NESTED:
        body[NESTED[name][0]] = None
    elif name in WRITABLE[kind]:
        body[name] = None
