"""Rules, configurations, recipients and templates as the action service lists them (facts/axis.md, 5.1).

Passwords that a camera shows are left out right here: they get into no value of ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from lxml import etree

from ivn_provision.drivers.axis.conditions import Condition, condition_of
from ivn_provision.drivers.axis.replies import garbled, without_secret
from ivn_provision.drivers.axis.soap import child, full_text, missing, named, parse_reply, text_at
from ivn_provision.transports.vapix import VapixReply

_SECONDS = re.compile(
    r"P(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,9})(?:\.0*)?S)?)?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Configuration:
    """An action or recipient configuration. Of a password only that it is set."""

    id: str
    name: str
    template: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Rule:
    """`wait` are seconds, or the text of a duration that cannot be said in whole seconds."""

    id: str
    name: str
    enabled: bool
    start: Condition | None
    conditions: tuple[Condition, ...]
    wait: int | str
    action: str


@dataclass(frozen=True, slots=True)
class Template:
    """What a kind of action or recipient can be told: the names of its parameters."""

    token: str
    slots: tuple[str, ...]
    recipient: str = ""


def parse_configurations(reply: VapixReply, what: str) -> tuple[Configuration, ...]:
    """`what` is `ActionConfiguration` or `RecipientConfiguration`. Raises SoapFault, ProtocolFault."""
    return tuple(
        Configuration(
            text_at(reply, each, "ConfigurationID"),
            _name(each),
            text_at(reply, each, "TemplateToken"),
            dict(_parameters(reply, each)),
        )
        for each in _listed(reply, what)
    )


def parse_rules(reply: VapixReply) -> tuple[Rule, ...]:
    """Raises SoapFault, ProtocolFault."""
    return tuple(_rule(reply, each) for each in _listed(reply, "ActionRule"))


def parse_templates(reply: VapixReply, what: str) -> Mapping[str, Template]:
    """By token; `what` is `ActionTemplate` or `RecipientTemplate`. Raises SoapFault, ProtocolFault."""
    found = [_template(reply, each) for each in _listed(reply, what)]
    return {each.token: each for each in found}


def parse_added(reply: VapixReply, operation: str, name: str, secrets: Iterable[str] = ()) -> str:
    """The id of what was just added; `secrets` were in the request. Raises SoapFault, ProtocolFault."""
    return text_at(reply, parse_reply(reply, f"{operation}Response", secrets), name)


def _listed(reply: VapixReply, what: str) -> Iterator[etree._Element]:
    response = parse_reply(reply, f"Get{what}sResponse")
    found = child(response, f"{what}s")
    if found is None:
        raise missing(reply, response, f"{what}s")
    return named(found, what)


def _name(element: etree._Element) -> str:
    return full_text(child(element, "Name"))


def _parameters(reply: VapixReply, element: etree._Element) -> Iterator[tuple[str, str]]:
    found = child(element, "Parameters")
    for each in named(found, "Parameter") if found is not None else ():
        name = each.get("Name")
        if name is None:
            raise missing(reply, each, "Name")
        yield name, without_secret(name, each.get("Value", ""))


def _rule(reply: VapixReply, element: etree._Element) -> Rule:
    start, conditions = child(element, "StartEvent"), child(element, "Conditions")
    enabled = text_at(reply, element, "Enabled").lower()
    if enabled not in {"true", "false", "1", "0"}:
        raise garbled(reply, "a rule that is neither enabled nor disabled")
    return Rule(
        text_at(reply, element, "RuleID"),
        _name(element),
        enabled in {"true", "1"},
        _condition(reply, start) if start is not None else None,
        tuple(_condition(reply, each) for each in named(conditions, "Condition"))
        if conditions is not None
        else (),
        _seconds(full_text(child(element, "ActivationTimeout")).strip()),
        text_at(reply, element, "PrimaryAction"),
    )


def _condition(reply: VapixReply, element: etree._Element) -> Condition:
    topic = child(element, "TopicExpression")
    if topic is None:
        raise missing(reply, element, "TopicExpression")
    return condition_of(full_text(topic), full_text(child(element, "MessageContent")), topic.nsmap)


def _seconds(text: str) -> int | str:
    if not text:
        return 0
    found = _SECONDS.fullmatch(text)
    if found is None or text.endswith(("P", "T")):
        return text[:40]
    days, hours, minutes, seconds = (int(each or 0) for each in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _template(reply: VapixReply, element: etree._Element) -> Template:
    found = child(element, "Parameters")
    slots = tuple(each.get("Name", "") for each in (named(found, "Parameter") if found is not None else ()))
    recipient = full_text(child(element, "RecipientTemplate")).strip()
    return Template(text_at(reply, element, "TemplateToken"), slots, recipient)
