"""A file that stands alone: no levels, no `!ref`, no `!secret`. Its text -> plain data that fits a schema, or diagnostics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import cast

from ivn_provision.diagnostics import Diagnostic, Severity, sort_key
from ivn_provision.secret import SecretRef
from ivn_provision.spec import schema_check
from ivn_provision.spec.levels import parse_map
from ivn_provision.spec.nodes import BAD, Node, Reference
from ivn_provision.spec.plain import Data, Plain
from ivn_provision.spec.source import Source


@dataclass(frozen=True, slots=True)
class Words:
    """How the readers' messages, which speak of sites, are said: `noun` is what the file is (`layout`),
    `begins` its first line."""

    noun: str
    begins: str

    def reworded(self, found: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
        """The same problems in the words of this file."""
        for each in found:
            summary = each.summary.replace("the site has", f"the {self.noun} has")
            hint = each.hint.replace("site: NAME", self.begins).replace(
                "Site files know", f"{self.noun.capitalize()} files do not know"
            )
            yield replace(each, summary=summary, hint=hint)


@dataclass(frozen=True, slots=True)
class Single:
    """`root` and `data` are None where there are errors."""

    root: Node | None
    data: Data
    diagnostics: tuple[Diagnostic, ...]


def read_single(path: str, content: bytes, schema: str, words: Words) -> Single:
    """A file's tree and its data, which `schema` has accepted."""
    parsed = parse_map(content, Source(path, words.noun))
    if parsed.root is None or any(each.is_error for each in parsed.diagnostics):
        return Single(None, None, tuple(words.reworded(parsed.diagnostics)))
    raw = _Raw(words.noun)
    raw.data = raw.value(parsed.root, "the file")
    found = [*parsed.diagnostics, *raw.found]
    found += schema_check.check(schema, cast("Plain", raw), parsed.root)
    said = tuple(sorted(words.reworded(found), key=sort_key))
    if any(each.is_error for each in found):
        return Single(None, None, said)
    return Single(parsed.root, raw.data, said)


@dataclass(slots=True)
class _Raw:
    """Plain data, in the form that the schema's check takes."""

    noun: str
    data: Data = None
    unknown: set[int] = field(default_factory=set)
    found: list[Diagnostic] = field(default_factory=list)

    def value(self, node: Node, name: str) -> Data:
        value = node.value
        if isinstance(value, dict):
            return {key: self.value(each, f"`{key[:60]}`") for key, each in value.items()}
        if isinstance(value, list):
            return [self.value(each, name) for each in value]
        if isinstance(value, bool | int | float | str):
            return value
        self.unknown.add(id(node))
        if value is not BAD:
            self._refuse(node, name)
        return None

    def _refuse(self, node: Node, name: str) -> None:
        if isinstance(node.value, Reference | SecretRef):
            summary = f"{name}: a {self.noun} file holds no !ref and no !secret"
            hint = "Write the text itself."
        else:
            summary, hint = f"{name} is empty", "Write a value, or take the key out; '' is the empty text."
        self.found.append(Diagnostic(Severity.ERROR, "SCH002", summary, node.place(), hint=hint))
