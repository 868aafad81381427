"""The events that a camera has, and whether a condition means exactly one of them (facts/axis.md, 5.1, 5.4)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lxml import etree

from ivn_provision.drivers.axis.conditions import PORT, VIRTUAL_INPUT, Condition
from ivn_provision.drivers.axis.soap import EVENT, TNS1, TNSAXIS, WSTOP, child, local, named
from ivn_provision.errors import Refused

_PREFIXES = {TNS1: "tns1:", TNSAXIS: "tnsaxis:"}
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Leaf:
    """An event: its path, whether it has a state, and which values its source items can have; `data` are the
    names of its other items."""

    path: tuple[str, ...]
    stateful: bool
    sources: tuple[tuple[str, tuple[str, ...]], ...]
    data: frozenset[str]


def parse_events(response: etree._Element) -> tuple[Leaf, ...]:
    """The leaves of the topic set."""
    tree = child(response, "TopicSet")
    found: list[Leaf] = []
    if tree is not None:
        _walk([(each, ()) for each in tree if local(each)], found)
    return tuple(found)


def _walk(waiting: list[tuple[etree._Element, tuple[str, ...]]], found: list[Leaf]) -> None:
    while waiting and len(found) < _MOST:
        element, above = waiting.pop()
        space = etree.QName(element).namespace or ""
        if space in {EVENT, WSTOP} or not local(element):
            continue
        path = (*above, _PREFIXES.get(space, "") + local(element))
        message = child(element, "MessageInstance")
        if message is not None:
            found.append(_leaf(path, message))
        waiting += [(each, path) for each in element if local(each) and each is not message]


def _leaf(path: tuple[str, ...], message: etree._Element) -> Leaf:
    stateful = message.get(f"{{{EVENT}}}isProperty", message.get("isProperty", "")).lower() in {"true", "1"}
    source, data = child(message, "SourceInstance"), child(message, "DataInstance")
    sources = tuple(
        (each.get("Name", ""), tuple((value.text or "").strip() for value in named(each, "Value")))
        for each in (named(source, "SimpleItemInstance") if source is not None else ())
    )
    items = named(data, "SimpleItemInstance") if data is not None else ()
    return Leaf(path, stateful, sources, frozenset(each.get("Name", "") for each in items))


def check_condition(condition: Condition, leaves: Iterable[Leaf], endpoint: str) -> None:
    """Raises Refused unless the condition means exactly one event with a state on this camera."""
    wanted = tuple(each.rpartition(":")[2] for each in condition.topic.split("/"))
    here = [leaf for leaf in leaves if tuple(each.rpartition(":")[2] for each in leaf.path) == wanted]
    if sum(_matches(condition, leaf) for leaf in here) == 1:
        return
    raise Refused(
        f"the camera has no {_what(condition)}",
        endpoint=endpoint,
        next_step=f"correct the number in the site file{_or_else(condition)}{_has(here)}",
    )


def _matches(condition: Condition, leaf: Leaf) -> int:
    """How many instances of the event the condition lets through."""
    items = dict(condition.pairs or ())
    if not leaf.stateful or not set(items) <= leaf.data | {name for name, _ in leaf.sources}:
        return 0
    count = 1
    for name, values in leaf.sources:
        count *= len(values) if name not in items else values.count(items[name])
    return count


def _what(condition: Condition) -> str:
    name = str(condition).rpartition(" ")[0]
    if condition.topic == PORT and name.startswith("input"):
        return f"digital {name}"
    return name if condition.topic == VIRTUAL_INPUT else f"single event with a state for {condition}"


def _or_else(condition: Condition) -> str:
    return ", or make the port an input on the camera" if condition.topic == PORT else ""


def _has(leaves: Iterable[Leaf]) -> str:
    counts = [len([each for each in values if each != "-1"]) for leaf in leaves for _, values in leaf.sources]
    return f" (it has {max(counts)})" if counts else " (it has none)"
