"""Field codecs: text of the recorder's file <-> value of a field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ivn_provision.drivers.xprotect_e.layout import FieldLayout
from ivn_provision.drivers.xprotect_e.xml_document import Element
from ivn_provision.errors import Refused
from ivn_provision.model.resource import UNSET, LiveRef, Value


@dataclass(frozen=True, slots=True)
class Guids:
    """Guids that declared values point at: devices by address, cameras and events by key."""

    devices: Mapping[str, str]
    cameras: Mapping[str, str]
    events: Mapping[str, str]


def locate(element: Element, path: str) -> Element | None:
    """An element by a path that may go up (`../../MAC`)."""
    here: Element | None = element
    while here is not None and path.startswith("../"):
        here, path = here.parent, path[3:]
    return here.find(path) if here is not None else None


def decode(layout: FieldLayout, element: Element, devices: Mapping[str, str]) -> Value:
    """Value of a field of a live object; UNSET if its element is not there.

    `devices` maps a device's Guid to its address. A text that the codec does not know is shown as it is,
    so that it differs from everything that can be declared.
    """
    if layout.codec == "combination":
        return _decode_combination(layout, element)
    found = locate(element, layout.path)
    if found is None:
        return layout.default if layout.default is not None else UNSET
    text = found.text if layout.codec == "lines" else found.text.strip()
    if layout.gate:
        gate = locate(element, layout.gate)
        if gate is None or gate.text.strip() != "1":
            return UNSET if layout.codec == "login" else 0
    return _decode_text(layout, text, devices)


def _decode_text(layout: FieldLayout, text: str, devices: Mapping[str, str]) -> Value:
    if layout.codec == "enum":
        return next((name for name, stored in (layout.values or {}).items() if stored == text), text)
    if layout.codec == "device":
        return devices.get(text, f"unknown device {text}" if text else UNSET)
    plain = _DECODERS.get(layout.codec)
    return plain(text) if plain else text


def _number(text: str) -> Value:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text


def _channel(text: str) -> Value:
    number = _number(text)
    return number + 1 if isinstance(number, int) else text


def _list(text: str) -> Value:
    return tuple(part.strip() for part in text.split(";") if part.strip())


_DECODERS: Mapping[str, Callable[[str], Value]] = {
    "bool01": lambda text: {"0": False, "1": True}.get(text, text),
    "not01": lambda text: {"0": True, "1": False}.get(text, text),
    "number": _number,
    "gated": _number,
    "channel": _channel,
    "mac": lambda text: "".join(c for c in text if c.isalnum()).upper(),
    "list": _list,
    "camera": lambda text: LiveRef(text) if text else UNSET,
    "event": lambda text: LiveRef(text, with_kind=True) if text else UNSET,
}


def _decode_combination(layout: FieldLayout, element: Element) -> Value:
    for name, texts in (layout.combination or {}).items():
        if all((element.value(path) or "").strip() == text for path, text in texts.items()):
            return name
    paths = sorted({path for texts in (layout.combination or {}).values() for path in texts})
    return " ".join(f"{path.rpartition('/')[2]}={element.value(path)}" for path in paths)


def encode(layout: FieldLayout, value: Value, guids: Guids) -> dict[str, str]:
    """Texts to write, by path below the object. Raises Refused where the value has no form there."""
    if layout.codec == "combination":
        return dict((layout.combination or {})[str(value)])
    if layout.codec == "gated":
        return {layout.gate: "1" if value else "0", layout.path: str(value)}
    if layout.codec == "login":
        return {layout.gate: "1", layout.path: str(value)}
    return {layout.path: _encode_text(layout, value, guids)}


def _encode_text(layout: FieldLayout, value: Value, guids: Guids) -> str:
    if layout.codec == "enum":
        return (layout.values or {})[str(value)]
    if layout.codec == "list":
        return ";".join(str(each) for each in value) if isinstance(value, tuple) else str(value)
    if layout.codec in {"bool01", "not01"}:
        return "1" if bool(value) is (layout.codec == "bool01") else "0"
    tables = {
        "device": (guids.devices, "hardware device"),
        "camera": (guids.cameras, "camera"),
        "event": (guids.events, "event"),
    }
    return _guid(*tables[layout.codec], value) if layout.codec in tables else str(value)


def _guid(table: Mapping[str, str], what: str, value: Value) -> str:
    guid = table.get(str(value))
    if guid is None:
        raise Refused(f"the recorder has no {what} {value}", next_step=f"add the {what} first")
    return guid
