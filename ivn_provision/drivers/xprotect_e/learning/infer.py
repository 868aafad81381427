"""From the passes of a session to what a layout says of a kind with objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from ivn_provision.drivers.xprotect_e.learning.explain import (
    TYPES,
    References,
    bare,
    explain,
    form_of,
    is_guid,
)
from ivn_provision.drivers.xprotect_e.learning.findings import FieldFinding, KindFinding
from ivn_provision.drivers.xprotect_e.learning.objects import Seen, Spot, by_subject, seen, spot_of
from ivn_provision.drivers.xprotect_e.learning.passes import Pass
from ivn_provision.drivers.xprotect_e.learning.samples import (
    Session,
    base,
    changes,
    noise,
    noise_notes,
    restarted,
    touched,
)
from ivn_provision.drivers.xprotect_e.learning.structure import below, leaves
from ivn_provision.drivers.xprotect_e.xml_document import is_hidden

MARK = "Provisioned by ivn-provision"
_MARKER = {"alarm": "description"}


def infer_objects(session: Session, references: References, *, file: str = "") -> KindFinding:
    """Learn a kind whose objects were added, changed and removed. Raises Refused naming the pass that is off."""
    kind = session.kind
    spot = spot_of(session, kind, file)
    found = seen(session, kind, spot)
    fields = _unshared(_fields(kind, found, references, session))
    parts = _parts(kind, spot, found, fields, session)
    side = _side_effects(session, spot)
    problems = [*parts.problems, *side["add"]]
    if parts.handle == spot.name:
        fields = tuple(_unless_name(each, spot.name) for each in fields)
    return KindFinding(
        kind=kind,
        file=spot.file,
        fields=fields,
        restart=restarted(session),
        items=spot.items,
        handle=parts.handle,
        ids=parts.ids,
        name=spot.name,
        marker=parts.marker,
        template=parts.template,
        constants=parts.constants,
        by_hand="; ".join(problems[:3]),
        keep="; ".join([*_unmarked(kind, parts), *side["remove"]][:3]),
        notes=(*noise_notes(session, spot.file), *(f"changing an object: {text}" for text in side["change"])),
    )


def _fields(
    kind: str, found: Sequence[Seen], references: References, session: Session
) -> tuple[FieldFinding, ...]:
    samples = [each.sample for each in found]
    return tuple(
        explain(name, what, samples, references, touched(session, [name]))
        for name, what in TYPES[kind].items()
    )


def _unshared(fields: Sequence[FieldFinding]) -> tuple[FieldFinding, ...]:
    """Two fields that lead to one text are both by hand: writing one would change the other."""
    paths = [each.path for each in fields if each.is_learned]
    return tuple(
        replace(each, reason=f"{each.path} seems to hold another field too")
        if each.is_learned and paths.count(each.path) > 1
        else each
        for each in fields
    )


def _unless_name(field: FieldFinding, name: str) -> FieldFinding:
    reason = "the name is all that an object is known by: it is not renamed"
    return replace(field, reason=reason) if field.path == name and field.is_learned else field


@dataclass(frozen=True, slots=True)
class _Parts:
    """What an object consists of besides its fields."""

    template: tuple[str, ...]
    constants: Mapping[str, str]
    ids: Mapping[str, str]
    handle: str
    marker: str
    problems: tuple[str, ...]


def _parts(
    kind: str, spot: Spot, found: Sequence[Seen], fields: Sequence[FieldFinding], session: Session
) -> _Parts:
    paths = list(dict.fromkeys(path for each in found for path in each.leaves))
    marker = _marker(kind, found)
    told = {each.path for each in fields if each.is_learned} | {each.gate for each in fields}
    told |= {spot.name, marker}
    ids: dict[str, str] = {}
    constants = {**_usual(found, fields), **({marker: MARK} if marker else {})}
    problems = ["the product gives each object an element name of its own"] if spot.numbered else []
    for path in paths:
        texts = [each.leaves.get(path, ()) for each in found]
        if path == "." or any(len(each) != 1 for each in texts):
            problems.append(f"{path} is not there exactly once in every object")
        elif is_hidden(path):
            problems.append(f"{path} is called like a secret, so what stands there is not shown")
        elif path in told:
            continue
        elif len({each[0] for each in texts}) == 1:
            constants[path] = texts[0][0]
        elif made := _identifier(path, spot, found, session):
            ids[path] = made
        else:
            problems.append(f"{path} differs from object to object and nothing explains it")
    problems += _twins(ids, found)
    if not ids:
        problems.append("an object has no identifier besides its name")
    handle = next((path for path, form in ids.items() if form != "next_number"), next(iter(ids), spot.name))
    return _Parts(tuple(paths), constants, ids, handle, marker, tuple(problems))


def _usual(found: Sequence[Seen], fields: Sequence[FieldFinding]) -> dict[str, str]:
    """Texts for switches and choices that a site file leaves open: those that the object was added with."""
    first = next((each for each in found if each.state.subject == "object"), found[0])
    return {
        each.path: first.leaves[each.path][0]
        for each in fields
        if each.is_learned and each.codec in {"enum", "bool01", "not01"}
    }


def _marker(kind: str, found: Sequence[Seen]) -> str:
    """The path of the description, which carries our mark."""
    name = _MARKER.get(kind, "")
    paths = [
        path
        for path in (found[0].leaves if name else ())
        if all(each.leaves.get(path) == (each.state.values.get(name),) for each in found)
    ]
    return paths[0] if len(paths) == 1 else ""


def _unmarked(kind: str, parts: _Parts) -> list[str]:
    if kind not in _MARKER or parts.marker:
        return []
    return ["no text for our mark was found, so objects of others could not be told from ours"]


def _identifier(path: str, spot: Spot, found: Sequence[Seen], session: Session) -> str:
    """How an identifier is made: constant in an object, another in each, in a form that we can make."""
    groups = by_subject(found)
    texts = {
        subject: {each.leaves[path][0].strip() for each in moments} for subject, moments in groups.items()
    }
    if any(len(each) != 1 for each in texts.values()):
        return ""
    values = [next(iter(each)) for each in texts.values()]
    if len(set(values)) < len(values):
        return ""
    forms = {form_of(each) if is_guid(each) else "" for each in values}
    if len(forms) == 1 and "" not in forms:
        return forms.pop()
    firsts = [moments[0] for moments in groups.values()]
    numbered = len(firsts) > 1 and all(_is_next(path, spot, each, session) for each in firsts)
    return "next_number" if numbered else ""


def _is_next(path: str, spot: Spot, first: Seen, session: Session) -> bool:
    """Whether a new object's number was the highest one plus one."""
    before = session.frames[first.state.index - 1].files[spot.file]
    taken = [leaves(node).get(path, ("",))[0] for node in below(before, spot.items)]
    highest = max((int(each) for each in taken if each.isdecimal()), default=0)
    return first.leaves[path][0] == str(highest + 1) and all(each.isdecimal() for each in taken)


