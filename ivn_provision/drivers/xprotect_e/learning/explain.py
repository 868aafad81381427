"""Which text of an object says the value of a field, and in which form. Never a guess: one place or none."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ivn_provision.drivers.xprotect_e.learning.findings import FieldFinding
from ivn_provision.drivers.xprotect_e.learning.passes import Value
from ivn_provision.drivers.xprotect_e.learning.structure import Leaves
from ivn_provision.drivers.xprotect_e.xml_document import is_hidden

TYPES: Mapping[str, Mapping[str, str]] = {
    "generic_event": {
        "name": "text",
        "enabled": "switch",
        "match": "text",
        "rule": "choice",
        "email": "switch",
    },
    "hardware_event": {
        "name": "text",
        "enabled": "switch",
        "device": "device",
        "input": "number",
        "edge": "choice",
        "camera": "camera",
        "email": "switch",
        "record": "choice",
    },
    "alarm": {"enabled": "switch", "source": "event", "time_profile": "text"},
    "mail_message": {"enabled": "switch", "recipients": "list", "subject": "text", "body": "lines"},
    "mail_server": {
        "sender": "text",
        "host": "text",
        "port": "number",
        "security": "choice",
        "username": "login",
    },
}
"""How each field can be written at all; `model/desired.py` says which there are."""

SEPARATORS = (";", ",", "; ", ", ", "|", "\n", "\t", " ")
_GUID = re.compile(r"\{?[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}?")
_FORMS: Mapping[str, re.Pattern[str]] = {
    "guid": re.compile(r"[0-9a-f-]{36}"),
    "guid_upper": re.compile(r"[0-9A-F-]{36}"),
    "guid_braces": re.compile(r"\{[0-9A-F-]{36}\}"),
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One object at one moment: the values that it had, and its texts."""

    values: Mapping[str, Value]
    leaves: Leaves


@dataclass(frozen=True, slots=True)
class Target:
    """Something that can be pointed at: its identifier and its name."""

    handle: str
    name: str


@dataclass(frozen=True, slots=True)
class References:
    """Targets by the value that names them: devices by address, cameras and events by name."""

    device: Mapping[str, Target] = field(default_factory=dict)
    camera: Mapping[str, Target] = field(default_factory=dict)
    event: Mapping[str, Target] = field(default_factory=dict)


Pairs = Sequence[tuple[Value, str]]
Test = Callable[[Pairs], FieldFinding | None]


def explain(
    name: str, what: str, samples: Sequence[Sample], references: References, passes: tuple[str, ...]
) -> FieldFinding:
    """How a field stands in the samples' texts; with a `reason` if that is not clear beyond doubt."""
    if what == "login":
        return _explain_login(name, samples, references, passes)
    known = [sample for sample in samples if name in sample.values]
    blank = FieldFinding(name, _CODEC.get(what, what), passes=passes)
    if len({sample.values[name] for sample in known}) < 2 and what not in _REFERENCES:
        return replace(blank, codec="hidden", reason="no pass changed it, so its place was not found")
    test = _tests(name, references)[what]
    found = [replace(each, path=path, passes=passes) for path, each in _matches(name, known, test)]
    if len(found) == 1:
        return found[0]
    if found:
        places = " and ".join(each.path for each in found[:3])
        return replace(
            found[0], reason=f"it stands in {len(found)} places ({places}), of which one can be written"
        )
    return replace(blank, codec="hidden", reason=_why_not(name, what, known))


def _matches(name: str, samples: Sequence[Sample], test: Test) -> list[tuple[str, FieldFinding]]:
    found = []
    for path in samples[0].leaves if samples else ():
        texts = [sample.leaves.get(path, ()) for sample in samples]
        if path != "." and not is_hidden(path) and all(len(each) == 1 for each in texts):
            pairs = [(sample.values[name], each[0]) for sample, each in zip(samples, texts, strict=True)]
            if (finding := test(pairs)) is not None:
                found.append((path, finding))
    return found


def _tests(name: str, references: References) -> Mapping[str, Test]:
    def blank(codec: str, **more: object) -> FieldFinding:
        return replace(FieldFinding(name, codec), **more)  # type: ignore[arg-type]

    def text(pairs: Pairs) -> FieldFinding | None:
        return blank("text") if all(value == found.strip() for value, found in pairs) else None

    def lines(pairs: Pairs) -> FieldFinding | None:
        return blank("lines") if all(value == found for value, found in pairs) else None

    def number(pairs: Pairs) -> FieldFinding | None:
        return blank("number") if all(str(value) == found.strip() for value, found in pairs) else None

    def joined(pairs: Pairs) -> FieldFinding | None:
        separator = _separator(pairs)
        return blank("list", separator=separator) if separator else None

    def choice(pairs: Pairs) -> FieldFinding | None:
        values = _values(pairs)
        return blank("enum", values=values) if values else None

    def switch(pairs: Pairs) -> FieldFinding | None:
        values = _values(pairs)
        codec = {("1", "0"): "bool01", ("0", "1"): "not01"}
        plain = codec.get((values.get("true", ""), values.get("false", ""))) if values else None
        return blank(plain) if plain else choice(pairs)

    def reference(table: Mapping[str, Target], codec: str) -> Test:
        return lambda pairs: _reference(pairs, table, blank(codec))

    return {
        "text": text,
        "lines": lines,
        "number": number,
        "list": joined,
        "choice": choice,
        "switch": switch,
        "device": reference(references.device, "device"),
        "camera": reference(references.camera, "camera"),
        "event": reference(references.event, "event"),
    }


