"""Planned changes -> splices of configuration.xml. Pure: a document and changes in, splices out.

All splices refer to the file as it was read. Objects that are made get their Guid beforehand, so that an
alarm can point at an event of the same apply.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ivn_provision.drivers.xprotect_e.codecs import Guids, encode, locate
from ivn_provision.drivers.xprotect_e.layout import KindLayout, Layout
from ivn_provision.drivers.xprotect_e.live import elements, handle_of, key_of
from ivn_provision.drivers.xprotect_e.xml_document import (
    Document,
    Element,
    Splice,
    append_children,
    remove,
    set_text,
    text_of,
)
from ivn_provision.errors import Conflict, Refused
from ivn_provision.model.resource import Address, Value
from ivn_provision.plan.plan import Action, Change

Fields = Mapping[Address, Mapping[str, Value]]


def new_guid() -> str:
    return str(uuid.uuid4())


@dataclass(slots=True)
class _Edits:
    """What collects while changes are worked out: plain splices, and children by parent."""

    document: Document
    layout: Layout
    guids: Guids
    made: Mapping[Address, str]
    splices: list[Splice] = field(default_factory=list)
    children: dict[int, tuple[Element, list[list[str]]]] = field(default_factory=dict)

    def append(self, parent: Element, lines: list[str]) -> None:
        self.children.setdefault(id(parent), (parent, []))[1].append(lines)

    def all(self) -> list[Splice]:
        added = [append_children(self.document, parent, lines) for parent, lines in self.children.values()]
        return sorted(self.splices + added)


def splices_for(
    document: Document,
    layout: Layout,
    changes: Sequence[Change],
    desired: Fields,
    *,
    guid: Callable[[], str] = new_guid,
) -> list[Splice]:
    """The edits that make `changes`. Raises Conflict or Refused before anything is written."""
    made = {change.address: guid() for change in changes if change.action is Action.CREATE}
    # A replaced object keeps its Guid, so that what points at it (an alarm's source) still does.
    made |= {change.address: change.handle for change in changes if change.action is Action.REPLACE}
    edits = _Edits(document, layout, _guids(document, layout, changes, made), made)
    for change in changes:
        _work_out(edits, change, desired)
    return edits.all()


def _guids(
    document: Document, layout: Layout, changes: Sequence[Change], made: Mapping[Address, str]
) -> Guids:
    """What values that point at other objects can point at, once the changes are made."""
    cameras: dict[str, str] = {}
    events: dict[str, str] = {}
    after = {change.handle: change.address.key for change in changes if change.handle}
    for name in ("camera", "hardware_event", "generic_event"):
        kind = layout.kinds[name]
        for element in elements(document, kind):
            handle = handle_of(kind, element)
            key, owned = key_of(kind, element)
            if handle in after or owned:
                table, prefix = (cameras, "") if name == "camera" else (events, f"{name}/")
                table[prefix + after.get(handle, key)] = handle
    events |= {f"{address.kind}/{address.key}": guid for address, guid in made.items()}
    devices = {
        (each.value("IPAddress") or "").strip(): (each.value("Guid") or "").strip()
        for each in document.root.all("Devices/*")
    }
    return Guids(devices, cameras, events)


def _work_out(edits: _Edits, change: Change, desired: Fields) -> None:
    kind = edits.layout.kinds[change.address.kind]
    if change.action is Action.CREATE:
        _create(edits, kind, change.address, desired[change.address])
        return
    element = _find(edits.document, kind, change)
    if change.action is Action.DELETE:
        edits.splices.append(remove(edits.document, element))
    elif change.action is Action.REPLACE:
        edits.splices.append(remove(edits.document, element))
        _create(edits, kind, change.address, desired[change.address])
    else:
        values = desired[change.address]
        _update(edits, kind, element, {each.name: values[each.name] for each in change.fields})


def _find(document: Document, kind: KindLayout, change: Change) -> Element:
    for element in elements(document, kind):
        if handle_of(kind, element) == change.handle:
            return element
    raise Conflict(
        f"{change.address} is no longer on the recorder",
        where=str(change.address),
        next_step="make a new plan",
    )


def _texts(edits: _Edits, kind: KindLayout, values: Mapping[str, Value]) -> dict[str, str]:
    """Texts by path for the managed fields among `values`."""
    texts: dict[str, str] = {}
    for name, value in values.items():
        if kind.fields[name].managed:
            texts |= encode(kind.fields[name], value, edits.guids)
    return texts


def _update(edits: _Edits, kind: KindLayout, element: Element, values: Mapping[str, Value]) -> None:
    for path, text in _texts(edits, kind, values).items():
        found = locate(element, path)
        if found is None:
            folder, _, tag = path.rpartition("/")
            parent = _parent(locate(element, folder), folder)
            edits.append(parent, [f"<{tag}>{text_of(text)}</{tag}>"])
        elif found.text != text:
            edits.splices.append(set_text(edits.document, found, text))


def _parent(found: Element | None, path: str) -> Element:
    if found is None:
        raise Refused(
            f"the recorder's file has no <{path}>",
            next_step="make and save one such object in the Management Application, then plan again",
        )
    return found


def _create(edits: _Edits, kind: KindLayout, address: Address, values: Mapping[str, Value]) -> None:
    """A new object by the kind's template, at the end of its list."""
    folder, _, tag = kind.items.rpartition("/")
    texts = {"Name": address.key, **(kind.constants or {}), **_texts(edits, kind, values)}
    texts["Guid"] = edits.made[address]
    inner = [f"  <{each}>{text_of(texts.get(each, ''))}</{each}>" for each in kind.template]
    parent = _parent(edits.document.root.find(folder), folder)
    edits.append(parent, [f"<{tag}>", *inner, f"</{tag}>"])
