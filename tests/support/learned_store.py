"""A pretended product for learn mode: keeps its objects in XML of a given style, and changes noise at each save."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from xml.sax.saxutils import escape, quoteattr

from ivn_provision.drivers.xprotect_e.layout import CONFIGURATION
from ivn_provision.drivers.xprotect_e.learning.explain import References, Target
from ivn_provision.drivers.xprotect_e.learning.passes import Camera, Pass, Value, passes_for
from ivn_provision.drivers.xprotect_e.learning.samples import Frame, Session
from ivn_provision.drivers.xprotect_e.learning.structure import tree

FILE = r"C:\ProgramData\Milestone\Milestone Surveillance\store.xml"
CAMERAS = (Camera("10 Lobby", "192.168.10.61"), Camera("11 Dock", "192.168.10.62"))
GUIDS = ("1b4e28ba-2fa1-11d2-883f-0016d3cca427", "6ba7b810-9dad-11d1-80b4-00c04fd430c8")
DEVICES = ("3f2504e0-4f89-11d3-9a0c-0305e82c3301", "3f2504e0-4f89-11d3-9a0c-0305e82c3302")


@dataclass(frozen=True)
class Style:
    """How a product writes: `attributes` are fields written so; `words` gives the texts of a choice."""

    attributes: frozenset[str] = frozenset()
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    yes: str = "1"
    no: str = "0"
    id_path: str = "Guid"
    id_form: str = "guid"
    separator: str = ";"
    nested: frozenset[str] = frozenset()
    reference_form: str = "guid"
    reference_by: str = "handle"
    constants: Mapping[str, str] = field(default_factory=lambda: {"Protocol": "Any"})
    encoding: str = "utf-8"
    counter: bool = False
    numbered_tags: bool = False
    twice: frozenset[str] = frozenset()
    split: frozenset[str] = frozenset()


@dataclass
class Product:
    """The recorder: objects by kind and subject, settings by kind, and a count of saves."""

    style: Style = field(default_factory=Style)
    objects: dict[str, dict[str, dict[str, Value]]] = field(default_factory=dict)
    settings: dict[str, dict[str, Value]] = field(default_factory=dict)
    ids: dict[tuple[str, str], int] = field(default_factory=dict)
    saves: int = 0
    made: int = 0

    def do(self, each: Pass) -> None:
        self.saves += 1
        if each.action == "add":
            self.ids[each.kind, each.subject] = self._number(each.kind)
            self.objects.setdefault(each.kind, {})[each.subject] = dict(each.fields)
        elif each.action == "remove":
            del self.objects[each.kind][each.subject]
        elif each.subject:
            self.objects[each.kind][each.subject].update(each.fields)
        elif each.action != "control":
            self.settings.setdefault(each.kind, {}).update(each.fields)

    def _number(self, kind: str) -> int:
        """Numbers are a list's own; other identifiers are unlike all others."""
        self.made += 1
        taken = [number for (other, _), number in self.ids.items() if other == kind]
        return max(taken, default=0) + 1 if self.style.id_form == "next_number" else self.made

    def raw(self) -> bytes:
        body = "".join(self._list(kind) for kind in ("hardware_event", "generic_event", "alarm"))
        body += "".join(self._single(kind, values) for kind, values in self.settings.items())
        text = f'<store revision="{self.saves}"><SavedAt>2026-11-23T18:00:{self.saves:02}Z</SavedAt>{body}</store>'
        codec = {"utf-16": "utf-16-le"}.get(self.style.encoding, self.style.encoding)
        return ("\ufeff" + text).encode(codec)

    def frame(self) -> Frame:
        started = {"RecordingServer.exe": f"{self.saves:04}", "ImageServer.exe": f"{self.saves:04}"}
        files = {
            CONFIGURATION: tree(configuration(), CONFIGURATION),
            FILE: tree(self.raw(), FILE),
            f"{FILE}.{self.saves}.restore": tree(self.raw(), FILE),
        }
        return Frame(files, {**started, "LogCheck.exe": "0000"})

    def _list(self, kind: str) -> str:
        objects = self.objects.get(kind, {})
        count = f' count="{len(objects)}"' if self.style.counter else ""
        items = "".join(self._item(kind, subject, values) for subject, values in objects.items())
        return f"<{kind}s{count}>{items}</{kind}s>"

    def _item(self, kind: str, subject: str, values: Mapping[str, Value]) -> str:
        number = self.ids[kind, subject]
        leaves = {self.style.id_path: identifier(self.style.id_form, number)}
        leaves |= self._leaves(kind, values)
        leaves |= self.style.constants
        return _element(f"Item{number}" if self.style.numbered_tags else "Item", leaves)

    def _single(self, kind: str, values: Mapping[str, Value]) -> str:
        return f"<Settings>{_element(kind, self._leaves(kind, values))}</Settings>"

    def _leaves(self, kind: str, values: Mapping[str, Value]) -> dict[str, str]:
        leaves: dict[str, str] = {}
        for name, value in values.items():
            path = f"Inner/{name}" if name in self.style.nested else name
            path = f"@{name}" if name in self.style.attributes else path
            leaves[path] = self._text(name, value)
            if name in self.style.twice:
                leaves[f"{name}Again"] = leaves[path]
        return leaves

    def _text(self, name: str, value: Value) -> str:
        if isinstance(value, bool):
            return self.style.yes if value else self.style.no
        if isinstance(value, tuple):
            return self.style.separator.join(value)
        if name in {"camera", "device", "source"}:
            return self._reference(name, str(value))
        return self.style.words.get(name, {}).get(str(value), str(value))

    def _reference(self, name: str, value: str) -> str:
        if name == "source":
            found = next(
                (kind, subject)
                for kind, objects in self.objects.items()
                for subject, each in objects.items()
                if each.get("name") == value
            )
            return identifier(self.style.id_form, self.ids[found])
        at = next(n for n, each in enumerate(CAMERAS) if value in {each.name, each.address})
        if self.style.reference_by == "name" and name == "camera":
            return CAMERAS[at].name
        return formed((GUIDS if name == "camera" else DEVICES)[at], self.style.reference_form)


