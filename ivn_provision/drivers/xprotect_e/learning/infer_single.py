"""From the passes of a session to what a layout says of a kind that is there once: the mail settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import takewhile

from ivn_provision.drivers.xprotect_e.learning.explain import TYPES, References, Sample, explain
from ivn_provision.drivers.xprotect_e.learning.findings import FieldFinding, KindFinding
from ivn_provision.drivers.xprotect_e.learning.passes import Value
from ivn_provision.drivers.xprotect_e.learning.samples import (
    Session,
    noise,
    noise_notes,
    restarted,
    states,
    touched,
)
from ivn_provision.drivers.xprotect_e.learning.structure import Leaves, below, leaves
from ivn_provision.errors import Refused

Placed = tuple[str, FieldFinding]


def infer_single(session: Session, *, file: str = "") -> KindFinding:
    """Learn mail settings. Raises Refused if no field at all was found."""
    everywhere = [_field(session, name, what, file) for name, what in TYPES[session.kind].items()]
    count = Counter(path for path, each in everywhere if each.is_learned)
    if not count:
        raise Refused(
            "nothing in the recorder's files follows what was typed",
            where=f"kind {session.kind}",
            next_step="was each pass saved? If it was, the product keeps it in no readable file: it stays by hand",
        )
    chosen = count.most_common(1)[0][0]
    found = [_in_file(each, path, chosen) for path, each in everywhere]
    single = _root(session, chosen, [each for each in found if each.is_learned])
    fields = tuple(
        replace(each, path=_below(single, each.path), gate=_below(single, each.gate)) for each in found
    )
    if session.kind == "mail_server":
        fields += (_PASSWORD,)
    return KindFinding(
        kind=session.kind,
        file=chosen,
        fields=fields,
        restart=restarted(session),
        single=single,
        former=_former(session, chosen, found),
        notes=noise_notes(session, chosen),
    )


_PASSWORD = FieldFinding(
    "password",
    "hidden",
    reason="the product encrypts it and no encoder is known; typed in Server Properties (R-44)",
)


def _field(session: Session, name: str, what: str, wanted_file: str) -> Placed:
    """The file in which a field was found, and how."""
    known = noise(session)
    found: list[Placed] = []
    reasons: list[FieldFinding] = []
    for path in session.files:
        if wanted_file and path != wanted_file:
            continue
        samples = [
            Sample(state.values, _without(leaves(session.frames[state.index].files[path]), path, known))
            for state in states(session, session.kind)
        ]
        each = explain(name, what, samples, References(), touched(session, [name]))
        if each.is_learned:
            found.append((path, each))
        else:
            reasons.append(each)
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(path for path, _ in found)
        return found[0][0], replace(found[0][1], reason=f"it stands in {len(found)} files: {names}")
    best = sorted(reasons, key=lambda each: each.reason == "no text in the file follows it")
    return "", best[0]


def _without(texts: Leaves, path: str, known: frozenset[tuple[str, str]]) -> Leaves:
    return {leaf: text for leaf, text in texts.items() if (path, leaf) not in known}


def _in_file(found: FieldFinding, path: str, chosen: str) -> FieldFinding:
    if found.is_learned and path != chosen:
        return replace(found, codec="hidden", reason=f"it stands in another file than the rest: {path}")
    return found


def _root(session: Session, path: str, fields: Sequence[FieldFinding]) -> str:
    """The deepest element that holds all fields and is there exactly once."""
    folders = [each.split("/")[:-1] for field in fields for each in (field.path, field.gate) if each]
    steps = [step for step, *_ in takewhile(lambda each: len(set(each)) == 1, zip(*folders, strict=False))]
    while steps and any(
        len(list(below(frame.files[path], "/".join(steps)))) != 1 for frame in session.frames
    ):
        steps = steps[:-1]
    return "/".join(steps) or "."


def _below(single: str, path: str) -> str:
    return path.removeprefix(f"{single}/") if single != "." else path


def _former(session: Session, path: str, fields: Sequence[FieldFinding]) -> Mapping[str, Value]:
    """The values before the first pass, so that a person can put them back."""
    texts = leaves(session.frames[0].files[path])
    former: dict[str, Value] = {}
    for each in fields:
        found = texts.get(each.path, ())
        if each.is_learned and len(found) == 1:
            former[each.name] = _decoded(each, found[0], texts)
    return former


def _decoded(each: FieldFinding, text: str, texts: Leaves) -> Value:
    if each.codec in {"bool01", "not01"}:
        return (text.strip() == "1") is (each.codec == "bool01")
    if each.values:
        known = next((name for name, stored in each.values.items() if stored == text.strip()), text)
        return known == "true" if known in {"true", "false"} else known
    if each.codec == "list":
        return tuple(part.strip() for part in text.split(each.separator) if part.strip())
    if each.codec == "login" and texts.get(each.gate, ("",))[0].strip() != "1":
        return ""
    return text
