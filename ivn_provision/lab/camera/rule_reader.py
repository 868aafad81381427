"""AddActionRule: what the service checks before it keeps a rule (facts/axis.md, 5.1 and 5.3)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from lxml import etree

from ivn_provision.lab.camera.book import MOST_RULES, Book, Rule
from ivn_provision.lab.camera.calls import whole_number
from ivn_provision.lab.camera.events import EventFilter, Events
from ivn_provision.lab.camera.filters import ITEM_FILTER, BadFilter, checked
from ivn_provision.lab.camera.soap import (
    ACTION,
    WSNT,
    Fault,
    child,
    children,
    invalid,
    named,
    occurrence,
    subscription,
    text_of,
)
from ivn_provision.lab.camera.topics import DIALECTS, Topic, parse_topic

_ORDER = ("Name", "Enabled", "StartEvent", "Conditions", "ActivationTimeout", "PrimaryAction")
_TIMEOUT = re.compile(r"PT(\d{1,6})S")
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a new rule is held against; `at` stands in faults."""

    book: Book
    events: Events
    at: str


def new_rule(asked: etree._Element, around: Surroundings) -> Callable[[int], Rule]:
    """The rule, when it gets its id. Raises Fault."""
    new = child(asked, "NewActionRule")
    names = [name for name, _ in children(new)]
    if [name for name in _ORDER if name in names] != names:
        raise occurrence(next((n for n in names if n not in _ORDER), "NewActionRule"))
    name, enabled = text_of(new, "Name"), _BOOLEANS.get(text_of(new, "Enabled"))
    if enabled is None:
        raise invalid("Validation constraint violation: Enabled is no boolean")
    start = new.find(f"{{{ACTION}}}StartEvent")
    start_event = None if start is None else _filter(start, around.at)
    conditions = _conditions(new, around)
    timeout = _timeout(new)
    action = _action(new, around.book)
    _sufficient(around.book, action, start_event, conditions)
    if len(around.book.rules) >= MOST_RULES:
        raise invalid(f"There may be {MOST_RULES} action rules at most")
    return lambda number: Rule(number, name, enabled, start_event, conditions, timeout, action)


def timeout_seconds(text: str) -> float:
    """`PT30S`; 0 where there is none."""
    found = _TIMEOUT.fullmatch(text)
    return float(found[1]) if found else 0.0


def _conditions(new: etree._Element, around: Surroundings) -> tuple[EventFilter, ...]:
    parent = new.find(f"{{{ACTION}}}Conditions")
    if parent is None:
        return ()
    found = [each for name, each in children(parent) if name == "Condition"]
    if not found:
        raise occurrence("Conditions")
    conditions = tuple(_filter(each, around.at) for each in found)
    for each in conditions:
        if len(around.events.stateful(each)) != 1:
            raise named("InvalidConditionFilterFault", "could not match any property events")
    return conditions


def _filter(parent: etree._Element, at: str) -> EventFilter:
    topic = parent.find(f"{{{WSNT}}}TopicExpression")
    content = parent.find(f"{{{WSNT}}}MessageContent")
    if topic is None:
        raise occurrence(etree.QName(parent).localname)
    return EventFilter(_topic(topic, at), "" if content is None else _content(content, at))


def _topic(element: etree._Element, at: str) -> Topic:
    if element.get("Dialect") not in DIALECTS:
        raise subscription("TopicExpressionDialectUnknownFault", "unknown topic expression dialect", at)
    text = (element.text or "").strip()
    try:
        return parse_topic(text, element.nsmap)
    except ValueError:
        raise subscription(
            "InvalidTopicExpressionFault", f"failed to parse topic expression '{text}'", at
        ) from None


def _content(element: etree._Element, at: str) -> str:
    if element.get("Dialect") != ITEM_FILTER:
        raise subscription("InvalidFilterFault", "unknown message content dialect", at)
    try:
        return checked((element.text or "").strip())
    except BadFilter as error:
        reason = f"around character 1: syntax error, {error}"
        raise subscription("InvalidMessageContentExpressionFault", reason, at) from None


def _timeout(new: etree._Element) -> str:
    text = text_of(new, "ActivationTimeout", "")
    if text and not _TIMEOUT.fullmatch(text):
        raise named("InvalidActivationTimeoutFault", "invalid activation timeout")
    return text


def _action(new: etree._Element, book: Book) -> int:
    text = text_of(new, "PrimaryAction")
    number = whole_number(text)
    if number is None or number not in book.configurations:
        reason = f"Unknown action configuration '{text}' specified for primary action"
        raise named("ActionConfigurationNotFoundFault", reason)
    return number


def _sufficient(
    book: Book, action: int, start: EventFilter | None, conditions: tuple[EventFilter, ...]
) -> None:
    unlimited = ".unlimited." in book.configurations[action].template
    if (start is None and not conditions) or (unlimited and not conditions):
        raise _insufficient()


def _insufficient() -> Fault:
    return named("InsufficientActivationRuleFault", "insufficient activation rule")
