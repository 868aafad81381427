"""Planned changes -> splices of configuration.xml. Pure: a document and changes in, splices out.

All splices refer to the file as it was read. Objects that are made get their Guid beforehand, so that an
alarm can point at an event of the same apply.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ivn_provision.drivers.xprotect_e.codecs import Guids, encode, locate
from ivn_provision.drivers.xprotect_e.layout import KindLayout, Layout
from ivn_provision.drivers.xprotect_e.live import device_addresses, digest_of, elements, handle_of, key_of
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
from ivn_provision.plan.plan import Action, Change, Work

_REFERRED = ("camera", "hardware_event", "generic_event")


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
    document: Document, layout: Layout, work: Work, *, guid: Callable[[], str] = new_guid
) -> list[Splice]:
    """The edits that make the changes. Raises Conflict or Refused before anything is written."""
    made = {change.address: guid() for change in work.changes if change.action is Action.CREATE}
    # A replaced object keeps its Guid, so that what points at it (an alarm's source) still does.
    made |= {change.address: change.handle for change in work.changes if change.action is Action.REPLACE}
    edits = _Edits(document, layout, _guids(document, layout, work, made), made)
    for change in work.changes:
        _work_out(edits, change, work)
    return edits.all()


def _guids(document: Document, layout: Layout, work: Work, made: Mapping[Address, str]) -> Guids:
    """What values that point at other objects can point at, once the changes are made.

    What the plan matched decides. An object that the plan did not know (made by an earlier batch) counts
    if it is the only one of ours with its key.
    """
    found = {(each.kind, each.key): handle for each, handle in work.references.items()}
    known = set(found.values())
    for name in _REFERRED:
        found = _fresh(document, layout.kinds[name], known) | found
    found |= {(address.kind, address.key): guid for address, guid in made.items()}
    return Guids(
        devices=_only(device_addresses(document)),
        cameras={key: handle for (kind, key), handle in found.items() if kind == "camera"},
        events={f"{kind}/{key}": handle for (kind, key), handle in found.items() if kind != "camera"},
    )


def _fresh(document: Document, kind: KindLayout, known: set[str]) -> dict[tuple[str, str], str]:
    """Objects of ours whose key no other bears, and whose handle the plan did not know."""
    ours = [(key_of(kind, each), handle_of(kind, each)) for each in elements(document, kind)]
    count = Counter(key for (key, owned), _ in ours if owned)
    return {
        (kind.kind, key): handle
        for (key, owned), handle in ours
        if owned and handle and handle not in known and count[key] == 1
    }


def _only(addresses: Mapping[str, str]) -> dict[str, str]:
    """Guid by address, for the addresses that one device alone has."""
    count = Counter(addresses.values())
    return {address: guid for guid, address in addresses.items() if count[address] == 1}


def _work_out(edits: _Edits, change: Change, work: Work) -> None:
    kind = edits.layout.kinds[change.address.kind]
    if change.action is Action.CREATE:
        _create(edits, kind, change.address, work.desired[change.address])
        return
    element = _find(edits.document, kind, change)
    if change.action is Action.DELETE:
        edits.splices.append(remove(edits.document, element))
    elif change.action is Action.REPLACE:
        edits.splices.append(remove(edits.document, element))
        _create(edits, kind, change.address, work.desired[change.address])
    else:
        values = work.desired[change.address]
        _update(edits, kind, element, {each.name: values[each.name] for each in change.fields})


def _find(document: Document, kind: KindLayout, change: Change) -> Element:
    """The object that the plan meant, as the plan saw it: one, with a handle, and unchanged."""
    found = [each for each in elements(document, kind) if handle_of(kind, each) == change.handle]
    if not change.handle or len(found) > 1:
        raise Refused(
            f"{change.address} cannot be told apart from other objects on the recorder",
            where=str(change.address),
            next_step="look at it in the Management Application: it has no Guid, or shares one",
        )
    if not found or digest_of(kind, found[0], device_addresses(document)) != change.digest:
        raise Conflict(
            f"{change.address} changed on the recorder since it was read; nothing was written",
            where=str(change.address),
            next_step="run the command again: it plans from what is there now",
        )
    return found[0]


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
    if not kind.template:
        raise Refused(f"a {kind.kind} cannot be made by the tool", where=str(address))
    folder, _, tag = kind.items.rpartition("/")
    texts = {"Name": address.key, **(kind.constants or {}), **_texts(edits, kind, values)}
    texts["Guid"] = edits.made[address]
    inner = [f"  <{each}>{text_of(texts.get(each, ''))}</{each}>" for each in kind.template]
    parent = _parent(edits.document.root.find(folder), folder)
    edits.append(parent, [f"<{tag}>", *inner, f"</{tag}>"])
