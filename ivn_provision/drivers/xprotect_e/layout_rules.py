"""What a layout must hold to beyond its form: evidence for what is managed, and what is never managed.

Each problem is (JSON pointer, code, summary, hint). Layouts of a fleet may come from anywhere: nothing in one
may lead to writing outside of the product's own files, or to fields that only the product may write.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from ivn_provision.drivers.xprotect_e.layout import FIELDS, FieldLayout, KindLayout, Layout
from ivn_provision.drivers.xprotect_e.xml_document import is_hidden
from ivn_provision.model.live import Ability, Capability

CODES = {
    "LAY001": "a pattern that is no regular expression, or fits everything",
    "LAY002": "managed without evidence that it may be",
    "LAY003": "managed, although only the product may write it",
    "LAY004": "a kind that is not complete",
    "LAY005": "a field that is not complete",
    "LAY006": "a file that is not the product's",
    "LAY007": "a program that the layout does not list",
    "LAY008": "a layout of the lab in a fleet",
}

Problem = tuple[str, str, str, str]

_REFERENCES = ("device", "camera", "event")
_FOLDERS = re.compile(r"\\(?:Milestone|VideoOS)\\", re.IGNORECASE)
_DATABASES = (".mdf", ".ldf", ".ndf", ".sdf", ".mdb", ".accdb", ".db", ".sqlite", ".bak", ".exe", ".dll")
_NEVER = re.compile(r"(?:^|[/@])(?:Guid|MAC|Mac|\w*[Pp]ass(?:word|wd|phrase)\w*)$")


def problems(layout: Layout) -> Iterator[Problem]:
    """Everything that is wrong with a layout whose form is right."""
    yield from _whole(layout)
    for name, kind in layout.kinds.items():
        for pointer, code, summary, hint in chain(_kind(layout, kind), _fields(layout, kind)):
            yield f"/kinds/{name}{pointer}", code, f"{name}: {summary}", hint


def _whole(layout: Layout) -> Iterator[Problem]:
    if layout.origin and layout.lab_only:
        hint = "Take the line out: `lab_only` is for the layout that ships with the tool."
        yield "/lab_only", "LAY008", "`lab_only` has no place in a fleet", hint
    for key, pattern in (("product", layout.product), ("version", layout.version)):
        if layout.origin and (pattern.search("") or pattern.search("\x01")):
            hint = f"Write the {key} that was learned, for example '^8\\.6a$'."
            yield f"/{key}", "LAY001", f"`{key}` fits every recorder: a layout is of one {key}", hint
    yield from _file("/file", layout.file)


def _file(pointer: str, file: str) -> Iterator[Problem]:
    if not _FOLDERS.search(file) or ".." in file.split("\\"):
        yield pointer, "LAY006", "the file is not in a folder of Milestone's", "Name a file of the product."
    elif file.lower().endswith(_DATABASES):
        hint = "A database or program is never edited as a file: leave the kind out of the layout."
        yield pointer, "LAY006", "the file is a database or a program", hint


def _kind(layout: Layout, kind: KindLayout) -> Iterator[Problem]:
    if bool(kind.items) == bool(kind.single):
        yield "", "LAY004", "give either `items` or `single`", "`items` for a list, `single` for one object."
    if kind.items and not kind.name:
        yield "", "LAY004", "there is no `name`", "Give the path of the object's name."
    if kind.naming and "key" not in kind.naming.groupindex:
        hint = "For example '^(?P<key>[1-9]\\d{0,2}) S'."
        yield "/naming", "LAY004", "`naming` has no group `key`", hint
    if kind.file != layout.file:
        yield from _file("/file", kind.file)
    yield from _programs(layout, kind.restart, "/restart")
    for key, capability in (("create", kind.create), ("remove", kind.remove)):
        yield from _evidence(layout, capability, f"/{key}", key)
    if kind.items and kind.create.ability is Ability.MANAGED:
        yield from _maker(kind)


def _maker(kind: KindLayout) -> Iterator[Problem]:
    """What making objects needs."""
    if kind.kind in {"camera", "user"}:
        hint = "Write `create: {ability: manual}`: hardware and users are made by the product's wizards only."
        yield "/create", "LAY003", f"a {kind.kind} is never made by file edit", hint
    elif not kind.template:
        hint = "List what a new object holds, or write `create: {ability: manual}`."
        yield "", "LAY004", "objects can be made, but there is no `template`", hint
    for key, paths in (
        ("ids", kind.ids or {}),
        ("constants", kind.constants or {}),
        ("where", kind.where or {}),
    ):
        for path in paths:
            if key != "ids" and is_hidden(path):
                hint = "The agent hides it: what was seen there is not what stands there. Write `create: {ability: manual}`."
                yield f"/{key}", "LAY003", f"`{key}` names {path}, which is called like a secret", hint
            elif kind.template and path not in kind.template:
                hint = f"Put {path} into `template`, where it stands in an object."
                yield f"/{key}", "LAY004", f"`{key}` names {path}, which the template does not hold", hint


def _programs(layout: Layout, programs: tuple[str, ...], pointer: str) -> Iterator[Problem]:
    known = {name.lower() for name in layout.restart}
    for name in programs:
        if name.lower() not in known:
            hint = "Put it into the layout's own `restart`, at its place in the order of stopping."
            yield pointer, "LAY007", f"{name} is not in the layout's `restart`", hint


def _evidence(layout: Layout, capability: Capability, pointer: str, what: str) -> Iterator[Problem]:
    in_lab = layout.lab_only and not layout.origin
    if capability.evidence == "assumed" and not in_lab:
        hint = "Learn it on a recorder of that version, or write `ability: manual` without evidence."
        yield pointer, "LAY002", f"{what}: `assumed` counts only in the tool's own layout of the lab", hint
    elif capability.ability is Ability.MANAGED and not capability.evidence:
        hint = "Managed needs evidence `proven` or `learned`; else write `ability: manual`."
        yield pointer, "LAY002", f"{what} is managed without evidence", hint
    elif capability.evidence == "learned" and layout.learned is None:
        hint = 'Add `learned: {"on": ..., by: ..., site: ..., tool: ...}` at the top.'
        yield pointer, "LAY002", f"{what} is `learned`, but the layout does not say where and when", hint


def _fields(layout: Layout, kind: KindLayout) -> Iterator[Problem]:
    for name, field in kind.fields.items():
        pointer = f"/fields/{name}"
        if name not in FIELDS[kind.kind]:
            hint = f"Known: {', '.join(FIELDS[kind.kind])}."
            yield pointer, "LAY005", f"there is no field {name}", hint
            continue
        for below, code, summary, hint in _field(layout, kind, field):
            yield f"{pointer}{below}", code, f"{name}: {summary}", hint


def _field(layout: Layout, kind: KindLayout, field: FieldLayout) -> Iterator[Problem]:
    yield from _form(field)
    yield from _evidence(layout, field.capability, "", "the field")
    yield from _programs(layout, field.restart or (), "/restart")
    if not field.managed:
        return
    paths = [
        field.path,
        field.gate,
        *(path for texts in (field.combination or {}).values() for path in texts),
    ]
    own = (
        field.name == "password",
        field.name.startswith("hardware."),
        *(bool(_NEVER.search(path)) or is_hidden(path) for path in paths),
    )
    if any(own) or kind.handle in paths:
        hint = "Write `ability: observable` or `manual`: the product alone writes identifiers, addresses and passwords."
        yield "", "LAY003", "never written by file edit", hint
    elif field.codec == "hidden":
        yield "/codec", "LAY005", "a hidden field cannot be managed", "Write `ability: manual`."


def _form(field: FieldLayout) -> Iterator[Problem]:
    if not field.path and field.codec not in {"hidden", "combination"}:
        yield "", "LAY005", "there is no `path`", "Say where its text stands."
    if field.codec in {"gated", "login"} and not field.gate:
        yield "", "LAY005", "there is no `gate`", f"`{field.codec}` needs the path of its switch."
    given = field.combination if field.codec == "combination" else field.values
    if field.codec in {"enum", "combination"}:
        yield from _values(field)
    elif given:
        yield "/values", "LAY005", f"`values` has no place beside codec {field.codec}", "Use codec enum."
    if field.codec not in _REFERENCES and (field.by != "handle" or field.form):
        yield "", "LAY005", "`by` and `form` are for references", "Use codec device, camera or event."


def _values(field: FieldLayout) -> Iterator[Problem]:
    wanted = dict if field.codec == "combination" else str
    given = (field.combination if field.codec == "combination" else field.values) or {}
    if not given:
        yield (
            "",
            "LAY005",
            "there are no `values`",
            f"Codec {field.codec} lists the stored text of each value.",
        )
    for value, text in given.items():
        if not isinstance(text, wanted):
            kind = "texts by path" if wanted is dict else "the stored text"
            yield f"/values/{value}", "LAY005", f"{value} is not {kind}", f"Codec {field.codec} wants {kind}."
    texts = [str(sorted(text.items())) if isinstance(text, dict) else text for text in given.values()]
    if len(set(texts)) != len(texts):
        yield "/values", "LAY005", "two values are stored alike", "Each value has a stored text of its own."
