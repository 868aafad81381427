"""Text of one file -> a tree of `Node`s, with every problem of the text itself.

On top of PyYAML's composer: YAML 1.2 scalars (`scalars.py`), no duplicate keys, no merge keys, only the tags
`!secret` and `!ref` and the core ones, bounded depth and alias expansion.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import yaml

from ivn_provision.diagnostics import Diagnostic, Place, Related, Severity
from ivn_provision.spec.composer import MAX_DEPTH, UNTAGGED, TooDeep, compose
from ivn_provision.spec.nodes import BAD, Leaf, Mark, Node
from ivn_provision.spec.scalars import Surprise, resolve_plain
from ivn_provision.spec.secret_keys import FREE_MAPS, key_text, known_keys, looks_secret, may_be_quoted
from ivn_provision.spec.source import Source
from ivn_provision.spec.tags import parse_reference, parse_secret
from ivn_provision.spec.yaml_errors import word_error

MAX_EXPANDED = 10_000
"""Most values that aliases may add to those written out."""

_CORE = "tag:yaml.org,2002:"
_MAP_TAGS = frozenset({UNTAGGED, f"{_CORE}map"})
_LIST_TAGS = frozenset({UNTAGGED, f"{_CORE}seq"})
_CORE_SCALARS = frozenset({f"{_CORE}{name}" for name in ("int", "float", "bool", "null")})
_UNCLEAR = "versions of YAML read this value differently"
_TAGS = frozenset({"!secret", "!ref"})
_GROUPS_HINT = "Put shared values into a group (groups/NAME.yml) or into fleet.yml."


@dataclass(frozen=True, slots=True)
class Parsed:
    """`root` is None when the text is not YAML at all."""

    root: Node | None
    diagnostics: tuple[Diagnostic, ...] = ()


def parse(text: str, source: Source) -> Parsed:
    """The tree of one file. Never raises for what a file holds."""
    try:
        root = compose(text)
    except (yaml.YAMLError, TooDeep) as problem:
        return Parsed(None, (word_error(problem, text, source.path),))
    except (UnicodeError, ValueError, OverflowError):
        place = Place(source.path, 1, 1, 1, 1)
        return Parsed(None, (Diagnostic(Severity.ERROR, "YML006", "the file is not YAML", place),))
    if root is None:
        hint = "Begin with `site: NAME`, or delete the file."
        place = Place(source.path, 1, 1, 1, 1)
        return Parsed(None, (Diagnostic(Severity.ERROR, "YML004", "the file is empty", place, hint=hint),))
    builder = _Builder(source, budget=len(text) + MAX_EXPANDED)
    try:
        node = builder.node(root, None, "", 0)
    except _Refused as refused:
        return Parsed(None, (*builder.diagnostics, refused.diagnostic))
    return Parsed(node, tuple(builder.diagnostics))


class _Refused(Exception):
    """The document as a whole is refused."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__()
        self.diagnostic = diagnostic


