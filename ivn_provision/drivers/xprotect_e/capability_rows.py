"""A layout, and what was found on a recorder, as rows of the capability table."""

from __future__ import annotations

from collections.abc import Iterator

from ivn_provision.drivers.xprotect_e.layout import FIELDS, FieldLayout, KindLayout, Layout
from ivn_provision.model.capability_table import CapabilityRow, CapabilityTable
from ivn_provision.model.live import REMOVAL, Capabilities, Facts


def table_of(site: str, facts: Facts, layout: Layout | None) -> CapabilityTable:
    """What was found on a recorder."""
    return CapabilityTable(
        site=site,
        product=facts.product,
        version=facts.version,
        layout=layout.name if layout else "",
        origin=layout.origin if layout else "",
        learned=_learned(layout),
        rows=tuple(_rows(facts.capabilities, layout)),
        notes=facts.notes,
    )


def table_without_recorder(site: str, product: str, layout: Layout) -> CapabilityTable:
    """What a layout promises for a recorder that was not asked."""
    return CapabilityTable(
        site=site,
        product=product,
        version="",
        layout=layout.name,
        origin=layout.origin,
        learned=_learned(layout),
        rows=tuple(_rows(layout.capabilities(), layout)),
        versions=layout.version.pattern,
    )


def _learned(layout: Layout | None) -> str:
    if layout is None or layout.learned is None:
        return ""
    return f"{layout.learned.on}, on {layout.learned.site}, by {layout.learned.by}"


def _rows(capabilities: Capabilities, layout: Layout | None) -> Iterator[CapabilityRow]:
    for kind, fields in FIELDS.items():
        found = layout.kinds.get(kind) if layout else None
        if found is not None and not found.single:
            yield _whole(capabilities, found)
            if found.remove != found.create:
                yield _row(kind, REMOVAL, capabilities)
        for name in fields:
            yield _field(capabilities, kind, name, found)
    for kind, name in capabilities.table:
        if kind not in FIELDS:
            yield _row(kind, name, capabilities)


def _row(kind: str, name: str, capabilities: Capabilities) -> CapabilityRow:
    found = capabilities.of(kind, name)
    return CapabilityRow(kind, name, str(found.ability), found.evidence, found.reason)


def _whole(capabilities: Capabilities, kind: KindLayout) -> CapabilityRow:
    found = capabilities.of(kind.kind)
    return CapabilityRow(
        kind.kind, "", str(found.ability), found.evidence, found.reason, kind.file, kind.items, kind.restart
    )


def _field(capabilities: Capabilities, kind: str, name: str, layout: KindLayout | None) -> CapabilityRow:
    found = capabilities.of(kind, name)
    field = layout.fields.get(name) if layout else None
    if layout is None or field is None:
        return CapabilityRow(kind, name, str(found.ability), found.evidence, found.reason)
    restart = layout.restart if field.restart is None else field.restart
    return CapabilityRow(
        kind,
        name,
        str(found.ability),
        found.evidence,
        found.reason,
        layout.file if field.readable else "",
        _path(layout, field),
        restart if field.managed else (),
    )


def _path(kind: KindLayout, field: FieldLayout) -> str:
    """Where the text stands, from the root of the file."""
    if not field.readable:
        return ""
    paths = [
        field.path,
        field.gate,
        *(path for texts in (field.combination or {}).values() for path in texts),
    ]
    shown = [_from_root(kind.single or kind.items, path) for path in dict.fromkeys(paths) if path]
    return ", ".join(shown)


def _from_root(base: str, path: str) -> str:
    steps = [] if base == "." else base.split("/")
    while path.startswith("../"):
        steps, path = steps[:-1], path[3:]
    return "/".join([*steps, path])
