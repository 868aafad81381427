"""Rules, recipients and what was left behind of ours, of a reading as resources."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import unquote

from ivn_provision.drivers.axis.making import Maker
from ivn_provision.drivers.axis.naming import Owned, fingerprint, owned
from ivn_provision.drivers.axis.objects import Configuration, Rule
from ivn_provision.drivers.axis.reading import Reading
from ivn_provision.drivers.axis.smtp import SLOTS, page_fields, parameter_fields
from ivn_provision.model.resource import UNSET, Resource, Value

MAIL = "com.axis.action.fixed.notification.smtp"
MAIL_RECIPIENT = "com.axis.recipient.smtp"
RULE, RECIPIENT, CONFIGURATION = "rule/", "recipient/", "configuration/"
"""What handles begin with: ids are counted for each kind by itself."""
_MAIL_FIELDS = ("mail.addresses", "mail.subject", "mail.message")
_SEPARATORS = re.compile(r"[\s,;]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Words:
    """What the rules of one camera are read with: its mail page, and the salt of its fingerprints."""

    page: Mapping[str, Value]
    salt: str

    def smtp(self, given: Mapping[str, str], name: Owned | None) -> dict[str, Value]:
        """The mail server of a configuration; its password as a fingerprint, unset where the name has none."""
        fields = parameter_fields(given, self.page)
        fields["smtp.password"] = fingerprint(self.salt, name.print) if name and name.print else UNSET
        return fields


def rule_resources(reading: Reading, make: Maker, salt: str) -> Iterator[Resource]:
    """All rules and mail recipients, and configurations of ours that no rule refers to."""
    words = Words(page_fields(reading.params), salt)
    for recipient in _newest_first(reading.recipients):
        yield _recipient(recipient, words, make)
    for rule in _newest_first(reading.rules):
        yield _rule(rule, reading.configuration(rule.action), words, make)
    used = {each.action for each in reading.rules}
    for each in _newest_first(reading.configurations):
        name = owned(each.name)
        if name is not None and each.id not in used:
            yield make(
                "action_configuration",
                each.id,
                CONFIGURATION + each.id,
                {"name": name.key, "action": _action(each.template)},
                seen={"name": each.name, **each.parameters},
                title=each.name,
            )


_T = TypeVar("_T", Rule, Configuration)


def _newest_first(found: tuple[_T, ...]) -> list[_T]:
    """Of two rules of one name that a crash left, the engine keeps the first; lists come in any order."""
    return sorted(found, key=lambda each: (each.id.isdigit(), each.id.zfill(12)), reverse=True)


def _recipient(recipient: Configuration, words: Words, make: Maker) -> Resource:
    name = owned(recipient.name) if recipient.template == MAIL_RECIPIENT else None
    given = recipient.parameters
    fields: dict[str, Value] = {}
    if recipient.template == MAIL_RECIPIENT:
        fields = {"addresses": addresses(given.get("email_to", "")), **words.smtp(given, name)}
    return make(
        "recipient",
        name.key if name is not None else recipient.name or RECIPIENT + recipient.id,
        RECIPIENT + recipient.id,
        fields,
        seen={"name": recipient.name, "template": recipient.template, **given},
        shared=() if name is not None else _of_page(given),
        owned=name is not None,
        title=recipient.name,
    )


def _rule(rule: Rule, configuration: Configuration | None, words: Words, make: Maker) -> Resource:
    name = owned(rule.name)
    fields: dict[str, Value] = {
        "enabled": rule.enabled,
        "trigger": str(rule.start) if rule.start is not None else UNSET,
        "conditions": tuple(sorted(map(str, rule.conditions))),
        "wait_seconds": rule.wait,
        "action": _action(configuration.template) if configuration is not None else UNSET,
        **_mail(configuration, words),
    }
    about: dict[str, str] = {}
    if configuration is not None:
        about = {"name": configuration.name, **configuration.parameters}
    return make(
        "action_rule",
        name.key if name is not None else rule.name or RULE + rule.id,
        RULE + rule.id,
        fields,
        seen={"configuration": rule.action, **about},
        shared=() if name is not None else _of_page(about),
        owned=name is not None,
        title=rule.name,
    )


def _of_page(given: Mapping[str, str]) -> tuple[str, ...]:
    """The fields that a configuration has no parameter for: on old firmware all rules share one page of them."""
    return tuple(name for name, slot in SLOTS.items() if slot not in given)


def _action(template: str) -> str:
    return "mail" if template == MAIL else template


def _mail(configuration: Configuration | None, words: Words) -> dict[str, Value]:
    if configuration is None or configuration.template != MAIL:
        return dict.fromkeys((*_MAIL_FIELDS, *SLOTS), UNSET)
    given = configuration.parameters
    return {
        "mail.addresses": addresses(given.get("email_to", "")),
        "mail.subject": unquote(given.get("subject", "")),
        "mail.message": unquote(given.get("message", "")),
        **words.smtp(given, owned(configuration.name)),
    }


def addresses(text: str) -> tuple[str, ...]:
    """The addresses of a recipient: what separates them is unknown, so commas, semicolons and blanks all do."""
    return tuple(filter(None, _SEPARATORS.split(text)))


def addresses_text(values: tuple[object, ...]) -> str:
    return ",".join(map(str, values))


def text_parameter(text: str) -> str:
    """A subject or message as a parameter: the two signs that begin modifiers are written percent-encoded.

    So says Axis's documentation. Read back, the plain and the encoded form are the same.
    """
    return text.replace("%", "%25").replace("#", "%23")
