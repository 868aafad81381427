"""What a technician does in the Management Application, done to configuration.xml: change or remove one object."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from lxml import etree

from ivn_provision.errors import LabError
from ivn_provision.lab.nvr.config_active import Unreadable, parse_document
from ivn_provision.lab.nvr.config_fields import ALIASES, COMPOUND, FIELDS, NEW_ITEMS, RECORDING, known_fields
from ivn_provision.lab.nvr.config_initial import BOM

_ITEMS = {
    "camera": "Devices/*/Cameras/*",
    "hardware_event": "Events/HardwareInputEvents/HardwareInputEvent",
    "generic_event": "Events/GenericEvents/GenericEvent",
    "alarm": "AlarmDefinitions/AlarmDefinition",
    "user": "Users/User",
}
_PIN = {"hardware_event": "H", "generic_event": "S"}
_BUFFERS = ("Storage/DbPreSecs", "Storage/DbPostSecs")
_EMPTY_TAG = re.compile(rb"<([\w.:-]+)/>")
_NUMBERED = re.compile(r"(\d{1,3}) (.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file that remembers how it was written."""

    tree: etree._ElementTree
    bom: bool
    crlf: bool

    @property
    def root(self) -> etree._Element:
        """The `config` element."""
        return self.tree.getroot()


def open_document(content: bytes) -> Document:
    """Parse the file. Raises LabError when nobody could edit it."""
    try:
        tree = parse_document(content)
    except Unreadable as error:
        raise LabError(
            f"configuration.xml cannot be opened: {error}", next_step="restore a backup of the file"
        ) from error
    return Document(tree, content.startswith(BOM), b"\r\n" in content)


def document_of(root: etree._Element) -> Document:
    """A document whose file somebody else writes."""
    return Document(root.getroottree(), bom=False, crlf=False)


def print_document(document: Document) -> bytes:
    """The file again, with its byte-order mark and line ends."""
    body = etree.tostring(document.tree, encoding="utf-8", xml_declaration=False)
    text = b'<?xml version="1.0" encoding="utf-8"?>\n' + body.rstrip(b"\n") + b"\n"
    text = _EMPTY_TAG.sub(rb"<\1 />", text)
    if document.crlf:
        text = text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return (BOM if document.bom else b"") + text


def change(document: Document, kind: str, key: str, fields: Mapping[str, str]) -> None:
    """Set fields of one object. Raises LabError naming what exists."""
    _check_kind(kind)
    change_item(document, find(document, kind, key) if kind in _ITEMS else document.root, kind, fields)


def change_item(document: Document, item: etree._Element, kind: str, fields: Mapping[str, str]) -> None:
    """Set fields of an object that was found. Raises LabError."""
    wanted = {_field_name(kind, name): value for name, value in fields.items()}
    for name, value in wanted.items():
        if name in COMPOUND.get(kind, ()):
            _change_compound(document, item, kind, name, value)
        else:
            field = FIELDS[kind][name]
            _set(item, field.path, field.encode(value))


def add(document: Document, kind: str, key: str, fields: Mapping[str, str]) -> None:
    """Make an event or an alarm of a new name. Raises LabError."""
    if kind not in NEW_ITEMS:
        raise LabError(f"{kind} cannot be added here", next_step=f"kinds: {', '.join(NEW_ITEMS)}")
    name = fields.get("name", key)
    if not name or has(document, kind, name):
        raise LabError(f"there is a {kind} {name!r} already", next_step="give a name that is not taken")
    path, _, tag = _ITEMS[kind].rpartition("/")
    parent = document.root.find(path)
    item = etree.SubElement(document.root if parent is None else parent, tag)
    for field, text in {"Guid": str(uuid.uuid4()), **NEW_ITEMS[kind]}.items():
        etree.SubElement(item, field).text = text
    change_item(document, item, kind, {**fields, "name": name})
    etree.indent(document.tree)


def remove(document: Document, kind: str, key: str) -> None:
    """Remove one object. Raises LabError naming what exists."""
    _check_kind(kind)
    if kind not in _ITEMS:
        raise LabError(f"{kind} cannot be removed", next_step=f"kinds with objects: {', '.join(_ITEMS)}")
    item = find(document, kind, key)
    _detach(item)
    if kind == "camera":
        for device in list(document.root.iterfind("Devices/*")):
            if not device.findall("Cameras/*"):
                _detach(device)


def find(document: Document, kind: str, key: str) -> etree._Element:
    """The object that a key means: a pin or number, a name, for cameras also the device's address or MAC."""
    items = document.root.findall(_ITEMS[kind])
    for matches in (_has_name, _has_number, _has_address):
        found = [item for item in items if matches(item, kind, key)]
        if found:
            return found[0]
    existing = ", ".join(repr(_name(item)) for item in items) or "none"
    raise LabError(f"there is no {kind} {key!r} on this recorder", next_step=f"there are: {existing}")


