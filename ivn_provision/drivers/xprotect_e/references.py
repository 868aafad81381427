"""What values that point at other objects can point at once the changes are made, and who follows a new name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from ivn_provision.drivers.xprotect_e.codecs import Pointer, Pointers
from ivn_provision.drivers.xprotect_e.layout import KindLayout, Layout
from ivn_provision.drivers.xprotect_e.store import (
    REFERRED,
    Store,
    devices,
    elements,
    handle_of,
    key_of,
    title_of,
)
from ivn_provision.drivers.xprotect_e.xml_document import Element
from ivn_provision.errors import Refused
from ivn_provision.model.resource import Address
from ivn_provision.plan.plan import Action, Work


def pointers_of(store: Store, layout: Layout, work: Work, made: Mapping[Address, str]) -> Pointers:
    """What the plan matched decides. An object that the plan did not know (made by an earlier batch) counts
    if it is the only one of ours with its key.
    """
    kinds = [layout.kinds[name] for names in REFERRED.values() for name in names if name in layout.kinds]
    titles = {
        (kind.kind, handle_of(kind, each)): title_of(kind, each)
        for kind in kinds
        for each in elements(store, kind)
    }
    found = {(each.kind, each.key): handle for each, handle in work.references.items()}
    known = set(found.values())
    for kind in kinds:
        found = _fresh(store, kind, known) | found
    found |= {(address.kind, address.key): handle for address, handle in made.items()}
    names = {(address.kind, address.key): name for address, name in _new_names(layout, work).items()}

    def pointer(kind: str, key: str, handle: str) -> Pointer:
        return Pointer(handle, names.get((kind, key)) or titles.get((kind, handle)) or key)

    pairs = [(kind, key, pointer(kind, key, handle)) for (kind, key), handle in found.items()]
    return {
        "device": _devices(store, layout),
        "camera": {key: each for kind, key, each in pairs if kind in REFERRED["camera"]},
        "event": {f"{kind}/{key}": each for kind, key, each in pairs if kind in REFERRED["event"]},
    }


def _devices(store: Store, layout: Layout) -> dict[str, Pointer]:
    """By address, for the addresses that one device alone has."""
    listed = devices(store, layout)
    count = Counter(address for _, address, _ in listed)
    return {address: Pointer(guid, name) for guid, address, name in listed if address and count[address] == 1}


def _fresh(store: Store, kind: KindLayout, known: set[str]) -> dict[tuple[str, str], str]:
    """Objects of ours whose key no other bears, and whose handle the plan did not know."""
    ours = [(key_of(kind, each), handle_of(kind, each)) for each in elements(store, kind)]
    count = Counter(key for (key, owned), _ in ours if owned)
    return {
        (kind.kind, key): handle
        for (key, owned), handle in ours
        if owned and handle and handle not in known and count[key] == 1
    }


def _new_names(layout: Layout, work: Work) -> dict[Address, str]:
    """The names that objects bear after the work, of those that it makes or renames."""
    found: dict[Address, str] = {}
    for change in work.changes:
        kind = layout.kinds.get(change.address.kind)
        field = (
            next((each for each in kind.fields.values() if each.path == kind.name), None) if kind else None
        )
        if field is None or change.action is Action.DELETE:
            continue
        if change.action is not Action.UPDATE or any(each.name == field.name for each in change.fields):
            found[change.address] = str(work.desired[change.address].get(field.name, change.address.key))
    return found


def renamed(store: Store, layout: Layout, work: Work) -> Iterator[tuple[KindLayout, Element, str, str]]:
    """(kind, element, path, new name) of every text that holds the old name of an object that gets a new one.

    Raises Refused where another object bears the old name too: then nobody can tell which is meant.
    """
    new = _new_names(layout, work)
    for change in work.changes:
        kind = layout.kinds.get(change.address.kind)
        if kind is None or change.action is Action.CREATE or change.address not in new:
            continue
        old = {
            title_of(kind, each) for each in elements(store, kind) if handle_of(kind, each) == change.handle
        }
        for name in old - {new[change.address], ""}:
            for other, element, path in _by_name(store, layout, kind.kind, name):
                _refuse_twins(store, layout, kind, name)
                yield other, element, path, new[change.address]


def _by_name(
    store: Store, layout: Layout, referred: str, name: str
) -> Iterator[tuple[KindLayout, Element, str]]:
    """Every text that points by this name at a kind."""
    codecs = [codec for codec, kinds in REFERRED.items() if referred in kinds]
    for kind in layout.kinds.values():
        paths = [each.path for each in kind.fields.values() if each.by == "name" and each.codec in codecs]
        for element in elements(store, kind) if paths else ():
            for path in paths:
                if (element.value(path) or "").strip() == name:
                    yield kind, element, path


def _refuse_twins(store: Store, layout: Layout, kind: KindLayout, name: str) -> None:
    twins = [
        each
        for names in REFERRED.values()
        if kind.kind in names
        for other in names
        if other in layout.kinds
        for each in elements(store, layout.kinds[other])
        if title_of(layout.kinds[other], each) == name
    ]
    if len(twins) > 1:
        raise Refused(
            f"{len(twins)} objects on the recorder are called {name}, and others point at that name",
            where=kind.file,
            next_step="give one of them another name in the Management Application first",
        )
