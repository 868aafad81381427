"""Layout files: where each kind and field stands in a product version's files, and how we know.

A layout is data (`layouts/*.yml`). `managed` needs evidence `proven` or `learned`; `assumed` counts only in
the lab's own layout, which is refused anywhere but at a loopback endpoint that names itself a lab.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

from ivn_provision.model.live import Ability, Capabilities, Capability

LAYOUTS = ("lab-2014.yml",)
_MANAGED = Capability(Ability.MANAGED)


@dataclass(frozen=True, slots=True)
class FieldLayout:
    """One field: path below its object, codec, and what may be done with it."""

    name: str
    codec: str
    path: str = ""
    gate: str = ""
    values: Mapping[str, str] | None = None
    combination: Mapping[str, Mapping[str, str]] | None = None
    default: str | None = None
    capability: Capability = _MANAGED

    @property
    def readable(self) -> bool:
        return self.codec != "hidden"

    @property
    def managed(self) -> bool:
        return self.capability.ability is Ability.MANAGED


@dataclass(frozen=True, slots=True)
class KindLayout:
    """One kind: `items` is the path of its objects, `single` of a singleton.

    `naming` is the pattern of names that are ours, its group `key` the key; without it the name is the
    key. `marker` names the element that carries our mark. `template` lists the elements of a new object.
    """

    kind: str
    fields: Mapping[str, FieldLayout]
    items: str = ""
    single: str = ""
    name: str = ""
    naming: re.Pattern[str] | None = None
    marker: str = ""
    template: tuple[str, ...] = ()
    constants: Mapping[str, str] | None = None
    create: Capability = _MANAGED


@dataclass(frozen=True, slots=True)
class Layout:
    """`restart` names the services' programs in the order of stopping."""

    name: str
    lab_only: bool
    product: re.Pattern[str]
    version: re.Pattern[str]
    file: str
    restart: tuple[str, ...]
    kinds: Mapping[str, KindLayout]

    def capabilities(self) -> Capabilities:
        table = {(kind, ""): each.create for kind, each in self.kinds.items()}
        for kind, layout in self.kinds.items():
            table |= {(kind, name): each.capability for name, each in layout.fields.items()}
        return Capabilities(table)


@cache
def all_layouts() -> tuple[Layout, ...]:
    """The layouts that ship with the driver."""
    folder = resources.files("ivn_provision.drivers.xprotect_e") / "layouts"
    return tuple(_layout(yaml.safe_load((folder / name).read_text(encoding="utf-8"))) for name in LAYOUTS)


def choose(product: str, version: str, *, lab: bool) -> Layout | None:
    """The layout for a product and version as the recorder states them, None if none is known."""
    for layout in all_layouts():
        if layout.lab_only and not lab:
            continue
        if layout.product.search(product) and layout.version.search(version):
            return layout
    return None


def _layout(data: dict[str, Any]) -> Layout:
    lab_only = bool(data.get("lab_only", False))
    return Layout(
        name=str(data["layout"]),
        lab_only=lab_only,
        product=re.compile(data["product"]),
        version=re.compile(data["version"]),
        file=str(data["file"]),
        restart=tuple(data["restart"]),
        kinds={kind: _kind(kind, each, lab_only=lab_only) for kind, each in data["kinds"].items()},
    )


_SINGLE = {
    "ability": "manual",
    "reason": "the recorder's file has no place for it yet: save it once in the Management Application",
}


def _kind(kind: str, data: dict[str, Any], *, lab_only: bool) -> KindLayout:
    naming = data.get("naming")
    return KindLayout(
        kind=kind,
        fields={name: _field(name, each, lab_only=lab_only) for name, each in data["fields"].items()},
        items=data.get("items", ""),
        single=data.get("single", ""),
        name=data.get("name", ""),
        naming=re.compile(naming) if naming else None,
        marker=data.get("marker", ""),
        template=tuple(data.get("template", ())),
        constants=data.get("constants", {}),
        create=_capability(data.get("create", _SINGLE if "single" in data else {}), lab_only=lab_only),
    )


def _field(name: str, data: dict[str, Any], *, lab_only: bool) -> FieldLayout:
    codec, values = data["codec"], data.get("values")
    return FieldLayout(
        name=name,
        codec=codec,
        path=data.get("path", ""),
        gate=data.get("gate", ""),
        values=values if codec == "enum" else None,
        combination=values if codec == "combination" else None,
        default=data.get("default"),
        capability=_capability(data, lab_only=lab_only),
    )


def _capability(data: dict[str, Any], *, lab_only: bool) -> Capability:
    evidence, reason = str(data.get("evidence", "")), str(data.get("reason", ""))
    wanted = Ability(data.get("ability", "managed"))
    allowed = {"proven", "learned"} | ({"assumed"} if lab_only else set())
    if wanted is Ability.MANAGED and evidence and evidence not in allowed:
        return Capability(Ability.MANUAL, f"how the product stores it is only {evidence}", evidence)
    return Capability(wanted, reason, evidence)
