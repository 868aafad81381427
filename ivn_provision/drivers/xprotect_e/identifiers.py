"""Identifiers of objects that are about to be made, in the forms that a layout says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ivn_provision.drivers.xprotect_e.codecs import formed
from ivn_provision.drivers.xprotect_e.layout import KindLayout, Layout
from ivn_provision.drivers.xprotect_e.store import Store, elements, handle_of
from ivn_provision.drivers.xprotect_e.xml_document import Element
from ivn_provision.model.resource import Address
from ivn_provision.plan.plan import Action, Work


@dataclass(frozen=True, slots=True)
class Made:
    """The handle of an object that will be made, and its identifiers as texts by path."""

    handle: str
    texts: Mapping[str, str]


def make_identifiers(
    store: Store, layout: Layout, work: Work, guid: Callable[[], str]
) -> dict[Address, Made]:
    """By address of what is created or replaced.

    A replaced object keeps its identifiers, so that what points at it (an alarm's source) still does.
    """
    maker = _Maker(store, guid)
    found: dict[Address, Made] = {}
    for change in work.changes:
        kind = layout.kinds.get(change.address.kind)
        if kind is None or change.action not in {Action.CREATE, Action.REPLACE}:
            continue
        old = _element(store, kind, change.handle) if change.action is Action.REPLACE else None
        texts = {
            path: _kept(old, path) or maker.new(kind, path, how) for path, how in (kind.ids or {}).items()
        }
        if kind.handle not in texts and kind.handle:
            texts[kind.handle] = _kept(old, kind.handle) or guid()
        found[change.address] = Made(texts[kind.handle], texts)
    return found


def _element(store: Store, kind: KindLayout, handle: str) -> Element | None:
    return next((each for each in elements(store, kind) if handle_of(kind, each) == handle), None)


def _kept(old: Element | None, path: str) -> str:
    return (old.value(path) or "").strip() if old is not None else ""


@dataclass(slots=True)
class _Maker:
    """Makes new identifiers; `numbers` are the highest given out, by list and path."""

    store: Store
    guid: Callable[[], str]
    numbers: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def new(self, kind: KindLayout, path: str, how: str) -> str:
        if how != "next_number":
            return formed(self.guid(), how)
        key = (kind.file.lower(), kind.items, path)
        self.numbers[key] = max(self.numbers.get(key, 0), _highest(self.store, kind, path)) + 1
        return str(self.numbers[key])


def _highest(store: Store, kind: KindLayout, path: str) -> int:
    """The highest number in use in the list, whatever kind its objects are."""
    document = store.document(kind.file)
    texts = [] if document is None else [each.value(path) or "" for each in document.root.all(kind.items)]
    return max((int(text) for text in texts if text.strip().isdecimal() and len(text) < 16), default=0)
