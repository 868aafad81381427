"""What is impossible on this camera, found before anything is written anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ivn_provision.drivers.axis import device_write
from ivn_provision.drivers.axis.catalog import Catalog
from ivn_provision.drivers.axis.events import check_condition
from ivn_provision.drivers.axis.forms import check_text
from ivn_provision.drivers.axis.reading import Reading
from ivn_provision.drivers.axis.rule_write import check_left, condition_from, filled
from ivn_provision.drivers.axis.smtp import has_page, page_fields, page_pairs
from ivn_provision.errors import Refused
from ivn_provision.model.resource import UNSET, Value
from ivn_provision.plan.plan import Action, Change
from ivn_provision.secret import Secret

MOST_RULES = 256
LONGEST_KEY = 64
"""Of names of ours. What a camera takes at most is unknown; the site file allows 48."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What changes are checked against: a reading, what the camera offers, and who logs in."""

    reading: Reading
    catalog: Catalog
    login: str

    @property
    def endpoint(self) -> str:
        return self.catalog.link.endpoint

    def check(self, change: Change, fields: Mapping[str, Value]) -> None:
        """`fields` are those that are to be written. Raises Refused, TargetError."""
        if change.action is Action.DELETE:
            self._check_removal(change)
            return
        kind, key, known = change.address.kind, change.address.key, self.reading.params
        if kind == "io_port":
            sent = {each.name: fields[each.name] for each in change.fields if each.name in fields}
            device_write.check_port(key, sent, known, self.endpoint)
            check_text("io_ports.name", str(sent.get("name", "")))
        elif kind == "stream_profile":
            device_write.profile_values(fields)
            check_text("image.profile", key)
            if change.action is Action.CREATE:
                device_write.check_room(known, self.endpoint)
        elif kind == "camera_clock":
            for _, value in device_write.clock_pairs(fields):
                check_text("time.posix_zone", value)
        elif kind == "axis_user":
            device_write.check_account(key, self.login, fields.get("password"), self.endpoint)
        else:
            self._check_mail(change, fields)

    def _check_removal(self, change: Change) -> None:
        if change.address.kind == "axis_user" and change.address.key == self.login:
            device_write.check_account(change.address.key, self.login, None, self.endpoint)
        if change.address.kind in {"io_port", "camera_clock"}:
            raise Refused(
                f"{change.address.kind} {change.address.key} cannot be removed: it is part of the camera",
                endpoint=self.endpoint,
                next_step="leave it as it is",
            )

    def _check_mail(self, change: Change, fields: Mapping[str, Value]) -> None:
        if len(change.address.key) > LONGEST_KEY:
            raise Refused(
                f"the name {change.address.key[:20]!r}... is longer than {LONGEST_KEY} characters",
                endpoint=self.endpoint,
                next_step="give it a shorter name",
            )
        if change.address.kind == "action_rule":
            self._check_rule(change, fields)
            slots = self.catalog.action_slots()
        else:
            slots = self.catalog.recipient_slots()
        password = fields.get("smtp.password")
        left = filled(slots, fields, password if isinstance(password, Secret) else None).left
        page = has_page(self.reading.params)
        check_left(left, has_page=page, endpoint=self.endpoint)
        if page:
            for name, value in page_pairs({**_page(self.reading), **left}).items():
                check_text(name, value)

    def _check_rule(self, change: Change, fields: Mapping[str, Value]) -> None:
        action = fields.get("action", "mail")
        if action != "mail":
            raise Refused(
                f"a rule with the action {action} cannot be made: only rules that send a mail can",
                endpoint=self.endpoint,
                next_step="make that rule on the camera's own pages",
            )
        if change.action is Action.CREATE and len(self.reading.rules) >= MOST_RULES:
            raise Refused(
                f"the camera has {len(self.reading.rules)} rules, and no room for another",
                endpoint=self.endpoint,
                next_step="remove some on the camera's own pages",
            )
        conditions = fields.get("conditions")
        texts = [*(conditions if isinstance(conditions, tuple) else ())]
        texts += [str(fields["trigger"])] if fields.get("trigger", UNSET) != UNSET else []
        for text in texts:
            condition = condition_from(text)
            if condition.pairs is not None:
                check_condition(condition, self.catalog.events(), self.endpoint)


def _page(reading: Reading) -> dict[str, Value]:
    """Port and security belong together: what is not changed is as it stands."""
    known = page_fields(reading.params)
    return {name: known[name] for name in ("smtp.port", "smtp.security") if known[name] != UNSET}