_REFERENCES = ("device", "camera", "event")
_CODEC = {"switch": "enum", "choice": "enum"}


def _values(pairs: Pairs) -> dict[str, str]:
    """Text by value, if each value has its own and always the same."""
    table: dict[str, str] = {}
    for value, found in pairs:
        key = str(value).lower() if isinstance(value, bool) else str(value)
        if table.setdefault(key, found.strip()) != found.strip():
            return {}
    return table if len(set(table.values())) == len(table) > 1 else {}


def _separator(pairs: Pairs) -> str:
    """What stands between the items; "" if the texts are no such list."""
    lists = [(value, found) for value, found in pairs if isinstance(value, tuple)]
    if not any(len(value) > 1 for value, _ in lists):
        return ""
    fits = (each for each in SEPARATORS if all(each.join(value) == found for value, found in lists))
    return next(fits, "")


def _reference(pairs: Pairs, table: Mapping[str, Target], blank: FieldFinding) -> FieldFinding | None:
    targets = [(table.get(str(value)), found.strip()) for value, found in pairs]
    known = [(target, found) for target, found in targets if target is not None]
    if not known or len(known) < len(targets):
        return None
    if all(target.handle and target.handle == found for target, found in known):
        return replace(blank, by="handle")
    if all(is_guid(found) and bare(target.handle) == bare(found) for target, found in known):
        forms = {form_of(found) for _, found in known}
        return replace(blank, by="handle", form=forms.pop()) if len(forms) == 1 and "" not in forms else None
    if len({target.name for target, _ in known}) > 1 and all(target.name == found for target, found in known):
        return replace(blank, by="name")
    return None


def _explain_login(
    name: str, samples: Sequence[Sample], references: References, passes: tuple[str, ...]
) -> FieldFinding:
    """A name behind a switch: the switch is found by the passes in which there is no name."""
    given = [sample for sample in samples if sample.values.get(name)]
    found = explain(name, "text", given, references, passes)
    seen = [
        Sample({name: bool(sample.values[name])}, sample.leaves)
        for sample in samples
        if name in sample.values
    ]
    if not found.is_learned or len(seen) == len(given):
        return found
    gate = explain(name, "switch", seen, references, passes)
    if gate.is_learned and gate.codec == "bool01":
        return replace(found, codec="login", gate=gate.path)
    if all(sample.leaves.get(found.path, ("",)) == ("",) for sample in seen if not sample.values[name]):
        return found if gate.codec == "hidden" else replace(found, reason=_SWITCH.format(gate.path))
    return replace(found, reason=_SWITCH.format(gate.path or "that was not found"))


_SWITCH = "it stands behind a switch that is not written as 0 and 1 ({})"


def _why_not(name: str, what: str, samples: Sequence[Sample]) -> str:
    """Why no path fits, as far as that can be told."""
    paths = {path for sample in samples for path in sample.leaves}
    for path in sorted(paths):
        texts = [sample.leaves.get(path, ()) for sample in samples]
        if what == "list" and all(sample.values[name] == t for sample, t in zip(samples, texts, strict=True)):
            return f"its items stand in elements of their own ({path}), which a layout cannot write"
        if what in {"switch", "choice"} and _comes_and_goes(name, samples, texts):
            return f"{path} is there with some values only, which a layout cannot write"
        if what in {"text", "lines"} and _nearly(name, samples, texts):
            return f"{path} holds it in another form (escaped, or with other line ends)"
    return "no text in the file follows it"


def _comes_and_goes(name: str, samples: Sequence[Sample], texts: Sequence[tuple[str, ...]]) -> bool:
    there: dict[Value, set[bool]] = {}
    for sample, each in zip(samples, texts, strict=True):
        there.setdefault(sample.values[name], set()).add(bool(each))
    return all(len(seen) == 1 for seen in there.values()) and len({min(s) for s in there.values()}) == 2


def _nearly(name: str, samples: Sequence[Sample], texts: Sequence[tuple[str, ...]]) -> bool:
    words = [str(sample.values[name]).split()[:2] for sample in samples]
    return all(len(t) == 1 and w and all(x in t[0] for x in w) for w, t in zip(words, texts, strict=True))


def is_guid(text: str) -> bool:
    return _GUID.fullmatch(text) is not None


def bare(text: str) -> str:
    """A GUID without its form."""
    return text.strip("{}").lower()


def form_of(text: str) -> str:
    """The form of a GUID by the names of the layout file, "" for one that it cannot make."""
    return next((name for name, pattern in _FORMS.items() if pattern.fullmatch(text)), "")