def _twins(ids: Mapping[str, str], found: Sequence[Seen]) -> list[str]:
    """Identifiers that are one and the same: two new ones would not be."""
    return [
        f"the identifier stands in two places ({path} and {other})"
        for path, other in combinations(ids, 2)
        if all(bare(each.leaves[path][0]) == bare(each.leaves[other][0]) for each in found)
    ]


def _side_effects(session: Session, spot: Spot) -> Mapping[str, list[str]]:
    """What passes of this kind changed besides the objects, by action."""
    known = noise(session)
    found: dict[str, dict[str, None]] = {"add": {}, "remove": {}, "change": {}}
    first = next(index for index, each in enumerate(session.passes, 1) if _is_add(each, session.kind))
    last = max(index for index, each in enumerate(session.passes, 1) if each.kind == session.kind)
    for index, each in enumerate(session.passes, start=1):
        # With the first and the last object its list may come and go.
        if each.kind != session.kind or each.action not in found or index in {first, last}:
            continue
        for path in session.files:
            for diff in changes(session, index, path):
                inside = path == spot.file and f"{diff.path}/".startswith(f"{_prefix(spot, diff.path)}/")
                if not inside and (path, diff.path) not in known:
                    found[each.action][f"it also changes {diff.path} of {base(path)}"] = None
    return {action: list(texts) for action, texts in found.items()}


def _is_add(each: Pass, kind: str) -> bool:
    return each.action == "add" and each.kind == kind


def _prefix(spot: Spot, path: str) -> str:
    """The items' path with the tag that stands in `path` for `*`."""
    if not spot.items.endswith("*"):
        return spot.items
    depth = spot.items.count("/") + 1
    return "/".join(path.split("/")[:depth]) if path.startswith(spot.items[:-1]) else spot.items
