"""What the action service keeps: rules, action configurations and recipients, with ids that are never used twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ivn_provision.lab.camera.events import EventFilter
from ivn_provision.lab.camera.topics import Step, Topic

MOST_RULES = 256


@dataclass(frozen=True, slots=True)
class Configuration:
    """Of an action, or a recipient of the address book."""

    id: int
    name: str
    template: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Rule:
    """`timeout` is the least number of seconds between two actions; `action` the id of a configuration."""

    id: int
    name: str
    enabled: bool
    start: EventFilter | None
    conditions: tuple[EventFilter, ...]
    timeout: str
    action: int


@dataclass(slots=True)
class Book:
    """Each kind counts for itself, from 1."""

    rules: dict[int, Rule] = field(default_factory=dict)
    configurations: dict[int, Configuration] = field(default_factory=dict)
    recipients: dict[int, Configuration] = field(default_factory=dict)
    last_rule: int = 0
    last_configuration: int = 0
    last_recipient: int = 0

    def add_rule(self, make: Callable[[int], Rule]) -> Rule:
        """Give it the next id."""
        self.last_rule += 1
        return self.rules.setdefault(self.last_rule, make(self.last_rule))

    def add_configuration(self, name: str, template: str, parameters: Mapping[str, str]) -> Configuration:
        """Give it the next id."""
        self.last_configuration += 1
        number = self.last_configuration
        return self.configurations.setdefault(number, Configuration(number, name, template, parameters))

    def add_recipient(self, name: str, template: str, parameters: Mapping[str, str]) -> Configuration:
        """Give it the next id."""
        self.last_recipient += 1
        number = self.last_recipient
        return self.recipients.setdefault(number, Configuration(number, name, template, parameters))

    def users_of(self, configuration: int) -> list[Rule]:
        """The rules whose action it is."""
        return [each for each in self.rules.values() if each.action == configuration]


def to_json(book: Book) -> dict[str, Any]:
    """Plain values for the state file."""
    return {
        "last": [book.last_rule, book.last_configuration, book.last_recipient],
        "rules": [_rule(each) for each in book.rules.values()],
        "configurations": [_configuration(each) for each in book.configurations.values()],
        "recipients": [_configuration(each) for each in book.recipients.values()],
    }


def from_json(data: Mapping[str, Any]) -> Book:
    """Back again. Raises KeyError, TypeError, ValueError for another shape."""
    last = [int(each) for each in data["last"]]
    return Book(
        rules={each["id"]: _rule_of(each) for each in data["rules"]},
        configurations={each["id"]: _configuration_of(each) for each in data["configurations"]},
        recipients={each["id"]: _configuration_of(each) for each in data["recipients"]},
        last_rule=last[0],
        last_configuration=last[1],
        last_recipient=last[2],
    )


def _configuration(each: Configuration) -> dict[str, Any]:
    return {"id": each.id, "name": each.name, "template": each.template, "parameters": dict(each.parameters)}


def _configuration_of(data: Mapping[str, Any]) -> Configuration:
    return Configuration(int(data["id"]), data["name"], data["template"], dict(data["parameters"]))


def _rule(each: Rule) -> dict[str, Any]:
    return {
        "id": each.id,
        "name": each.name,
        "enabled": each.enabled,
        "start": _filter(each.start) if each.start else None,
        "conditions": [_filter(condition) for condition in each.conditions],
        "timeout": each.timeout,
        "action": each.action,
    }


def _rule_of(data: Mapping[str, Any]) -> Rule:
    return Rule(
        int(data["id"]),
        data["name"],
        bool(data["enabled"]),
        _filter_of(data["start"]) if data["start"] else None,
        tuple(_filter_of(each) for each in data["conditions"]),
        data["timeout"],
        int(data["action"]),
    )


def _filter(each: EventFilter) -> dict[str, Any]:
    steps = [[step.space, step.name] for step in each.topic.steps]
    return {"steps": steps, "below": each.topic.below, "content": each.content}


def _filter_of(data: Mapping[str, Any]) -> EventFilter:
    steps = tuple(Step(space, name) for space, name in data["steps"])
    return EventFilter(Topic(steps, bool(data["below"])), data["content"])
