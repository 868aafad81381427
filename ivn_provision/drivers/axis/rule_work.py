"""Rules, recipients and configurations are written: what must come before what, and what is taken back.

SOAP has no update (facts/axis.md, 5.6). A replaced rule is added first and removed after, so that an alarm is
mailed twice for a moment rather than not at all; where the camera has no room, the other way round.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ivn_provision.drivers.axis.catalog import Catalog
from ivn_provision.drivers.axis.checks import MOST_RULES
from ivn_provision.drivers.axis.mail_page import MailPage
from ivn_provision.drivers.axis.naming import keyed_name, owned, rule_name
from ivn_provision.drivers.axis.objects import Configuration, Rule, parse_added
from ivn_provision.drivers.axis.reading import Reading
from ivn_provision.drivers.axis.rule_live import MAIL, MAIL_RECIPIENT
from ivn_provision.drivers.axis.rule_write import (
    add_configuration,
    add_rule,
    check_left,
    filled,
    remove,
    rule_of,
)
from ivn_provision.drivers.axis.soap import SoapFault, parse_reply
from ivn_provision.errors import Refused
from ivn_provision.model.resource import UNSET, Value
from ivn_provision.plan.plan import Action, Change
from ivn_provision.secret import Fingerprint, Secret
from ivn_provision.transports.vapix import VapixLink

_IN_USE = "ActionConfigurationIsInUseFault"
_ACTION, _RECIPIENT = "ActionConfiguration", "RecipientConfiguration"


@dataclass(slots=True)
class RuleWork:
    """One apply. `rules` are those that the camera has by now; `half` says which objects of a change were made already,
    `made` what of it at all."""

    link: VapixLink
    reading: Reading
    catalog: Catalog
    page: MailPage
    salt: str
    known_password: Secret | None
    rules: list[Rule] = field(init=False)
    half: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self.rules = list(self.reading.rules)

    @property
    def made(self) -> str:
        """The page comes first, and stays when the camera refuses the rest."""
        return "; ".join(filter(None, ("the mail page was written" if self.page.touched else "", self.half)))

    def write(self, change: Change, fields: Mapping[str, Value]) -> str:
        """`fields` is the whole object as it is to be. What a person should know of it, or "". Raises TargetError."""
        number = change.handle.partition("/")[2]
        if change.address.kind == "action_configuration":
            self._remove(_ACTION, number)
            return ""
        if change.address.kind == "recipient":
            return self._recipient(change, number, fields)
        if change.action is Action.DELETE:
            return self._drop_rule(number)
        return self._rule(change, number, fields)

    def _recipient(self, change: Change, number: str, fields: Mapping[str, Value]) -> str:
        if change.action is not Action.DELETE:
            self._add_mail(_RECIPIENT, change.address.key, MAIL_RECIPIENT, fields)
            self.half = "the new recipient was added"
        if number:
            self._remove(_RECIPIENT, number)
        return ""

    def _rule(self, change: Change, number: str, fields: Mapping[str, Value]) -> str:
        old = next((each for each in self.rules if each.id == number), None)
        if old is not None and len(self.rules) >= MOST_RULES:
            return self._remove_first(change, old, fields)
        self._add_rule_and_mail(change, fields)
        self.half = "the new rule was added; the old one is still there, so that mails come twice"
        return self._drop_rule(number) if old is not None else ""

    def _remove_first(self, change: Change, old: Rule, fields: Mapping[str, Value]) -> str:
        configuration = self._add_mail(_ACTION, change.address.key, MAIL, fields)
        new = rule_of(rule_name(change.address.key), fields, configuration)
        self.half = "a new action configuration was added"
        self._remove_rule(old)
        self.half = "the old rule was removed, and the new one is not there: no mails come"
        try:
            self._add_rule(new)
        except SoapFault:
            self._add_rule(old)
            self._take_back(configuration)
            raise
        self.half = "the rule was replaced"
        said = f"there was no room for a second rule ({MOST_RULES}): the old one was removed first"
        return "; ".join(filter(None, (said, self._drop_configuration(old))))

    def _add_rule_and_mail(self, change: Change, fields: Mapping[str, Value]) -> None:
        configuration = self._add_mail(_ACTION, change.address.key, MAIL, fields)
        self.half = "an action configuration was added"
        try:
            self._add_rule(rule_of(rule_name(change.address.key), fields, configuration))
        except SoapFault:
            self._take_back(configuration)
            raise

    def _take_back(self, configuration: str) -> None:
        """What was just made for a rule that the camera refused."""
        self._remove(_ACTION, configuration)
        self.half = self._half_page()

    def _half_page(self) -> str:
        return "the camera's mail page was written" if self.page.written else ""

    def _add_rule(self, rule: Rule) -> None:
        number = parse_added(self.link.ask(add_rule(rule)), "AddActionRule", "RuleID")
        self.rules.append(replace(rule, id=number))

    def _add_mail(self, what: str, key: str, template: str, fields: Mapping[str, Value]) -> str:
        """The id of a new configuration, with the mail page written before where it is needed."""
        password = self._password(fields)
        slots = self.catalog.action_slots() if what == _ACTION else self.catalog.recipient_slots()
        found = filled(slots, fields, password)
        check_left(found.left, has_page=self.page.exists, endpoint=self.link.endpoint)
        try:
            self.page.write(found.left)
        finally:
            self.half = self._half_page()
        name = keyed_name(key, self.salt, password)
        asked = add_configuration(what, name, template, found.parameters)
        secrets = [password.reveal()] if password is not None else []
        return parse_added(self.link.ask(asked), f"Add{what}", "ConfigurationID", secrets)

    def _password(self, fields: Mapping[str, Value]) -> Secret | None:
        """The declared one; the site's own where an earlier state is put back, which never holds one."""
        declared = fields.get("smtp.password")
        if isinstance(declared, Secret):
            return declared
        known = self.known_password
        if isinstance(declared, Fingerprint) and (known is None or not known.matches(declared)):
            raise Refused(
                "the mail account had another password then, and no camera shows it",
                endpoint=self.link.endpoint,
                where="smtp.password",
                next_step="declare that password in axis.smtp.password, and apply",
            )
        needs = fields.get("smtp.username", UNSET) not in {"", UNSET, None}
        if needs and self.known_password is None:
            raise Refused(
                "the mail account's password is not known here, and no camera shows one",
                endpoint=self.link.endpoint,
                where="smtp.password",
                next_step="declare axis.smtp.password",
            )
        return self.known_password if needs else None

    def _drop_rule(self, number: str) -> str:
        old = next(each for each in self.rules if each.id == number)
        self._remove_rule(old)
        self.half = "the new rule was added and the old one removed" if self.half else "the rule was removed"
        return self._drop_configuration(old)

    def _remove_rule(self, rule: Rule) -> None:
        self._remove("ActionRule", rule.id)
        self.rules = [each for each in self.rules if each.id != rule.id]

    def _drop_configuration(self, rule: Rule) -> str:
        """That of a rule that is gone, if it is ours or was claimed with the rule, and nobody else uses it."""
        number = rule.action
        found: Configuration | None = self.reading.configuration(number)
        is_claimed = owned(rule.name) is None
        if found is None or (owned(found.name) is None and not is_claimed):
            return ""
        if any(each.action == number for each in self.rules):
            return "its old action configuration stays: another rule uses it"
        try:
            self._remove(_ACTION, number)
        except SoapFault as fault:
            if fault.name != _IN_USE:
                raise
            return "its old action configuration stays: something else uses it"
        return ""

    def _remove(self, what: str, number: str) -> None:
        parse_reply(self.link.ask(remove(what, number)), f"Remove{what}Response")