class _Builder:
    """One pass over the composed nodes of one document."""

    def __init__(self, source: Source, budget: int) -> None:
        self.source = source
        self.budget = budget
        self.diagnostics: list[Diagnostic] = []
        self._known = known_keys()
        self._unquoted = 0
        self._base = os.path.dirname(os.path.abspath(source.path))

    def node(self, raw: yaml.Node, key_mark: Mark | None, key: str, depth: int) -> Node:
        if isinstance(raw, yaml.ScalarNode):
            return Node(self._scalar(raw, key), raw.start_mark, raw.end_mark, key_mark, self.source)
        self.budget -= len(raw.value) + 1
        if self.budget < 0 or depth >= MAX_DEPTH:
            raise _Refused(self._too_much(raw))
        value: dict[str, Node] | list[Node] | Leaf
        if isinstance(raw, yaml.MappingNode):
            value = self._map(raw, key, depth + 1) if raw.tag in _MAP_TAGS else self._bad_tag(raw, key)
        elif raw.tag in _LIST_TAGS:
            value = [self.node(each, None, key, depth + 1) for each in raw.value]
        else:
            value = self._bad_tag(raw, key)
        return Node(value, raw.start_mark, raw.end_mark, key_mark, self.source)

    def _too_much(self, raw: yaml.Node) -> Diagnostic:
        if self.budget < 0:
            summary = f"aliases expand to more than {MAX_EXPANDED} values"
            return self._error("YML016", summary, self._place(raw), _GROUPS_HINT)
        if _contains_itself(raw):
            hint = "An alias must not stand inside the value that its anchor marks."
            return self._error("YML017", "an alias contains itself", self._place(raw), hint)
        return word_error(TooDeep(raw), "", self.source.path)

    def _map(self, raw: yaml.MappingNode, parent: str, depth: int) -> dict[str, Node]:
        """The hot loop: nine of ten values are untagged scalars under a key that is a word."""
        found: dict[str, Node] = {}
        scalar_type, source, plain, known = yaml.ScalarNode, self.source, resolve_plain, self._known
        for key_node, value_node in raw.value:
            key = key_node.value
            if key_node.__class__ is not scalar_type or key_node.tag or key not in known:
                usable = self._key(key_node)
                if usable is None:
                    continue
                key = usable
            if key in found:
                self._duplicate(key, key_node, found[key])
                continue
            start = key_node.start_mark
            if value_node.__class__ is not scalar_type:
                unquoted = key not in known
                self._unquoted += unquoted
                found[key] = self.node(value_node, start, key, depth)
                self._unquoted -= unquoted
                continue
            value = value_node.value
            if value_node.tag:
                value = self._scalar(value_node, key, parent)
            elif not value_node.style:
                value = plain(value)
                if value.__class__ is Surprise:
                    value = self._surprise(value_node, value, key, parent)
            found[key] = Node(value, value_node.start_mark, value_node.end_mark, start, source)
        return found

    def _key(self, raw: yaml.Node) -> str | None:
        """A key that is none of the schema's: usable as text, or reported."""
        hint = "A key is text: quote it if it is meant to be one of a free map such as labels."
        if not isinstance(raw, yaml.ScalarNode):
            self._add("YML010", "a map or list is used as a key", self._place(raw), hint)
            return None
        if raw.tag == f"{_CORE}str" or (raw.tag == UNTAGGED and raw.style):
            return str(raw.value)
        if raw.tag == UNTAGGED and raw.value == "<<":
            self._add("YML011", "merge keys (<<) are not used here", self._place(raw), _GROUPS_HINT)
            return None
        if raw.tag == UNTAGGED:
            if resolve_plain(raw.value) == raw.value:
                return str(raw.value)
            shown = f"`{raw.value[:40]}`" if raw.value else "nothing"
            self._add("YML010", f"{shown} is used as a key, which is not text", self._place(raw), hint)
        else:
            self._bad_tag(raw, "")
        return None

    def _duplicate(self, key: str, raw: yaml.Node, first: Node) -> None:
        related = (Related(first.key_place(key), "written here first"),)
        place = self._place(raw)
        summary = f"the key `{key_text(key)[:80]}` is written twice in this map"
        hint = "Keep one of the two; items of a list each begin with `- `."
        self.diagnostics.append(
            Diagnostic(Severity.ERROR, "YML009", summary, place, hint=hint, related=related)
        )

    def _scalar(self, raw: yaml.ScalarNode, key: str, parent: str = "") -> Leaf:
        tag = raw.tag
        if tag == UNTAGGED and not raw.style:
            value = resolve_plain(raw.value)
            return self._surprise(raw, value, key, parent) if isinstance(value, Surprise) else value
        if tag in {UNTAGGED, f"{_CORE}str"}:
            return str(raw.value)
        if tag == "!secret":
            return self._checked(parse_secret(raw.value, self._base), raw)
        if tag == "!ref":
            return self._checked(parse_reference(raw.value), raw)
        if tag in _CORE_SCALARS:
            value = resolve_plain(raw.value)
            return value if not isinstance(value, str | Surprise) else self._bad_tag(raw, key)
        return self._bad_tag(raw, key)

    def _checked(self, value: Leaf | Surprise, raw: yaml.Node) -> Leaf:
        if isinstance(value, Surprise):
            self._add(value.code, value.summary, self._place(raw), value.hint)
            return BAD
        return value

    def _surprise(self, raw: yaml.ScalarNode, surprise: Surprise, key: str, parent: str) -> Leaf:
        """A plain scalar that is refused. What may be a password is never quoted.

        Where the schema will refuse it anyway (a secret in clear, an unknown key) it goes on as text.
        """
        if not self._unquoted and may_be_quoted(key, parent):
            return self._checked(surprise, raw)
        if parent in FREE_MAPS and not self._unquoted:
            return self._checked(replace(surprise, summary=_UNCLEAR, hint="Quote it if it is text."), raw)
        return str(raw.value)

    def _bad_tag(self, raw: yaml.Node, key: str) -> Leaf:
        """A password in clear may begin with `!`: then its first word is a tag, and never quoted."""
        harmless = not self._unquoted and not looks_secret(key) and key in self._known
        quoted = harmless or raw.tag in _TAGS or raw.tag.startswith(_CORE)
        tag = f"the tag {str(raw.tag).replace(_CORE, '!!')[:60]}" if quoted else "this tag"
        hint = "These files know `!secret SCHEME:NAME` and `!ref PATH`, both before a plain value."
        self._add("YML012", f"{tag} is not allowed here", self._place(raw), hint)
        return BAD

    def _place(self, raw: yaml.Node) -> Place:
        start, end = raw.start_mark, raw.end_mark
        return Place(self.source.path, start.line + 1, start.column + 1, end.line + 1, end.column + 1)

    def _error(self, code: str, summary: str, place: Place, hint: str) -> Diagnostic:
        return Diagnostic(Severity.ERROR, code, summary, place, hint=hint)

    def _add(self, code: str, summary: str, place: Place, hint: str) -> None:
        self.diagnostics.append(self._error(code, summary, place, hint))


def _contains_itself(raw: yaml.Node) -> bool:
    """Does a path of its children lead back to a node? Looks at one path per child, to a bounded depth."""
    pending: list[tuple[yaml.Node, frozenset[int]]] = [(raw, frozenset())]
    for _ in range(MAX_EXPANDED):
        if not pending:
            return False
        node, above = pending.pop()
        if id(node) in above:
            return True
        if isinstance(node, yaml.MappingNode):
            pending += [(each, above | {id(node)}) for pair in node.value for each in pair]
        elif isinstance(node, yaml.SequenceNode):
            pending += [(each, above | {id(node)}) for each in node.value]
    return True
