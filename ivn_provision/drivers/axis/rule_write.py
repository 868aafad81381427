"""Rules, configurations and recipients as SOAP requests (facts/axis.md, 5.1, 5.2). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lxml import etree

from ivn_provision.drivers.axis.conditions import FILTER_DIALECT, TOPIC_DIALECT, Condition, declared
from ivn_provision.drivers.axis.objects import Rule
from ivn_provision.drivers.axis.rule_live import addresses_text, text_parameter
from ivn_provision.drivers.axis.smtp import SLOTS, parameter_text
from ivn_provision.drivers.axis.soap import WSNT, attribute, below, envelope, operation
from ivn_provision.errors import Refused
from ivn_provision.model.resource import UNSET, Value
from ivn_provision.secret import Secret
from ivn_provision.transports.vapix import Asked

_SLOTS: Mapping[str, str] = {
    "mail.addresses": "email_to",
    "addresses": "email_to",
    "mail.subject": "subject",
    "mail.message": "message",
    **SLOTS,
}


@dataclass(frozen=True, slots=True)
class Filled:
    """A template filled from fields: every parameter it has, unused ones empty; and the fields without a place."""

    parameters: Mapping[str, str | Secret] = field(repr=False)
    left: Mapping[str, Value]


def filled(slots: Sequence[str], fields: Mapping[str, Value], password: Secret | None) -> Filled:
    """`fields` are those of a rule or recipient; its password is given apart."""
    parameters: dict[str, str | Secret] = dict.fromkeys(slots, "")
    left: dict[str, Value] = {}
    for name, slot in _SLOTS.items():
        value = password if name == "smtp.password" else fields.get(name, UNSET)
        if value is None or value == UNSET:
            continue
        if slot in parameters:
            parameters[slot] = value if isinstance(value, Secret) else _text(name, value)
        else:
            left[name] = value
    return Filled(parameters, left)


def _text(name: str, value: Value) -> str:
    if isinstance(value, tuple):
        return addresses_text(value)
    if name in {"mail.subject", "mail.message"}:
        return text_parameter(str(value))
    return parameter_text(name, value)


def check_left(left: Mapping[str, Value], *, has_page: bool, endpoint: str) -> None:
    """Raises Refused for a declared value that this camera has no place for."""
    for name, value in left.items():
        if value == "" or (has_page and name in SLOTS):
            continue
        raise Refused(
            f"the camera's mail template has no parameter for {name}",
            endpoint=endpoint,
            where=name,
            next_step=f"leave {name} out of the site file for this camera, or see whether newer firmware has it",
        )


def add_configuration(what: str, name: str, template: str, parameters: Mapping[str, str | Secret]) -> Asked:
    """`what` is `ActionConfiguration` or `RecipientConfiguration`. Here the password becomes plain."""
    asked = operation(f"Add{what}")
    new = below(asked, f"New{what}")
    below(new, "Name", name)
    below(new, "TemplateToken", template)
    listed = below(new, "Parameters")
    for slot, value in parameters.items():
        each = below(listed, "Parameter")
        attribute(each, "Name", slot)
        attribute(each, "Value", value.reveal() if isinstance(value, Secret) else value)
    return envelope(asked, writes=True)


def remove(what: str, number: str) -> Asked:
    """`what` is `ActionRule`, `ActionConfiguration` or `RecipientConfiguration`."""
    asked = operation(f"Remove{what}")
    below(asked, "RuleID" if what == "ActionRule" else "ConfigurationID", number)
    return envelope(asked, writes=True)


def add_rule(rule: Rule) -> Asked:
    """Its id is not used: the camera gives one."""
    asked = operation("AddActionRule")
    new = below(asked, "NewActionRule")
    below(new, "Name", rule.name)
    below(new, "Enabled", "true" if rule.enabled else "false")
    if rule.start is not None:
        _event(below(new, "StartEvent"), rule.start)
    if rule.conditions:  # never sent empty: the camera refuses that
        conditions = below(new, "Conditions")
        for each in rule.conditions:
            _event(below(conditions, "Condition"), each)
    if rule.wait:
        below(new, "ActivationTimeout", f"PT{rule.wait}S" if isinstance(rule.wait, int) else rule.wait)
    below(new, "PrimaryAction", rule.action)
    return envelope(asked, writes=True)


def _event(parent: etree._Element, condition: Condition) -> None:
    topic = below(parent, "TopicExpression", condition.topic, WSNT)
    attribute(topic, "Dialect", TOPIC_DIALECT)
    if condition.filter:
        content = below(parent, "MessageContent", condition.filter, WSNT)
        attribute(content, "Dialect", FILTER_DIALECT)


def rule_of(name: str, fields: Mapping[str, Value], configuration: str) -> Rule:
    """A rule to be added. Raises Refused for a trigger or condition that is none."""
    trigger, conditions = fields.get("trigger", UNSET), fields.get("conditions")
    wait = fields.get("wait_seconds", 0)
    return Rule(
        "",
        name,
        fields.get("enabled") is not False,
        None if trigger == UNSET else condition_from(trigger),
        tuple(condition_from(each) for each in conditions) if isinstance(conditions, tuple) else (),
        wait if isinstance(wait, int | str) else 0,
        configuration,
    )


def condition_from(value: object) -> Condition:
    """Raises Refused for a text that means no event."""
    try:
        return declared(str(value))
    except ValueError:
        raise Refused(
            f"{value} is no condition of a camera",
            where=str(value),
            next_step="write `input: N` or `virtual_input: N`",
        ) from None