def identifier(form: str, number: int) -> str:
    if form == "next_number":
        return str(number)
    return formed(f"0000{number:04x}-aaaa-4bbb-8ccc-0123456789ab", form)


def formed(guid: str, form: str) -> str:
    upper = guid.upper()
    return {"guid": guid, "guid_upper": upper, "guid_braces": f"{{{upper}}}", "odd": f"{{{guid}}}"}[form]


def _element(tag: str, leaves: Mapping[str, str]) -> str:
    attributes = "".join(
        f" {path[1:]}={quoteattr(text, {chr(10): '&#10;'})}"
        for path, text in leaves.items()
        if path.startswith("@")
    )
    inner = [(path.partition("/")[2], text) for path, text in leaves.items() if path.startswith("Inner/")]
    body = "".join(
        f"<{path}>{escape(text)}</{path}>"
        for path, text in leaves.items()
        if not path.startswith(("@", "Inner/"))
    )
    if inner:
        body += _element("Inner", dict(inner))
    return f"<{tag}{attributes}>{body}</{tag}>"


def configuration() -> bytes:
    """A `configuration.xml` with the published names only."""
    devices = "".join(
        f"<D{n}><DisplayName>AXIS {n}</DisplayName><Guid>{DEVICES[n]}</Guid><IPAddress>{each.address}</IPAddress>"
        f"<Cameras><C><DisplayName>{each.name}</DisplayName><Guid>{GUIDS[n]}</Guid></C></Cameras></D{n}>"
        for n, each in enumerate(CAMERAS)
    )
    product = "<ProductName>XProtect Professional 2014</ProductName><ProductVersion>9.9z</ProductVersion>"
    return f"<config><ProductInfo>{product}</ProductInfo><Devices>{devices}</Devices></config>".encode()


def references() -> References:
    return References(
        device={each.address: Target(DEVICES[n], f"AXIS {n}") for n, each in enumerate(CAMERAS)},
        camera={each.name: Target(GUIDS[n], each.name) for n, each in enumerate(CAMERAS)},
    )


@dataclass(frozen=True)
class Made:
    """A session, and the bytes of the store at each of its frames."""

    session: Session
    raws: tuple[bytes, ...]


def session(kind: str, product: Product, *, skip: frozenset[str] = frozenset(), before: int = 1) -> Made:
    """All passes of a kind, made on the product; `before` objects of each event kind are there already."""
    for number in range(before):
        for kind_there in ("generic_event", "hardware_event"):
            product.do(_foreign(kind_there, number))
    product.settings.setdefault("mail_message", dict(FORMER_MESSAGE))
    product.settings.setdefault("mail_server", dict(FORMER_SERVER))
    frames, done = [product.frame()], []
    raws = [product.raw()]
    former = {"mail_message": FORMER_MESSAGE, "mail_server": FORMER_SERVER}.get(kind, {})
    for wanted in passes_for(kind, "4f2a", CAMERAS):
        if wanted.name in skip:
            continue
        each = replace(wanted, fields=former) if wanted.action == "restore" else wanted
        product.do(each)
        frames.append(product.frame())
        raws.append(product.raw())
        done.append(each)
    return Made(Session(kind, tuple(done), tuple(frames)), tuple(raws))


FORMER_MESSAGE: Mapping[str, Value] = {
    "enabled": True,
    "recipients": ("guard@example.com",),
    "subject": "Alarm",
    "body": "Alarm!",
}
FORMER_SERVER: Mapping[str, Value] = {
    "sender": "nvr@example.com",
    "host": "mail.example.com",
    "port": 25,
    "security": "none",
    "username": "nvr",
}


def _foreign(kind: str, number: int) -> Pass:
    fields: dict[str, Value] = {"name": f"Guard {kind} {number}", "enabled": True, "email": False}
    if kind == "generic_event":
        fields |= {"match": "GATE", "rule": "search"}
    else:
        fields |= {
            "camera": CAMERAS[0].name,
            "device": CAMERAS[0].address,
            "input": 1,
            "edge": "rising",
            "record": "none",
        }
    return Pass("before", "add", kind, f"foreign {number}", str(fields["name"]), fields)
