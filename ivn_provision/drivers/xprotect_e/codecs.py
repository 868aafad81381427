"""Field codecs: text of the recorder's file <-> value of a field."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from ivn_provision.drivers.xprotect_e.layout import FieldLayout
from ivn_provision.drivers.xprotect_e.store import Index, bare, is_guid
from ivn_provision.drivers.xprotect_e.xml_document import Element
from ivn_provision.errors import Refused
from ivn_provision.model.resource import UNSET, LiveRef, Unset, Value

T = TypeVar("T")
WHAT = {"device": "hardware device", "camera": "camera", "event": "event"}


@dataclass(frozen=True, slots=True)
class Pointer:
    """What a declared value points at: identifier and name."""

    handle: str
    name: str


Pointers = Mapping[str, Mapping[str, Pointer]]
"""By codec and declared value: devices by address, cameras by number, events by kind and key."""


def decode(layout: FieldLayout, element: Element, index: Index) -> Value:
    """Value of a field of a live object; UNSET if its text is not there.

    A text that the codec does not know is shown as it is, so that it differs from everything that can be
    declared.
    """
    if layout.codec == "combination":
        return _decode_combination(layout, element)
    found = element.value(layout.path)
    if found is None:
        return layout.default if layout.default is not None else UNSET
    if layout.gate and (element.value(layout.gate) or "").strip() != "1":
        return UNSET if layout.codec == "login" else 0
    return _decode_text(layout, found if layout.codec == "lines" else found.strip(), index)


def _decode_text(layout: FieldLayout, text: str, index: Index) -> Value:
    if layout.codec == "enum":
        return _decode_enum(layout, text)
    if layout.codec == "list":
        between = layout.separator.strip() or layout.separator
        return tuple(part.strip() for part in text.split(between) if part.strip())
    if layout.codec == "device":
        table = index.devices_by_name if layout.by == "name" else index.devices
        key = text if layout.by == "name" else bare(text)
        return table.get(key, f"unknown device {text}" if text else UNSET)
    if layout.codec in WHAT:
        return _decode_reference(layout, text, index)
    plain = _DECODERS.get(layout.codec)
    return plain(text) if plain else text


def _decode_enum(layout: FieldLayout, text: str) -> Value:
    for name, stored in (layout.values or {}).items():
        if stored.strip() == text:
            return {"true": True, "false": False}.get(name, name)
    return text


def _decode_reference(layout: FieldLayout, text: str, index: Index) -> Value:
    if not text:
        return UNSET
    if layout.by == "name":
        handle = index.objects_by_name[layout.codec].get(text, text)
    else:
        handle = index.objects[layout.codec].get(bare(text), text)
    return LiveRef(handle, with_kind=layout.codec == "event")


def _number(text: str) -> Value:
    if re.fullmatch(r"-?[0-9]{1,15}", text):
        return int(text)
    return float(text) if re.fullmatch(r"-?[0-9]{1,15}\.[0-9]{1,15}", text) else text


def _channel(text: str) -> Value:
    number = _number(text)
    return number + 1 if isinstance(number, int) else text


_DECODERS: Mapping[str, Callable[[str], Value]] = {
    "bool01": lambda text: {"0": False, "1": True}.get(text, text),
    "not01": lambda text: {"0": True, "1": False}.get(text, text),
    "number": _number,
    "gated": _number,
    "channel": _channel,
    "mac": lambda text: "".join(c for c in text if c.isalnum()).upper(),
}


def _decode_combination(layout: FieldLayout, element: Element) -> Value:
    for name, texts in (layout.combination or {}).items():
        if all((element.value(path) or "").strip() == text for path, text in texts.items()):
            return name
    paths = sorted({path for texts in (layout.combination or {}).values() for path in texts})
    return " ".join(f"{path.rpartition('/')[2]}={element.value(path)}" for path in paths)


def encode(layout: FieldLayout, value: Value, pointers: Pointers) -> dict[str, str]:
    """Texts to write, by path below the object. Raises Refused where the value has no form there."""
    if isinstance(value, Unset):
        return _encode_unset(layout)
    if layout.codec == "combination":
        return dict(_stored(layout, layout.combination or {}, value))
    if layout.codec == "gated":
        return {layout.gate: "1" if value else "0", layout.path: str(value)}
    if layout.codec == "login":
        return {layout.gate: "1", layout.path: str(value)}
    return {layout.path: _encode_text(layout, value, pointers)}


def is_removed(layout: FieldLayout, value: Value) -> bool:
    """Does this value say that the field's text is not there at all?"""
    return isinstance(value, Unset) and layout.codec != "login" and layout.codec not in WHAT


def _encode_unset(layout: FieldLayout) -> dict[str, str]:
    """No value any more: a login is switched off, a pointer points at nothing."""
    return {layout.gate: "0"} if layout.codec == "login" else {layout.path: ""}


def _encode_text(layout: FieldLayout, value: Value, pointers: Pointers) -> str:
    if layout.codec == "enum":
        return _stored(layout, layout.values or {}, value)
    if layout.codec == "list":
        return layout.separator.join(str(each) for each in value) if isinstance(value, tuple) else str(value)
    if layout.codec in {"bool01", "not01"}:
        return "1" if bool(value) is (layout.codec == "bool01") else "0"
    if layout.codec == "channel":
        return str(int(str(value)) - 1)
    if layout.codec in WHAT:
        return _encode_reference(layout, value, pointers)
    return str(value)


def _stored(layout: FieldLayout, table: Mapping[str, T], value: Value) -> T:
    name = str(value).lower() if isinstance(value, bool) else str(value)
    if name not in table:
        raise Refused(
            f"the layout does not say how {layout.name}: {name} is stored",
            next_step=f"it knows {', '.join(table)}: learn the other values, or set it by hand",
        )
    return table[name]


def _encode_reference(layout: FieldLayout, value: Value, pointers: Pointers) -> str:
    pointer = pointers.get(layout.codec, {}).get(str(value))
    what = WHAT[layout.codec]
    if pointer is None:
        raise Refused(f"the recorder has no {what} {value}", next_step=f"add the {what} first")
    return pointer.name if layout.by == "name" else formed(pointer.handle, layout.form)


def formed(identifier: str, form: str) -> str:
    """An identifier in a form of the layout file: `guid`, `guid_upper`, `guid_braces`, or "" as it is."""
    if not is_guid(identifier):
        return identifier
    plain = bare(identifier)
    forms = {"guid": plain, "guid_upper": plain.upper(), "guid_braces": f"{{{plain.upper()}}}"}
    return forms.get(form, identifier)
