"""A layout file's text -> `Layout`, or every problem of it with its place.

Layout files of a fleet are learned by the tool and edited by people: they are read like site files (YAML 1.2,
no tags, bounded), checked against `schemas/layout.schema.json`, then against `layout_rules.py`.
"""

from __future__ import annotations

import re
from typing import Any, cast

from ivn_provision.diagnostics import Diagnostic, Severity, sort_key
from ivn_provision.drivers.xprotect_e.layout import FieldLayout, KindLayout, Layout, Learned, Logs
from ivn_provision.drivers.xprotect_e.layout_rules import problems
from ivn_provision.errors import SpecError
from ivn_provision.model.live import Ability, Capability
from ivn_provision.spec.nodes import Node, at_pointer
from ivn_provision.spec.single_file import Words, read_single

SCHEMA = "layout.schema.json"
WORDS = Words("layout", "schema: 1")
_SINGLE = Capability(
    Ability.MANUAL,
    "the recorder's file has no place for it yet: save it once in the Management Application",
)


def read_layout(path: str, content: bytes, *, packaged: bool = False) -> Layout:
    """The layout of one file. Raises SpecError with every problem and its place."""
    layout, found = check_layout(path, content, packaged=packaged)
    if layout is None:
        raise SpecError(
            found,
            summary=f"the layout file {path} cannot be used",
            next_step="Correct it, learn it anew, or take it out of the layouts folder; nothing was read or changed.",
        )
    return layout


def check_layout(
    path: str, content: bytes, *, packaged: bool = False
) -> tuple[Layout | None, tuple[Diagnostic, ...]]:
    """The layout, None if there are problems, and the problems in the order of the file."""
    single = read_single(path, content, SCHEMA, WORDS)
    if single.root is None or single.diagnostics:
        return None, single.diagnostics
    try:
        layout = _layout(cast("dict[str, Any]", single.data), "" if packaged else path)
    except _BadPattern as bad:
        return None, (_diagnostic(single.root, bad.pointer, "LAY001", bad.summary, bad.hint),)
    found = [_diagnostic(single.root, *each) for each in problems(layout)]
    return (None if found else layout), tuple(sorted(found, key=sort_key))


def _diagnostic(root: Node, pointer: str, code: str, summary: str, hint: str) -> Diagnostic:
    node = at_pointer(root, pointer)
    while node is None:
        pointer = pointer.rpartition("/")[0]
        node = at_pointer(root, pointer)
    return Diagnostic(Severity.ERROR, code, summary, node.place(), hint=hint)


class _BadPattern(Exception):
    def __init__(self, pointer: str, summary: str, hint: str) -> None:
        super().__init__()
        self.pointer, self.summary, self.hint = pointer, summary, hint


def _pattern(text: str, pointer: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        hint = "Write a regular expression of Python; quote it with single quotes."
        raise _BadPattern(pointer, f"not a regular expression: {error}", hint) from error


def _layout(data: dict[str, Any], origin: str) -> Layout:
    file, restart = str(data["file"]), tuple(data["restart"])
    learned, logs = data.get("learned"), data.get("logs")
    return Layout(
        name=data["layout"],
        lab_only=data.get("lab_only", False),
        product=_pattern(data["product"], "/product"),
        version=_pattern(data["version"], "/version"),
        file=file,
        restart=restart,
        kinds={name: _kind(name, each, file, restart) for name, each in data["kinds"].items()},
        logs=_logs(logs) if logs else None,
        learned=Learned(**learned) if learned else None,
        origin=origin,
    )


def _logs(data: dict[str, str]) -> Logs:
    for name in ("pattern", "error_pattern"):
        _pattern(data[name], f"/logs/{name}")
    return Logs(**data)


def _kind(kind: str, data: dict[str, Any], file: str, restart: tuple[str, ...]) -> KindLayout:
    naming = data.get("naming")
    handle = data.get("handle", "Guid")
    create = _capability(data["create"]) if "create" in data else _default_create(data)
    return KindLayout(
        kind=kind,
        file=data.get("file", file),
        restart=_ordered(data["restart"], restart) if "restart" in data else restart,
        fields={name: _field(name, each) for name, each in data["fields"].items()},
        items=data.get("items", ""),
        single=data.get("single", ""),
        where=data.get("where", {}),
        handle=handle,
        ids=data.get("ids", {handle: "guid"}),
        name=data.get("name", ""),
        naming=_pattern(naming, f"/kinds/{kind}/naming") if naming else None,
        marker=data.get("marker", ""),
        template=tuple(data.get("template", ())),
        constants=data.get("constants", {}),
        create=create,
        remove=_capability(data["remove"]) if "remove" in data else create,
    )


def _default_create(data: dict[str, Any]) -> Capability:
    return _SINGLE if "single" in data else Capability(Ability.MANAGED)


def _ordered(names: list[str], order: tuple[str, ...]) -> tuple[str, ...]:
    """In the order of stopping; what the layout does not list comes first, and is found by the rules."""
    ranks = {name.lower(): rank for rank, name in enumerate(order)}
    return tuple(sorted(names, key=lambda name: ranks.get(name.lower(), -1)))


def _field(name: str, data: dict[str, Any]) -> FieldLayout:
    codec, values = data["codec"], data.get("values")
    return FieldLayout(
        name=name,
        codec=codec,
        path=data.get("path", ""),
        gate=data.get("gate", ""),
        values=values if codec != "combination" else None,
        combination=values if codec == "combination" else None,
        separator=data.get("separator", ";"),
        by=data.get("by", "handle"),
        form=data.get("form", ""),
        default=data.get("default"),
        capability=_capability(data),
        restart=tuple(data["restart"]) if "restart" in data else None,
    )


def _capability(data: dict[str, Any]) -> Capability:
    return Capability(
        Ability(data.get("ability", "managed")), data.get("reason", ""), data.get("evidence", "")
    )
