"""configuration.xml -> live resources, by a layout."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping

from ivn_provision.drivers.xprotect_e.codecs import decode
from ivn_provision.drivers.xprotect_e.layout import KindLayout, Layout
from ivn_provision.drivers.xprotect_e.xml_document import Document, Element
from ivn_provision.model.resource import Address, LiveRef, Resource, Unset, Value

MARK = "Provisioned by ivn-provision"


def resources_of(document: Document, layout: Layout, site: str) -> tuple[Resource, ...]:
    """Every object of the kinds that the layout knows."""
    devices = device_addresses(document)
    found: list[Resource] = []
    for kind in layout.kinds.values():
        found += (_resource(kind, element, site, devices) for element in elements(document, kind))
    return tuple(found)


def elements(document: Document, kind: KindLayout) -> Iterator[Element]:
    """The elements that hold objects of a kind."""
    return document.root.all(kind.single or kind.items)


def device_addresses(document: Document) -> dict[str, str]:
    """Address of each hardware device by its Guid (`facts/xprotect-e.md`, 2.2)."""
    return {
        (device.value("Guid") or "").strip(): (device.value("IPAddress") or "").strip()
        for device in document.root.all("Devices/*")
    }


def handle_of(kind: KindLayout, element: Element) -> str:
    """How the driver finds the object again: its Guid, or the kind for a singleton."""
    return kind.kind if kind.single else (element.value("Guid") or "").strip()


def key_of(kind: KindLayout, element: Element) -> tuple[str, bool]:
    """Key of an object and whether it is ours."""
    if kind.single:
        return "", True
    name = (element.value(kind.name) or "").strip()
    if kind.marker:
        return name, MARK in (element.value(kind.marker) or "")
    if kind.naming is None:
        return name, True
    match = kind.naming.match(name)
    return (match["key"], True) if match else (name, False)


def _resource(kind: KindLayout, element: Element, site: str, devices: Mapping[str, str]) -> Resource:
    key, owned = key_of(kind, element)
    return Resource(
        address=Address(site, "nvr", kind.kind, key),
        fields=fields_of(kind, element, devices),
        handle=handle_of(kind, element),
        digest=digest_of(kind, element, devices),
        owned=owned,
        title=_title(kind, element),
    )


def fields_of(kind: KindLayout, element: Element, devices: Mapping[str, str]) -> dict[str, Value]:
    """All fields of an object that the layout can read."""
    return {name: decode(layout, element, devices) for name, layout in kind.fields.items() if layout.readable}


def _title(kind: KindLayout, element: Element) -> str:
    return (element.value(kind.name) or "").strip() if kind.name else ""


def digest_of(kind: KindLayout, element: Element, devices: Mapping[str, str]) -> str:
    """SHA-256 of what was read of an object.

    Not of its bytes: these hold redacted secrets, whose keyed hash differs from one reading to the next.
    """
    fields = fields_of(kind, element, devices)
    values = {
        name: str(value) if isinstance(value, (LiveRef, Unset)) else value for name, value in fields.items()
    }
    seen = [handle_of(kind, element), _title(kind, element), values]
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()
