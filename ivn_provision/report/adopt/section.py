"""What a camera has now, as the `axis:` section of a site file whose plan is empty. Pure.

What the section cannot say is told instead, and never passed over. Defaults are left out, so that a camera that is
set up as the manual says (R-67 to R-72) gives the short form.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ivn_provision.model.resource import Resource
from ivn_provision.report.adopt.mail import Mails
from ivn_provision.secret import SecretRef
from ivn_provision.spec.axis import Axis
from ivn_provision.spec.axis_fit import misfit

PARTS = ("smtp", "recipients", "action_rules", "io_ports", "image", "time")
"""The keys of a section that can be adopted, in the order in which they are written."""
_WORDS = {
    "action_rule": "action rules",
    "recipient": "recipients",
    "axis_user": "accounts",
    "camera_clock": "clock",
    "stream_profile": "stream profiles",
}
_KINDS = {"image": "stream_profile", "time": "camera_clock"}
_FIELDS = {"image": ("codec", "resolution", "compression", "fps"), "time": ("posix_zone", "ntp_server")}
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Section:
    """The keys of an `axis:` section, without `connect`; `told` is what they do not say, for people."""

    data: Json
    told: tuple[str, ...] = ()


def section_of(
    resources: Iterable[Resource],
    password: SecretRef,
    *,
    declared: Axis | None = None,
    unread: Mapping[str, str] | None = None,
    profile: str = "",
) -> Section:
    """`resources` are those of one camera; `password` is written where its mail account has one.

    Parts that `declared` has are not adopted, and what is adopted goes with them. `unread` says of kinds why the
    camera does not show them; `profile` is the name of a stream profile that was asked for.
    """
    found, told = tuple(resources), list(_unread(unread or {}))
    mails = Mails(found, password, declared)
    data = mails.data()
    told += mails.told
    for name in ("io_ports", "image", "time"):
        if declared is None or getattr(declared, name) is None:
            said = _ports(found, told) if name == "io_ports" else _single(name, found, told)
            data |= {name: said} if said else {}
    if profile and not any(each.kind == "stream_profile" for each in found):
        told.append(f"there is no stream profile {profile!r}")
    known = {each.name for each in (declared.users if declared else None) or ()}
    told += [
        f"account {each.address.key} ({each.fields.get('role')}): declare it with its password"
        for each in found
        if each.kind == "axis_user" and each.address.key not in known
    ]
    return Section({name: data[name] for name in PARTS if name in data}, tuple(dict.fromkeys(told)))


def _unread(unread: Mapping[str, str]) -> Iterator[str]:
    for reason in dict.fromkeys(unread.values()):
        kinds = [_WORDS[kind] for kind, why in unread.items() if why == reason and kind in _WORDS]
        if kinds:
            yield f"{' and '.join(kinds)} are not adopted: {reason}"


def _ports(resources: Iterable[Resource], told: list[str]) -> list[Json]:
    """Those of which anything can be said, by number."""
    said = []
    for each in sorted((one for one in resources if one.kind == "io_port"), key=_number):
        if problem := misfit("io_ports/items/properties/port", _number(each)):
            told.append(f"port {each.address.key} is left out: its number {problem}")
            continue
        fields = _set("io_ports/items", each, ("name", "direction", "normal"), told)
        if fields:
            said.append({"port": _number(each), **fields})
    return said


def _number(port: Resource) -> int:
    return int(port.address.key)


def _single(name: str, resources: Iterable[Resource], told: list[str]) -> Json:
    """`image` or `time`: at most one object."""
    found = next((each for each in resources if each.kind == _KINDS[name]), None)
    if found is None:
        return {}
    fields = _set(name, found, _FIELDS[name], told)
    if name == "time":
        return fields
    if problem := misfit("image/properties/profile", found.address.key):
        told.append(f"stream profile {found.address.key!r} is left out: its name {problem}")
        return {}
    return {"profile": found.address.key, **fields}


def _set(part: str, of: Resource, names: Iterable[str], told: list[str]) -> Json:
    """Those fields that are set and can be declared."""
    said: Json = {}
    for name in names:
        value = of.fields.get(name)
        if not isinstance(value, str | int) or value == "":
            continue
        if problem := misfit(f"{part}/properties/{name}", value):
            told.append(f"{_title(of)}: {name} {value!r} is left out: it {problem}")
        else:
            said[name] = value
    return said


def _title(of: Resource) -> str:
    return f"{of.kind.replace('_', ' ')} {of.address.key}".rstrip()
