"""What a person does to one object of store B in the Management Application."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import TypeAlias

from lxml import etree

from ivn_provision.errors import LabError
from ivn_provision.lab.nvr import config_edit
from ivn_provision.lab.nvr.config_active import Unreadable
from ivn_provision.lab.nvr.store_b_active import value
from ivn_provision.lab.nvr.store_b_initial import CONFIG, EVENTS, braced
from ivn_provision.lab.nvr.store_b_kinds import KINDS, Kind, put
from ivn_provision.lab.nvr.store_b_xml import Style

Roots: TypeAlias = "Mapping[Style, etree._Element]"  # noqa: SLF001 - lxml has no other name for it
_LETTERS = {"hardware_event": "H", "generic_event": "S"}
_NUMBERED = re.compile(r"(\d{1,3}) ([HS])(?: (.*))?", re.DOTALL)


def add(roots: Roots, kind_name: str, key: str, fields: Mapping[str, str]) -> None:
    """Make an object. Raises LabError for a name that is taken."""
    kind = KINDS[kind_name]
    if not kind.at:
        raise LabError(f"{kind_name} cannot be added", next_step="change it")
    name = fields.get("name", key)
    if not name or name in _names(roots, kind):
        raise LabError(f"there is a {kind_name} {name!r} already", next_step="give a name that is not taken")
    item = etree.fromstring(kind.template)
    fresh = str(uuid.uuid4())
    put(item, kind.handle, braced(fresh) if kind.braces else fresh)
    _fill(roots, item, kind_name, {**fields, "name": name})
    path, _, _ = kind.at.rpartition("/")
    parent = roots[kind.style].find(path) if path else roots[kind.style]
    if parent is None:
        raise LabError(f"{kind.style.name} has no {path}", next_step="restore a backup of it")
    parent.append(item)


def change(roots: Roots, kind_name: str, key: str, fields: Mapping[str, str]) -> None:
    """Set fields of one object. Raises LabError naming what exists."""
    kind = KINDS[kind_name]
    _fill(roots, find(roots, kind_name, key) if kind.at else roots[kind.style], kind_name, fields)


def remove(roots: Roots, kind_name: str, key: str) -> None:
    """Remove one object. Raises LabError naming what exists."""
    if not KINDS[kind_name].at:
        raise LabError(f"{kind_name} cannot be removed", next_step="change it")
    item = find(roots, kind_name, key)
    parent = item.getparent()
    assert parent is not None
    parent.remove(item)


def find(roots: Roots, kind_name: str, key: str) -> etree._Element:
    """The object of a name, or of a pin. Raises LabError naming what exists."""
    names = _names(roots, KINDS[kind_name])
    if key in names:
        return names[key]
    for name, item in names.items():
        numbered = _NUMBERED.fullmatch(name)
        if numbered and numbered[1] == key and numbered[2] == _LETTERS.get(kind_name):
            return item
    existing = ", ".join(map(repr, names)) or "none"
    raise LabError(f"there is no {kind_name} {key!r} on this recorder", next_step=f"there are: {existing}")


def _names(roots: Roots, kind: Kind) -> dict[str, etree._Element]:
    try:
        return {value(item, kind.name): item for item in roots[kind.style].iterfind(kind.at)}
    except Unreadable as error:
        raise LabError(
            f"{kind.style.name} cannot be edited: {error}", next_step="restore a backup"
        ) from error


def _fill(roots: Roots, item: etree._Element, kind_name: str, fields: Mapping[str, str]) -> None:
    kind = KINDS[kind_name]
    for name, given in fields.items():
        if name in kind.compound:
            _compound(roots, item, kind_name, name, given)
        elif name in kind.fields:
            path, encode = kind.fields[name]
            put(item, path, encode(given))
        else:
            raise LabError(
                f"{kind_name} has no field {name!r}", next_step=f"fields: {', '.join(kind.known_fields)}"
            )


def _compound(roots: Roots, item: etree._Element, kind_name: str, name: str, given: str) -> None:
    config = config_edit.document_of(roots[CONFIG])
    if name == "label":
        old = _NUMBERED.fullmatch(value(item, KINDS[kind_name].name))
        put(item, KINDS[kind_name].name, f"{old[1]} {old[2]} {given}" if old else given)
    elif name == "camera":
        camera = config_edit.find(config, "camera", given)
        put(item, "Reaction/EMail/@Image", braced(camera.findtext("Guid") or ""))
        put(item, "Source/@Device", braced(config_edit.device_of_camera(camera).findtext("Guid") or ""))
    elif name == "device":
        put(item, "Source/@Device", braced(config_edit.device_of(config, given).findtext("Guid") or ""))
    elif name == "source":
        put(item, "Source/Message/@Ref", _event(roots, given))
    elif name == "login" and given.strip().casefold() in {"0", "false", "no", "off"}:
        put(item, "smtp/login/@account", "")
    # `password` is kept by the machine; store_b.py writes something unreadable in its place


def _event(roots: Roots, name: str) -> str:
    for kind_name in _LETTERS:
        found = _names(roots, KINDS[kind_name]).get(name)
        if found is not None:
            return value(found, KINDS[kind_name].handle)
    raise LabError(
        f"there is no event named {name!r} in {EVENTS.name}", next_step="give the event's whole name"
    )