def has(document: Document, kind: str, key: str) -> bool:
    """Whether such an object exists."""
    return any(_has_name(item, kind, key) for item in document.root.findall(_ITEMS[kind]))


def _field_name(kind: str, name: str) -> str:
    known = ALIASES.get(kind, {}).get(name, name)
    if known not in known_fields(kind):
        raise LabError(f"{kind} has no field {name!r}", next_step=f"fields: {', '.join(known_fields(kind))}")
    return known


def _check_kind(kind: str) -> None:
    if kind not in FIELDS:
        raise LabError(f"there is no kind {kind!r}", next_step=f"kinds: {', '.join(FIELDS)}")


def _name(item: etree._Element) -> str:
    return item.findtext("DisplayName") or item.findtext("Name") or ""


def _has_name(item: etree._Element, _: str, key: str) -> bool:
    return _name(item) == key


def _has_number(item: etree._Element, kind: str, key: str) -> bool:
    numbered = _NUMBERED.fullmatch(_name(item))
    if numbered is None or not key.isdigit() or int(numbered.group(1)) != int(key):
        return False
    letter = _PIN.get(kind)
    return letter is None or numbered.group(2).split(" ")[0] == letter


def _has_address(item: etree._Element, kind: str, key: str) -> bool:
    if kind != "camera":
        return False
    device = device_of_camera(item)
    mac = re.sub("[:-]", "", key).upper()
    return key == device.findtext("IPAddress") or mac == (device.findtext("MAC") or "").upper()


def device_of_camera(camera: etree._Element) -> etree._Element:
    """The hardware device that a camera is a channel of."""
    device = next(camera.iterancestors("Cameras")).getparent()
    assert device is not None
    return device


def device_of(document: Document, key: str) -> etree._Element:
    """The hardware device of an address or MAC. Raises LabError."""
    mac = re.sub("[:-]", "", key).upper()
    for device in document.root.iterfind("Devices/*"):
        if key == device.findtext("IPAddress") or mac == (device.findtext("MAC") or "").upper():
            return device
    raise LabError(f"there is no device {key!r} on this recorder", next_step="give its address or MAC")


def _change_compound(document: Document, item: etree._Element, kind: str, name: str, value: str) -> None:
    if name == "label":
        _relabel(item, kind, value)
    elif name == "recording":
        _set_recording(item, value)
    elif name == "camera":
        camera = find(document, "camera", value)
        _set(item, "EmailCamera", camera.findtext("Guid") or "")
        _set(item, "DeviceGuid", device_of_camera(camera).findtext("Guid") or "")
    elif name == "device":
        _set(item, "DeviceGuid", device_of(document, value).findtext("Guid") or "")
    elif name == "source":
        _set(item, "SourceEvent", _event(document, value).findtext("Guid") or "")
    # `password` never stands in the file: the machine keeps it (machine.py).


def _relabel(item: etree._Element, kind: str, label: str) -> None:
    old = _NUMBERED.fullmatch(_name(item))
    letter = f" {_PIN[kind]}" if kind in _PIN else ""
    path = "DisplayName" if kind == "camera" else "Name"
    encode = FIELDS[kind]["name"].encode
    _set(item, path, encode(f"{old.group(1)}{letter} {label}" if old else label))


def _set_recording(camera: etree._Element, value: str) -> None:
    if value not in RECORDING:
        raise LabError(f"{value!r} is no recording mode", next_step=f"use one of {', '.join(RECORDING)}")
    for name, text in zip(("DbSaveMode", "SaveOnEvent", "SaveOnMotion"), RECORDING[value], strict=True):
        _set(camera, f"Storage/{name}", text)


def _event(document: Document, name: str) -> etree._Element:
    for kind in ("hardware_event", "generic_event"):
        if has(document, kind, name):
            return find(document, kind, name)
    raise LabError(f"there is no event named {name!r}", next_step="give the event's whole name")


def _set(item: etree._Element, path: str, text: str) -> None:
    element = item
    for name in path.split("/"):
        child = element.find(name)
        element = etree.SubElement(element, name) if child is None else child
    element.text = text
    if path in _BUFFERS:
        switch = path.replace("Storage/Db", "Storage/EnableDb")
        _set(item, switch, "1" if int(text) else "0")


def _detach(item: etree._Element) -> None:
    parent = item.getparent()
    assert parent is not None
    before = item.getprevious()
    if before is not None:
        before.tail = item.tail
    elif len(parent) == 1:
        parent.text = None
    parent.remove(item)
