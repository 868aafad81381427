"""The reply of GetEventInstances: a `wstop:TopicSet` (facts/axis.md, 5.4)."""

from __future__ import annotations

import random
from collections.abc import Iterable
from xml.sax.saxutils import quoteattr

from ivn_provision.lab.camera.events import Leaf
from ivn_provision.lab.camera.soap import TNS1, TNSAXIS, Writer
from ivn_provision.lab.camera.topics import Step

_NICE = {"Device": "Device", "IO": "Input ports", "Status": "Status", "UserAlarm": "User alarm"}
_PREFIXES = {TNS1: "tns1:", TNSAXIS: "tnsaxis:", "": ""}
_Tree = dict[str, "Leaf | _Tree"]


def topic_set(leaves: Iterable[Leaf], writer: Writer, chance: random.Random | None) -> str:
    """The body of the reply; `chance` shuffles the values of each source."""
    tree: _Tree = {}
    for leaf in leaves:
        at = tree
        *groups, last = (_name(step) for step in leaf.steps)
        for group in groups:
            below = at.setdefault(group, {})
            assert isinstance(below, dict)
            at = below
        at[last] = leaf
    event = writer.event
    return (
        f"<{event}:GetEventInstancesResponse><wstop:TopicSet>{_branches(tree, writer, chance)}"
        f"</wstop:TopicSet></{event}:GetEventInstancesResponse>"
    )


def _name(step: Step) -> str:
    return f"{_PREFIXES.get(step.space, '')}{step.name}"


def _branches(tree: _Tree, writer: Writer, chance: random.Random | None) -> str:
    parts = []
    for name, below in tree.items():
        if isinstance(below, Leaf):
            parts.append(_leaf(name, below, writer, chance))
            continue
        nice = _NICE.get(name.rpartition(":")[2], name.rpartition(":")[2])
        inside = _branches(below, writer, chance)
        parts.append(f"<{name} {writer.event}:NiceName={quoteattr(nice)}>{inside}</{name}>")
    return "".join(parts)


def _leaf(name: str, leaf: Leaf, writer: Writer, chance: random.Random | None) -> str:
    event = writer.event
    source = _source(leaf, event, chance) if leaf.source else ""
    data = (
        f'<{event}:DataInstance><{event}:SimpleItemInstance isPropertyState="true" Name="{leaf.data}" '
        f'Type="xsd:boolean"/></{event}:DataInstance>'
        if leaf.data
        else ""
    )
    property_ = f' {event}:isProperty="true"' if leaf.stateful else ""
    return (
        f'<{name} wstop:topic="true" {event}:NiceName={quoteattr(leaf.nice)}>'
        f"<{event}:MessageInstance{property_}>{source}{data}</{event}:MessageInstance></{name}>"
    )


def _source(leaf: Leaf, event: str, chance: random.Random | None) -> str:
    instances = list(leaf.instances)
    if chance is not None:
        chance.shuffle(instances)
    values = "".join(
        f"<{event}:Value {event}:NiceName={quoteattr(nice)}>{value}</{event}:Value>"
        for value, nice in instances
    )
    return (
        f'<{event}:SourceInstance><{event}:SimpleItemInstance {event}:NiceName="Port" Type="xsd:int" '
        f'Name="{leaf.source}">{values}</{event}:SimpleItemInstance></{event}:SourceInstance>'
    )
