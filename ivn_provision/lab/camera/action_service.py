"""`POST /vapix/services`: the action service and GetEventInstances (facts/axis.md, 5)."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeVar

from lxml import etree

from ivn_provision.lab.camera.book import Book, Configuration, Rule
from ivn_provision.lab.camera.calls import Call, whole_number
from ivn_provision.lab.camera.configuration_reader import new_configuration, new_recipient
from ivn_provision.lab.camera.counters import CameraCounters
from ivn_provision.lab.camera.event_tree import topic_set
from ivn_provision.lab.camera.events import EventFilter, Events
from ivn_provision.lab.camera.filters import ITEM_FILTER
from ivn_provision.lab.camera.profile import Profile, Template
from ivn_provision.lab.camera.rule_reader import Surroundings, new_rule
from ivn_provision.lab.camera.soap import ACTION, EVENT, Fault, Writer, invalid, named, operation_of, text_of
from ivn_provision.lab.nvr.http_wire import HttpResponse

T = TypeVar("T")
Answer = Callable[[etree._Element], str]  # noqa: SLF001 - the name that lxml gives to its elements
_TOPIC = "http://docs.oasis-open.org/wsn/t-1/TopicExpression/Concrete"


@dataclass(frozen=True, slots=True)
class Desk:
    """What the services work on. `write` is entered around each change, `changed` called after it."""

    profile: Profile
    events: Events
    counters: CameraCounters
    write: Callable[[str], AbstractContextManager[None]]
    changed: Callable[[], None]
    now: Callable[[], str]


class ActionService:
    """Answers operations; `book` may be put in later, from a file."""

    def __init__(self, desk: Desk, chance: random.Random) -> None:
        self.book = Book()
        self._desk = desk
        self._chance = chance if desk.profile.random_lists else None
        self._writer = Writer(desk.profile.prefixes, desk.profile.attributes)
        self._reads: dict[str, Answer] = {
            "GetActionTemplates": lambda _: self._action_templates(),
            "GetRecipientTemplates": lambda _: self._recipient_templates(),
            "GetActionConfigurations": lambda _: self._configurations(),
            "GetRecipientConfigurations": lambda _: self._recipients(),
            "GetActionRules": lambda _: self._rules(),
        }
        self._writes: dict[str, Answer] = {
            "AddActionConfiguration": self._add_configuration,
            "RemoveActionConfiguration": self._remove_configuration,
            "AddRecipientConfiguration": self._add_recipient,
            "RemoveRecipientConfiguration": self._remove_recipient,
            "AddActionRule": self._add_rule,
            "RemoveActionRule": self._remove_rule,
        }

    def answer(self, call: Call) -> tuple[HttpResponse, str]:
        """The reply and the name of the operation. Raises Cut, if a fault says so."""
        name = ""
        try:
            asked = operation_of(call.request.body)
            name = etree.QName(asked).localname
            self._desk.counters.soap[name] += 1
            return self._writer.reply(self._operation(asked, name)), name
        except Fault as fault:
            return self._writer.fault(fault), name

    def _operation(self, asked: etree._Element, name: str) -> str:
        space = etree.QName(asked).namespace
        if (space, name) == (EVENT, "GetEventInstances"):
            return topic_set(self._desk.events.leaves, self._writer, self._chance)
        if space != ACTION or name not in {*self._reads, *self._writes}:
            raise invalid(f"Method '{name}' not implemented: method name or namespace not recognized")
        if name in self._reads:
            content = self._reads[name](asked)
        else:
            with self._desk.write(name):
                content = self._writes[name](asked)
                self._desk.changed()
        return self._writer.element(f"{name}Response", content)

    def _shuffled(self, found: Sequence[T]) -> list[T]:
        return list(found) if self._chance is None else self._chance.sample(found, len(found))

    def _action_templates(self) -> str:
        return self._list("ActionTemplate", [self._template(e) for e in self._desk.profile.actions.values()])

    def _recipient_templates(self) -> str:
        found = [self._template(each) for each in self._desk.profile.recipients.values()]
        return self._list("RecipientTemplate", found)

    def _configurations(self) -> str:
        found = [self._configuration(each) for each in self.book.configurations.values()]
        return self._list("ActionConfiguration", found)

    def _recipients(self) -> str:
        found = [self._configuration(each) for each in self.book.recipients.values()]
        return self._list("RecipientConfiguration", found)

    def _rules(self) -> str:
        return self._list("ActionRule", [self._rule(each) for each in self.book.rules.values()])

    def _list(self, name: str, found: Sequence[str]) -> str:
        write = self._writer
        return write.element(f"{name}s", "".join(write.element(name, each) for each in self._shuffled(found)))

    def _template(self, template: Template) -> str:
        write = self._writer
        slots = "".join(
            f"<{write.action}:Parameter{write.attributes(Name=each, Type='string')}/>"
            for each in template.slots
        )
        recipient = write.text("RecipientTemplate", template.recipient) if template.recipient else ""
        return write.text("TemplateToken", template.token) + recipient + write.element("Parameters", slots)

    def _configuration(self, each: Configuration) -> str:
        write = self._writer
        parameters = "".join(
            f"<{write.action}:Parameter{write.attributes(Name=name, Value=value)}/>"
            for name, value in self._shuffled(list(each.parameters.items()))
        )
        return (
            write.text("ConfigurationID", str(each.id))
            + write.text("Name", each.name)
            + write.text("TemplateToken", each.template)
            + write.element("Parameters", parameters)
        )

    def _rule(self, rule: Rule) -> str:
        write = self._writer
        parts = [
            write.text("RuleID", str(rule.id)),
            write.text("Name", rule.name),
            write.text("Enabled", "true" if rule.enabled else "false"),
        ]
        if rule.start is not None:
            parts.append(write.element("StartEvent", self._filter(rule.start)))
        if rule.conditions:
            conditions = "".join(write.element("Condition", self._filter(each)) for each in rule.conditions)
            parts.append(write.element("Conditions", conditions))
        if rule.timeout:
            parts.append(write.text("ActivationTimeout", rule.timeout))
        return "".join([*parts, write.text("PrimaryAction", str(rule.action))])

    def _filter(self, each: EventFilter) -> str:
        topic = each.topic.text()
        suffix = self._desk.profile.topic_suffix
        topic += "" if topic.endswith(suffix) else suffix
        return self._writer.filter(topic, _TOPIC, each.content, ITEM_FILTER)

    def _add_configuration(self, asked: etree._Element) -> str:
        name, template, parameters = new_configuration(asked, self._desk.profile)
        made = self.book.add_configuration(name, template, parameters)
        return self._writer.text("ConfigurationID", str(made.id))

    def _add_recipient(self, asked: etree._Element) -> str:
        name, template, parameters = new_recipient(asked, self._desk.profile)
        made = self.book.add_recipient(name, template, parameters)
        return self._writer.text("ConfigurationID", str(made.id))

    def _remove_configuration(self, asked: etree._Element) -> str:
        number = _number(asked, "ConfigurationID")
        if number not in self.book.configurations:
            raise named("ActionConfigurationNotFoundFault", "")
        users = self.book.users_of(number)
        if users:
            said = "".join(
                self._writer.element(
                    "ActionRule",
                    self._writer.text("ActionRuleID", str(e.id))
                    + self._writer.text("ActionRuleName", e.name),
                )
                for e in users
            )
            used = self._writer.element("UsedByActionRules", said)
            raise named("ActionConfigurationIsInUseFault", "action configuration is in use", used)
        del self.book.configurations[number]
        return ""

    def _remove_recipient(self, asked: etree._Element) -> str:
        number = _number(asked, "ConfigurationID")
        if number not in self.book.recipients:
            raise named("RecipientConfigurationNotFoundFault", "")
        del self.book.recipients[number]
        return ""

    def _add_rule(self, asked: etree._Element) -> str:
        around = Surroundings(self.book, self._desk.events, self._desk.now())
        made = self.book.add_rule(new_rule(asked, around))
        return self._writer.text("RuleID", str(made.id))

    def _remove_rule(self, asked: etree._Element) -> str:
        number = _number(asked, "RuleID")
        if number not in self.book.rules:
            reason = f"No action rule with id '{text_of(asked, 'RuleID')}' exists"
            raise named("ActionRuleNotFoundFault", reason)
        del self.book.rules[number]
        return ""


def _number(asked: etree._Element, name: str) -> int:
    """An id; -1, which nothing has, where it is no number. Raises Fault."""
    number = whole_number(text_of(asked, name))
    return -1 if number is None else number
