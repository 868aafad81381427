"""Layouts: where each kind and field stands in a product version's files, and how we know.

A layout is data (`layouts/*.yml`, read by `layout_file.py`). `managed` needs evidence `proven` or `learned`;
`assumed` counts only in the lab's own layout, which is chosen nowhere but at a loopback endpoint that names
itself a lab.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ivn_provision.model.live import REMOVAL, Ability, Capabilities, Capability

CONFIGURATION = r"C:\ProgramData\Milestone\Milestone Surveillance\configuration.xml"
_MANAGED = Capability(Ability.MANAGED)

FIELDS: Mapping[str, tuple[str, ...]] = {
    "camera": (
        "name",
        "enabled",
        "hardware.address",
        "hardware.mac",
        "hardware.channel",
        "video.codec",
        "video.resolution",
        "video.fps",
        "recording.mode",
        "recording.pre_buffer_seconds",
        "recording.post_buffer_seconds",
    ),
    "hardware_event": ("name", "enabled", "device", "input", "edge", "camera", "email", "record"),
    "generic_event": ("name", "enabled", "match", "rule", "email"),
    "alarm": ("enabled", "source", "time_profile"),
    "mail_message": ("enabled", "recipients", "subject", "body"),
    "mail_server": ("sender", "host", "port", "security", "username", "password"),
    "server_access": ("local_port", "internet_access", "internet_port", "max_clients"),
    "services": ("event_server_port", "log_server_port"),
    "user": ("kind", "administrator", "password"),
}
"""Every kind of a recorder that stands in the product's own files, and its fields."""


@dataclass(frozen=True, slots=True)
class FieldLayout:
    """One field: path below its object, codec, and what may be done with it.

    `values` are those of an enumeration, `combination` texts by path by value. `by` and `form` are about
    references: to the identifier or the name, and in which form an identifier is written ("" as it is).
    `restart` is None where the kind's programs are meant.
    """

    name: str
    codec: str
    path: str = ""
    gate: str = ""
    values: Mapping[str, str] | None = None
    combination: Mapping[str, Mapping[str, str]] | None = None
    separator: str = ";"
    by: str = "handle"
    form: str = ""
    default: str | bool | int | None = None
    capability: Capability = _MANAGED
    restart: tuple[str, ...] | None = None

    @property
    def readable(self) -> bool:
        return self.codec != "hidden"

    @property
    def managed(self) -> bool:
        return self.capability.ability is Ability.MANAGED


@dataclass(frozen=True, slots=True)
class KindLayout:
    """One kind in one file: `items` is the path of its objects, `single` of a singleton.

    `where` gives texts that an element must have to be one. `naming` is the pattern of names that are ours,
    its group `key` the key; without it the name is the key. `marker` is the path of the text that carries
    our mark. `template` lists in order what a new object holds, `ids` how its identifiers are made.
    """

    kind: str
    file: str
    restart: tuple[str, ...]
    fields: Mapping[str, FieldLayout]
    items: str = ""
    single: str = ""
    where: Mapping[str, str] | None = None
    handle: str = "Guid"
    ids: Mapping[str, str] | None = None
    name: str = ""
    naming: re.Pattern[str] | None = None
    marker: str = ""
    template: tuple[str, ...] = ()
    constants: Mapping[str, str] | None = None
    create: Capability = _MANAGED
    remove: Capability = _MANAGED


@dataclass(frozen=True, slots=True)
class Logs:
    """The log that shows whether the services took a change: a folder, and two regular expressions."""

    folder: str
    pattern: str
    error_pattern: str


@dataclass(frozen=True, slots=True)
class Learned:
    """Where a learned layout comes from: when (RFC 3339 or the day), who, which site, version of the tool."""

    on: str
    by: str
    site: str
    tool: str


@dataclass(frozen=True, slots=True)
class Layout:
    """One product version's layout. `origin` is "" for a packaged one, else the path of its file.

    `restart` names the services' programs in the order of stopping; that of kinds and fields is a part of it.
    """

    name: str
    lab_only: bool
    product: re.Pattern[str]
    version: re.Pattern[str]
    file: str
    restart: tuple[str, ...]
    kinds: Mapping[str, KindLayout]
    logs: Logs | None = None
    learned: Learned | None = None
    origin: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that its kinds stand in, each once."""
        return tuple(dict.fromkeys([self.file, *(kind.file for kind in self.kinds.values())]))

    def fits(self, product: str, version: str) -> bool:
        return bool(self.product.search(product) and self.version.search(version))

    def capabilities(self) -> Capabilities:
        """What can be done with each kind and field. Kinds that it says nothing of are unread."""
        table = {(kind, ""): each.create for kind, each in self.kinds.items()}
        table |= {(kind, REMOVAL): each.remove for kind, each in self.kinds.items()}
        for kind, layout in self.kinds.items():
            table |= {(kind, name): each.capability for name, each in layout.fields.items()}
        return Capabilities(
            table,
            default=Capability(Ability.MANUAL, f"layout {self.name} does not say where it stands"),
            unread=frozenset(FIELDS) - frozenset(self.kinds),
        )
