"""What is wrong with data that does not fit its schema, one diagnostic per problem, at its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
import jsonschema_rs

from ivn_provision.diagnostics import Diagnostic, Severity, sort_key
from ivn_provision.spec.nodes import Node, at_pointer, escape, walk
from ivn_provision.spec.plain import Data
from ivn_provision.spec.references import dotted
from ivn_provision.spec.schema_check import Fitting
from ivn_provision.spec.schema_files import strict_schema
from ivn_provision.spec.secret_keys import key_text, looks_secret, names_secret
from ivn_provision.spec.suggest import did_you_mean, listing

_TYPES = {
    "object": "a map",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}


class _Problem:
    """One error of jsonschema, beside the node it is about."""

    def __init__(self, error: jsonschema.ValidationError, root: Node) -> None:
        self.keyword = str(error.validator)
        self.wanted: Any = error.validator_value
        self.instance: Any = error.instance
        self.schema: dict[str, Any] = error.schema if isinstance(error.schema, dict) else {}
        self.names = "propertyNames" in error.absolute_schema_path
        self.pointer = "".join(f"/{escape(str(part))}" for part in error.absolute_path)
        self.node = at_pointer(root, self.pointer) or root
        self.path = dotted(root, self.pointer)
        self.key = self.path.rpartition(".")[2]

    @property
    def title(self) -> str:
        return f"`{self.path}`" if self.path else "the file"

    @property
    def expected(self) -> str:
        return str(self.schema.get("x-expected", ""))

    def is_about(self, unknown: set[int]) -> bool:
        """Is it only about a value that is not known: reported before, or a reference of a level?"""
        if self.keyword in {"oneOf", "anyOf"}:
            return any(id(node) in unknown for _, node in walk(self.node))
        return id(self.node) in unknown

    def shown(self) -> str:
        """The value as it may be shown; '' for maps, lists and what may hold a password (also in a URL)."""
        if self.instance is None or isinstance(self.instance, dict | list) or looks_secret(self.key):
            return ""
        text = str(self.instance).lower() if isinstance(self.instance, bool) else str(self.instance)
        text = "".join(each if each.isprintable() else "?" for each in text)
        if names_secret(text) or ("@" in text and ":" in text.partition("@")[0]):
            return ""
        return f"`{text[:57]}...`" if len(text) > 60 else f"`{text}`"

    def at_value(self, code: str, summary: str, hint: str = "") -> Diagnostic:
        return Diagnostic(Severity.ERROR, code, summary, self.node.place(), hint=hint)


def word_errors(name: str, plain: Fitting, root: Node) -> list[Diagnostic]:
    """All problems of `plain`, made from `root`: sorted, each once."""
    schema = strict_schema(name)
    found: dict[tuple[str, str, str], Diagnostic] = {}
    for error in jsonschema.Draft202012Validator(schema).iter_errors(plain.data):
        problem = _Problem(error, root)
        if problem.is_about(plain.unknown):
            continue
        for each in _WORDS.get(problem.keyword, _other)(problem):
            found.setdefault((each.code, str(each.place), each.summary), each)
    if not found and not plain.unknown:
        return _undecided(schema, plain.data, root)
    mistyped = {str(each.place) for each in found.values() if each.code == "SCH002"}
    kept = (each for each in found.values() if each.code != "SCH005" or str(each.place) not in mistyped)
    return sorted(kept, key=sort_key)


def _unknown(problem: _Problem) -> Iterator[Diagnostic]:
    known = list(problem.schema.get("properties", {}))
    node = problem.node.value
    for key in problem.instance:
        if key in known:
            continue
        place = node[key].key_place(key) if isinstance(node, dict) and key in node else problem.node.place()
        where = f"in `{problem.path}`" if problem.path else "at the top of the file"
        hint = f"{did_you_mean(key, known)}Allowed here: {listing(known, 40)}."
        yield Diagnostic(Severity.ERROR, "SCH001", f"unknown key `{_tidy(key)}` {where}", place, hint=hint)


def _missing(problem: _Problem) -> Iterator[Diagnostic]:
    properties = problem.schema.get("properties", {})
    for key in problem.wanted:
        if key not in problem.instance:
            about = _text(properties.get(key, {}).get("description"))
            what = "the playbook" if problem.node.source.level == "playbook" else "the site"
            where = f"`{problem.path}` has" if problem.path else f"{what} has"
            yield problem.at_value("SCH004", f"{where} no `{key}`", f"Add `{key}`. {about}".rstrip())


def _wrong_type(problem: _Problem) -> Iterator[Diagnostic]:
    kinds = problem.wanted if isinstance(problem.wanted, list) else [problem.wanted]
    wanted = " or ".join(_TYPES[kind] for kind in kinds)
    shown = problem.shown()
    given = f"{_kind(problem.instance)} {shown}".rstrip()
    hint = f"Write {problem.expected}." if problem.expected else ""
    if wanted == "text" and shown and not problem.expected:
        hint = f'Quote it: "{shown.strip("`")}".'
    elif wanted == "a list" and isinstance(problem.instance, dict):
        hint = "Each item of a list begins with `- `."
    yield problem.at_value("SCH002", f"{problem.title} wants {wanted}, not {given}", hint)


def _choice(problem: _Problem) -> Iterator[Diagnostic]:
    allowed = [
        str(each) for each in (problem.wanted if isinstance(problem.wanted, list) else [problem.wanted])
    ]
    guess = did_you_mean(str(problem.instance), allowed) if problem.shown() else ""
    summary = f"{problem.title} cannot be {problem.shown() or _kind(problem.instance)}"
    yield problem.at_value("SCH003", summary, f"{guess}Allowed: {listing(allowed)}.")


def _range(problem: _Problem) -> Iterator[Diagnostic]:
    low, high = problem.schema.get("minimum"), problem.schema.get("maximum")
    if low is None and "exclusiveMinimum" in problem.schema:
        low = f"more than {problem.schema['exclusiveMinimum']}"
    hint = f"Write {problem.expected}." if problem.expected else f"Allowed: {low} to {high}."
    yield problem.at_value("SCH005", f"{problem.title} is out of its range: {problem.shown()}", hint)


def _form(problem: _Problem) -> Iterator[Diagnostic]:
    wanted = problem.expected or f"text that matches {problem.schema.get('pattern', '')}"
    if problem.names:
        where = f"in {problem.title}"
        name = str(problem.instance)
        node = problem.node.value
        place = (
            node[name].key_place(name) if isinstance(node, dict) and name in node else problem.node.place()
        )
        summary = f"the key `{_tidy(name)}` {where} has the wrong form"
        yield Diagnostic(Severity.ERROR, "SCH006", summary, place, hint=f"Write {wanted}.")
        return
    shown = f": {problem.shown()}" if problem.shown() else ""
    yield problem.at_value("SCH006", f"{problem.title} has the wrong form{shown}", f"Write {wanted}.")


def _count(problem: _Problem) -> Iterator[Diagnostic]:
    said = {
        "minLength": "is empty",
        "maxLength": f"is longer than {problem.wanted} characters",
        "minItems": f"needs at least {problem.wanted} item{'s' if problem.wanted != 1 else ''}",
        "maxItems": f"has more than {problem.wanted} items",
        "uniqueItems": "names the same item twice",
        "minProperties": "is empty",
        "maxProperties": f"has more than {problem.wanted} key{'s' if problem.wanted != 1 else ''}",
    }[problem.keyword]
    hint = f"Write {problem.expected}." if problem.expected else ""
    yield problem.at_value("SCH007", f"{problem.title} {said}", hint)


def _shapes(problem: _Problem) -> Iterator[Diagnostic]:
    shown = problem.shown() or _kind(problem.instance)
    summary = f"{problem.title} cannot be {shown}"
    if isinstance(problem.instance, dict | list):
        summary = f"{problem.title} has none of the allowed shapes"
    yield problem.at_value("SCH008", summary, f"Write {problem.expected}." if problem.expected else "")


def _other(problem: _Problem) -> Iterator[Diagnostic]:
    yield problem.at_value("SCH006", f"{problem.title} does not fit the schema ({problem.keyword})")


_WORDS: dict[str, Callable[[_Problem], Iterator[Diagnostic]]] = {
    "additionalProperties": _unknown,
    "required": _missing,
    "type": _wrong_type,
    "enum": _choice,
    "const": _choice,
    "minimum": _range,
    "maximum": _range,
    "exclusiveMinimum": _range,
    "pattern": _form,
    "oneOf": _shapes,
    "anyOf": _shapes,
    **dict.fromkeys(
        ("minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties"),
        _count,
    ),
}


def _undecided(schema: dict[str, object], data: Data, root: Node) -> list[Diagnostic]:
    """What only jsonschema-rs refuses, for example a line end after a pattern that ends in `$`."""
    found = []
    for error in jsonschema_rs.Draft202012Validator(schema).iter_errors(data):
        pointer = "".join(f"/{escape(str(part))}" for part in error.instance_path)
        node = at_pointer(root, pointer) or root
        summary = f"`{dotted(root, pointer)}` has the wrong form"
        hint = "Check for a line end or blank after the value."
        found.append(Diagnostic(Severity.ERROR, "SCH006", summary, node.place(), hint=hint))
    return sorted(found, key=sort_key)


def _kind(instance: object) -> str:
    if isinstance(instance, bool):
        return "the truth value"
    names = ((str, "the text"), (int | float, "the number"), (dict, "a map"), (list, "a list"))
    return next((name for kind, name in names if isinstance(instance, kind)), "nothing")


def _tidy(key: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in key_text(key)[:60])


def _text(description: object) -> str:
    return description if isinstance(description, str) else ""
