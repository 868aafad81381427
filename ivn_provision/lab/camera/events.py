"""The events of a camera: leaves of its topic tree, their instances, and what state each has (facts/axis.md, 5.4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ivn_provision.lab.camera.filters import BadFilter, holds
from ivn_provision.lab.camera.topics import Step, Topic, well_known

PORT = "tns1:Device/tnsaxis:IO/Port"
VIRTUAL_INPUT = "tns1:Device/tnsaxis:IO/VirtualInput"
MANUAL_TRIGGER = "tns1:Device/tnsaxis:IO/VirtualPort"
READY = "tns1:Device/tnsaxis:Status/SystemReady"
PULSE = "tns1:UserAlarm/tnsaxis:Recurring/Pulse"
ANY = "-1"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A kind of event. `source` names what tells its instances apart, with a nice name for each value."""

    topic: str
    nice: str
    source: str = ""
    instances: tuple[tuple[str, str], ...] = ()
    data: str = ""
    stateful: bool = True

    @property
    def steps(self) -> tuple[Step, ...]:
        return well_known(self.topic).steps


@dataclass(frozen=True, slots=True)
class Instance:
    """One event that may happen: a leaf and the value of its source ("" where it has none)."""

    leaf: Leaf
    value: str = ""

    def items(self, state: str) -> Mapping[str, str]:
        """The simple items of its message."""
        source = {self.leaf.source: self.value} if self.leaf.source else {}
        return {**source, **({self.leaf.data: state} if self.leaf.data else {})}


@dataclass(frozen=True, slots=True)
class EventFilter:
    """A StartEvent or a Condition."""

    topic: Topic
    content: str = ""

    def passes(self, instance: Instance, state: str) -> bool:
        """Whether this instance in this state is meant."""
        if not self.topic.matches(instance.leaf.steps):
            return False
        try:
            return holds(self.content, instance.items(state))
        except BadFilter:
            return False


@dataclass(slots=True)
class Events:
    """The tree and the states. Instances that were never told a state are at 0."""

    leaves: tuple[Leaf, ...]
    states: dict[tuple[str, str], str] = field(default_factory=dict)

    def instances(self) -> Iterator[Instance]:
        """All of them."""
        for leaf in self.leaves:
            if leaf.source:
                yield from (Instance(leaf, value) for value, _ in leaf.instances)
            else:
                yield Instance(leaf)

    def find(self, topic: str, value: str = "") -> Instance | None:
        """By topic and value of the source."""
        return next((e for e in self.instances() if e.leaf.topic == topic and e.value == value), None)

    def state(self, instance: Instance) -> str:
        """`0` or `1`"""
        return self.states.get((instance.leaf.topic, instance.value), "0")

    def put(self, topic: str, value: str, state: str) -> Instance | None:
        """Note a state; the instance, if the tree has it."""
        self.states[topic, value] = state
        return self.find(topic, value)

    def stateful(self, wanted: EventFilter) -> list[Instance]:
        """The stateful instances that a filter can mean in any state: a condition must have exactly one."""
        return [
            each
            for each in self.instances()
            if each.leaf.stateful and (wanted.passes(each, "0") or wanted.passes(each, "1"))
        ]

    def holds(self, wanted: EventFilter) -> bool:
        """Whether a condition is true now."""
        return any(wanted.passes(each, self.state(each)) for each in self.stateful(wanted))


def leaves(inputs: Iterable[tuple[str, str]], virtual_inputs: int, manual_triggers: int) -> tuple[Leaf, ...]:
    """The tree of a camera. `inputs` are port numbers from 0 with their names; without any there is no Port."""
    ports = tuple(inputs)
    numbered = tuple((str(n), f"Virtual input {n}") for n in range(1, virtual_inputs + 1))
    manual = tuple((str(n), f"Manual trigger {n}") for n in range(1, manual_triggers + 1))
    found = [
        Leaf(VIRTUAL_INPUT, "Virtual input", "port", numbered, "active"),
        Leaf(MANUAL_TRIGGER, "Manual trigger", "port", manual, "state"),
        Leaf(READY, "System ready", data="ready"),
        Leaf(PULSE, "Scheduled pulse", "id", (("lab", "Every hour"),), stateful=False),
    ]
    if ports:
        found.insert(0, Leaf(PORT, "Digital input port", "port", (*ports, (ANY, "Any")), "state"))
    return tuple(found)
