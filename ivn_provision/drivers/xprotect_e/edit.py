"""Planned changes -> splices of the recorder's files. Pure: documents and changes in, splices out.

All splices refer to the files as they were read. Objects that are made get their identifiers beforehand, so
that an alarm can point at an event of the same apply.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ivn_provision.drivers.xprotect_e.codecs import Pointers, encode, is_removed
from ivn_provision.drivers.xprotect_e.identifiers import Made, make_identifiers
from ivn_provision.drivers.xprotect_e.layout import KindLayout, Layout
from ivn_provision.drivers.xprotect_e.live import digest_of
from ivn_provision.drivers.xprotect_e.references import pointers_of, renamed
from ivn_provision.drivers.xprotect_e.store import Index, Store, elements, handle_of, index_of
from ivn_provision.drivers.xprotect_e.xml_document import Document, Element, Splice, split
from ivn_provision.drivers.xprotect_e.xml_edit import (
    append_children,
    new_element,
    remove,
    remove_attribute,
    set_attribute,
    set_text,
)
from ivn_provision.errors import Conflict, Refused
from ivn_provision.model.resource import Address, Unset, Value
from ivn_provision.plan.plan import Action, Change, Work

SAVE_ONE = "make and save one such object in the Management Application, then plan again"
BY_HAND = "set it by hand in the Management Application, or leave the object out with --exclude"


def new_guid() -> str:
    return str(uuid.uuid4())


@dataclass(slots=True)
class _File:
    """What collects for one file: texts to set, children by parent, elements and attributes to remove."""

    document: Document
    texts: dict[tuple[int, str], tuple[Element, str]] = field(default_factory=dict)
    children: dict[int, tuple[Element, list[list[str]]]] = field(default_factory=dict)
    removed: list[Element] = field(default_factory=list)
    bare: list[tuple[Element, str]] = field(default_factory=list)

    def append(self, parent: Element, lines: list[str]) -> None:
        self.children.setdefault(id(parent), (parent, []))[1].append(lines)

    def set(self, element: Element, path: str, text: str) -> None:
        """Text at a path that is there or whose parent is."""
        folder, attribute = split(path)
        found = element.find(folder)
        if attribute:
            self._text(_there(found, folder), f"@{attribute}", text)
        elif found is not None:
            self._text(found, "", text)
        else:
            above, _, tag = folder.rpartition("/")
            self.append(_there(element.find(above), above), new_element(tag, [], {"": text}))

    def clear(self, element: Element, path: str) -> None:
        """Take out a text below the object that was not there when it was read before."""
        folder, attribute = split(path)
        found = element.find(folder)
        if found is None or not path:
            return
        if attribute:
            self.bare += [(found, attribute)] if attribute in found.attributes else []
        elif found.children or found is element or ".." in folder.split("/"):
            raise Refused(f"<{found.tag}> is more than one value: it cannot be taken out", next_step=BY_HAND)
        else:
            self.removed.append(found)

    def _text(self, element: Element, attribute: str, text: str) -> None:
        if element.value(attribute) != text:
            self.texts[id(element), attribute] = (element, text)

    def splices(self) -> list[Splice]:
        found = [append_children(self.document, parent, lines) for parent, lines in self.children.values()]
        found += [remove(self.document, element) for element in self.removed]
        found += [remove_attribute(self.document, element, name) for element, name in self.bare]
        for (_, attribute), (element, text) in self.texts.items():
            if attribute:
                found.append(set_attribute(self.document, element, attribute[1:], text))
            else:
                found.append(set_text(self.document, element, text))
        return _joined(sorted(found))


@dataclass(slots=True)
class _Edits:
    """Everything that is known while changes are worked out."""

    store: Store
    layout: Layout
    work: Work
    index: Index
    made: Mapping[Address, Made]
    pointers: Pointers
    files: dict[str, _File] = field(default_factory=dict)

    def file(self, kind: KindLayout) -> _File:
        document = self.store.document(kind.file)
        if document is None:
            raise Refused("the recorder has no such file", where=kind.file, next_step=SAVE_ONE)
        return self.files.setdefault(kind.file.lower(), _File(document))


def splices_for(
    store: Store, layout: Layout, work: Work, *, guid: Callable[[], str] = new_guid
) -> dict[str, list[Splice]]:
    """The edits that make the changes, by file. Raises Conflict or Refused before anything is written."""
    made = make_identifiers(store, layout, work, guid)
    pointers = pointers_of(store, layout, work, {address: each.handle for address, each in made.items()})
    edits = _Edits(store, layout, work, index_of(store, layout), made, pointers)
    for change in work.changes:
        _work_out(edits, change)
    for kind, element, path, name in renamed(store, layout, work):
        file = edits.file(kind)
        folder, attribute = split(path)
        key = (id(_there(element.find(folder), folder)), f"@{attribute}" if attribute else "")
        if key not in file.texts and element not in file.removed:
            file.set(element, path, name)
    paths = {path.lower(): path for path in layout.files}
    found = {paths[name]: file.splices() for name, file in edits.files.items()}
    return {path: splices for path, splices in found.items() if splices}


def _work_out(edits: _Edits, change: Change) -> None:
    kind = edits.layout.kinds[change.address.kind]
    if change.action is Action.CREATE:
        _create(edits, kind, change.address)
        return
    element = _find(edits, kind, change)
    if change.action in {Action.DELETE, Action.REPLACE}:
        edits.file(kind).removed.append(element)
    if change.action is Action.REPLACE:
        _create(edits, kind, change.address)
    elif change.action is Action.UPDATE:
        wanted = edits.work.desired[change.address]
        values = {each.name: wanted[each.name] for each in change.fields}
        gone = {name for name, each in values.items() if is_removed(kind.fields[name], each)}
        for name in gone:
            edits.file(kind).clear(element, kind.fields[name].path)
        for path, text in _texts(
            edits, kind, {name: each for name, each in values.items() if name not in gone}
        ).items():
            edits.file(kind).set(element, path, text)


def _find(edits: _Edits, kind: KindLayout, change: Change) -> Element:
    """The object that the plan meant, as the plan saw it: one, with a handle, and unchanged."""
    found = [each for each in elements(edits.store, kind) if handle_of(kind, each) == change.handle]
    if not change.handle or len(found) > 1:
        raise Refused(
            f"{change.address} cannot be told apart from other objects on the recorder",
            where=str(change.address),
            next_step=f"look at it in the Management Application: it has no {kind.handle}, or shares one",
        )
    if not found or digest_of(kind, found[0], edits.index) != change.digest:
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
        layout = kind.fields.get(name)
        if layout is not None and layout.managed:
            texts |= encode(layout, value, edits.pointers)
    return texts


def _there(found: Element | None, path: str) -> Element:
    if found is None:
        raise Refused(f"the recorder's file has no <{path}>", next_step=SAVE_ONE)
    return found


def _create(edits: _Edits, kind: KindLayout, address: Address) -> None:
    """A new object by the kind's template, at the end of its list."""
    if not kind.template:
        raise Refused(f"a {kind.kind} cannot be made by the tool", where=str(address))
    texts = {kind.name: address.key, **(kind.constants or {}), **(kind.where or {})}
    wanted = edits.work.desired[address]
    texts |= _texts(edits, kind, {name: each for name, each in wanted.items() if not isinstance(each, Unset)})
    texts |= edits.made[address].texts
    folder, _, tag = kind.items.rpartition("/")
    file = edits.file(kind)
    parent = _there(file.document.root.find(folder), folder)
    file.append(parent, new_element(tag, kind.template, texts))


def _joined(splices: list[Splice]) -> list[Splice]:
    """Insertions at one place as one edit: the agent wants each place once."""
    found: list[Splice] = []
    for each in splices:
        if found and found[-1].length == 0 and found[-1].offset == each.offset:
            found[-1] = Splice(each.offset, each.length, found[-1].data + each.data)
        else:
            found.append(each)
    return found
