"""Triggers and conditions: what a site calls them, and the topic and filter that a camera has (facts/axis.md, 5).

Two filters are taken for equal only where that can be proven: a pure `and` of comparisons of simple items is a
set of pairs, anything else its exact text. Numbers count from 1 in a site. On the wire an input counts from 0
(recorded), and a virtual input from 1 (read off a public event tree; not in Axis's documents).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from ivn_provision.drivers.axis.soap import TNS1, TNSAXIS

PORT = "tns1:Device/tnsaxis:IO/Port"
VIRTUAL_INPUT = "tns1:Device/tnsaxis:IO/VirtualInput"
TOPIC_DIALECT = "http://docs.oasis-open.org/wsn/t-1/TopicExpression/Concrete"
FILTER_DIALECT = "http://www.onvif.org/ver10/tev/messageContentFilter/ItemFilter"
ANY = -1
_PREFIXES = {TNS1: "tns1", TNSAXIS: "tnsaxis"}
_SUFFIXES = re.compile(r"(?:\.//\s*)+")
"""`//.` from right to left."""
_TEXT = """("[^"]*"|'[^']*')"""
_COMPARISON = rf"boolean\(\s*//SimpleItem\[\s*@Name\s*=\s*{_TEXT}\s+and\s+@Value\s*=\s*{_TEXT}\s*\]\s*\)"
_PURE = re.compile(rf"\s*{_COMPARISON}\s*(?:and\s+|$)")
_DECLARED = re.compile(r"(virtual )?input ([1-9][0-9]{0,3}|any) (active|inactive)")


@dataclass(frozen=True, slots=True)
class Condition:
    """One event a rule looks at, in canonical form: `pairs` is what a pure filter compares, in order of names.

    `pairs` None: the filter is anything else, and only `filter` says what.
    """

    topic: str
    filter: str
    pairs: tuple[tuple[str, str], ...] | None

    def __str__(self) -> str:
        """As a site declares it where it can be said so, else topic and filter."""
        return _name_of(self) or " ".join(filter(None, (self.topic, self.filter)))


def condition_of(topic: str, content: str, spaces: Mapping[str | None, str]) -> Condition:
    """Of what a camera says; `spaces` are the prefixes that are declared where the topic stands."""
    pairs = _pairs(content)
    canonical = filter_text(pairs) if pairs is not None else content.strip()
    return Condition(_canonical_topic(topic, spaces), canonical, pairs)


def declared(text: str) -> Condition:
    """Of `input 1 active` and its like, or of topic and filter as `str` gives them (an earlier state may hold
    such). Raises ValueError for what is none of these."""
    found = _DECLARED.fullmatch(text)
    if found is None or (found[1] and found[2] == "any"):
        topic, _, content = text.partition(" ")
        if ":" not in topic:
            raise ValueError(text)
        return condition_of(topic, content, {name: space for space, name in _PREFIXES.items()})
    state = "1" if found[3] == "active" else "0"
    number = ANY if found[2] == "any" else int(found[2])
    if found[1]:
        return _condition(VIRTUAL_INPUT, {"port": str(number), "active": state})
    return _condition(PORT, {"port": str(number if number == ANY else number - 1), "state": state})


def _condition(topic: str, items: Mapping[str, str]) -> Condition:
    pairs = tuple(sorted(items.items()))
    return Condition(topic, filter_text(pairs), pairs)


def filter_text(pairs: tuple[tuple[str, str], ...]) -> str:
    """A filter in the form that the camera's own pages write."""
    return " and ".join(
        f"boolean(//SimpleItem[@Name={_quoted(n)} and @Value={_quoted(v)}])" for n, v in pairs
    )


def _quoted(text: str) -> str:
    """XPath 1.0 has no escapes: a text with one kind of quotes stands in the other kind."""
    return f"'{text}'" if '"' in text else f'"{text}"'


def _pairs(content: str) -> tuple[tuple[str, str], ...] | None:
    for text in dict.fromkeys((content, unquote(content))):
        found: list[tuple[str, str]] = []
        at = 0
        while part := _PURE.match(text, at):
            found.append((part[1][1:-1], part[2][1:-1]))
            at = part.end()
        ends_open = text[:at].rstrip().endswith(" and")
        if found and at == len(text) and not ends_open:
            return tuple(sorted(found))
    return None


def _canonical_topic(topic: str, spaces: Mapping[str | None, str]) -> str:
    """Without the `//.` that some firmware appends, with our prefixes for the namespaces that they mean."""
    text = topic.strip()
    if found := _SUFFIXES.match(text[::-1]):  # from its end: what a camera says may be long
        text = text[: len(text) - found.end()]
    return "/".join(_step(each, spaces) for each in text.split("/"))


def _step(step: str, spaces: Mapping[str | None, str]) -> str:
    prefix, colon, name = step.strip().rpartition(":")
    known = _PREFIXES.get(spaces.get(prefix, ""), prefix) if colon else ""
    return f"{known}:{name}" if known else name


def _name_of(condition: Condition) -> str:
    items = dict(condition.pairs or ())
    if len(items) != len(condition.pairs or ()) or set(items) - {"port", "state", "active"}:
        return ""
    kind = {_bare(PORT): "", _bare(VIRTUAL_INPUT): "virtual "}.get(_bare(condition.topic))
    state = {"1": "active", "0": "inactive"}.get(items.get("active" if kind else "state", ""))
    number = items.get("port", "")
    if kind is None or state is None or len(items) != 2 or not re.fullmatch(r"-1|0|[1-9][0-9]{0,3}", number):
        return ""
    if kind:
        return f"virtual input {number} {state}" if int(number) > 0 else ""
    return f"input {'any' if int(number) == ANY else int(number) + 1} {state}"


def _bare(topic: str) -> str:
    """Clients write the last steps with and without `tnsaxis:`: the tree has them in no namespace (5.4)."""
    first, _, rest = topic.partition("/")
    return f"{first}/{rest.replace('tnsaxis:', '')}"
