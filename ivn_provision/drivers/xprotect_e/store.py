"""The recorder's files as a layout sees them: documents by path, objects of a kind, and who they are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ivn_provision.drivers.xprotect_e.layout import CONFIGURATION, KindLayout, Layout
from ivn_provision.drivers.xprotect_e.xml_document import Document, Element

MARK = "Provisioned by ivn-provision"
REFERRED: Mapping[str, tuple[str, ...]] = {
    "camera": ("camera",),
    "event": ("hardware_event", "generic_event"),
}
"""Kinds that a reference of a codec can point at."""

_GUID = re.compile(r"\{?[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}?\Z")


@dataclass(frozen=True, slots=True)
class Store:
    """Parsed files by path in small letters: Windows does not tell letters' case apart."""

    documents: Mapping[str, Document]

    @classmethod
    def of(cls, documents: Mapping[str, Document]) -> Store:
        return cls({path.lower(): document for path, document in documents.items()})

    def document(self, path: str) -> Document | None:
        return self.documents.get(path.lower())


@dataclass(frozen=True, slots=True)
class Index:
    """What references lead to, by identifier (in its bare form) and by name where only one bears it.

    `devices` gives a hardware device's address, `objects` the handle of cameras and events by codec.
    """

    devices: Mapping[str, str]
    devices_by_name: Mapping[str, str]
    objects: Mapping[str, Mapping[str, str]]
    objects_by_name: Mapping[str, Mapping[str, str]]


def elements(store: Store, kind: KindLayout) -> Iterator[Element]:
    """The elements that hold objects of a kind; none if its file is not there."""
    document = store.document(kind.file)
    if document is None:
        return
    where = (kind.where or {}).items()
    for element in document.root.all(kind.single or kind.items):
        if all((element.value(path) or "").strip() == text for path, text in where):
            yield element


def is_guid(text: str) -> bool:
    return _GUID.match(text) is not None


def bare(identifier: str) -> str:
    """A GUID without braces, in small letters; anything else as it is."""
    return identifier.strip("{}").lower() if is_guid(identifier) else identifier


def handle_of(kind: KindLayout, element: Element) -> str:
    """How the driver finds the object again: its identifier, or the kind for a singleton."""
    return kind.kind if kind.single else (element.value(kind.handle) or "").strip()


def title_of(kind: KindLayout, element: Element) -> str:
    """The name as it stands."""
    return (element.value(kind.name) or "").strip() if kind.name else ""


def key_of(kind: KindLayout, element: Element) -> tuple[str, bool]:
    """Key of an object and whether it is ours."""
    if kind.single:
        return "", True
    name = title_of(kind, element)
    if kind.marker:
        return name, MARK in (element.value(kind.marker) or "")
    if kind.naming is None:
        return name, True
    match = kind.naming.match(name)
    return (match["key"], True) if match else (name, False)


def devices(store: Store, layout: Layout) -> list[tuple[str, str, str]]:
    """(Guid, address, name) of each hardware device (`facts/xprotect-e.md`, 2.2: proven names)."""
    camera = layout.kinds.get("camera")
    document = store.document(camera.file if camera else CONFIGURATION)
    if document is None:
        return []
    paths = ("Guid", "IPAddress", "DisplayName")
    return [
        tuple((device.value(path) or "").strip() for path in paths)  # type: ignore[misc] # three paths
        for device in document.root.all("Devices/*")
    ]


def index_of(store: Store, layout: Layout) -> Index:
    """The index of what stands there now."""
    found = devices(store, layout)
    objects: dict[str, dict[str, str]] = {}
    by_name: dict[str, Mapping[str, str]] = {}
    for codec, kinds in REFERRED.items():
        pairs = [
            (handle_of(layout.kinds[name], each), title_of(layout.kinds[name], each))
            for name in kinds
            if name in layout.kinds
            for each in elements(store, layout.kinds[name])
        ]
        objects[codec] = {bare(handle): handle for handle, _ in pairs if handle}
        by_name[codec] = only((name, handle) for handle, name in pairs)
    return Index(
        devices={bare(guid): address for guid, address, _ in found},
        devices_by_name=only((name, address) for _, address, name in found),
        objects=objects,
        objects_by_name=by_name,
    )


def only(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Pairs whose first part no other has."""
    listed = list(pairs)
    count = Counter(first for first, _ in listed)
    return {first: second for first, second in listed if first and count[first] == 1}
