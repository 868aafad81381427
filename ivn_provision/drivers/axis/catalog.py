"""What a camera offers for rules: events and templates, asked for only when a rule is to be written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ivn_provision.drivers.axis import soap
from ivn_provision.drivers.axis.events import Leaf, parse_events
from ivn_provision.drivers.axis.objects import Template, parse_templates
from ivn_provision.drivers.axis.reading import asked
from ivn_provision.drivers.axis.rule_live import MAIL, MAIL_RECIPIENT
from ivn_provision.errors import Refused
from ivn_provision.transports.vapix import VapixLink


@dataclass(slots=True)
class Catalog:
    """Each list is asked for once. Raises TargetError, and Refused where the camera cannot send mails."""

    link: VapixLink
    _events: tuple[Leaf, ...] | None = field(default=None, init=False)
    _actions: Mapping[str, Template] | None = field(default=None, init=False)
    _recipients: Mapping[str, Template] | None = field(default=None, init=False)

    def events(self) -> tuple[Leaf, ...]:
        if self._events is None:
            reply = asked(self.link, "GetEventInstances", soap.EVENT)
            self._events = parse_events(soap.parse_reply(reply, "GetEventInstancesResponse"))
        return self._events

    def action_slots(self) -> tuple[str, ...]:
        """The parameters of a mail notification: its own and those of its recipient (facts/axis.md, 5.5)."""
        if self._actions is None:
            self._actions = parse_templates(asked(self.link, "GetActionTemplates"), "ActionTemplate")
        action = self._one(self._actions, MAIL)
        recipient = self._recipient(action.recipient).slots if action.recipient else ()
        return tuple(dict.fromkeys((*action.slots, *recipient)))

    def recipient_slots(self) -> tuple[str, ...]:
        """The parameters of a mail recipient."""
        return self._recipient(MAIL_RECIPIENT).slots

    def _recipient(self, token: str) -> Template:
        if self._recipients is None:
            reply = asked(self.link, "GetRecipientTemplates")
            self._recipients = parse_templates(reply, "RecipientTemplate")
        return self._one(self._recipients, token)

    def _one(self, known: Mapping[str, Template], token: str) -> Template:
        found = known.get(token)
        if found is None:
            raise Refused(
                f"the camera cannot do that: it has no template {token}",
                endpoint=self.link.endpoint,
                next_step="see whether a newer firmware has it; else leave the rule out of the site file",
            )
        return found
