"""The recorder's files -> live resources, by a layout."""

from __future__ import annotations

import hashlib
import json

from ivn_provision.drivers.xprotect_e.codecs import decode
from ivn_provision.drivers.xprotect_e.layout import KindLayout, Layout
from ivn_provision.drivers.xprotect_e.store import (
    Index,
    Store,
    elements,
    handle_of,
    index_of,
    key_of,
    title_of,
)
from ivn_provision.drivers.xprotect_e.xml_document import Element
from ivn_provision.model.resource import Address, LiveRef, Resource, Unset, Value


def resources_of(store: Store, layout: Layout, site: str) -> tuple[Resource, ...]:
    """Every object of the kinds that the layout knows."""
    index = index_of(store, layout)
    found: list[Resource] = []
    for kind in layout.kinds.values():
        found += (_resource(kind, element, site, index) for element in elements(store, kind))
    return tuple(found)


def _resource(kind: KindLayout, element: Element, site: str, index: Index) -> Resource:
    key, owned = key_of(kind, element)
    return Resource(
        address=Address(site, "nvr", kind.kind, key),
        fields=fields_of(kind, element, index),
        handle=handle_of(kind, element),
        digest=digest_of(kind, element, index),
        owned=owned,
        title=title_of(kind, element),
    )


def fields_of(kind: KindLayout, element: Element, index: Index) -> dict[str, Value]:
    """All fields of an object that the layout can read."""
    return {name: decode(layout, element, index) for name, layout in kind.fields.items() if layout.readable}


def digest_of(kind: KindLayout, element: Element, index: Index) -> str:
    """SHA-256 of what was read of an object.

    Not of its bytes: these hold redacted secrets, whose keyed hash differs from one reading to the next.
    """
    fields = fields_of(kind, element, index)
    values = {
        name: str(value) if isinstance(value, (LiveRef, Unset)) else value for name, value in fields.items()
    }
    seen = [handle_of(kind, element), title_of(kind, element), values]
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()
