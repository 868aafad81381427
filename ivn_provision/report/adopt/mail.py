"""Mail server, recipients and action rules of a camera as parts of an `axis:` section. Pure.

A section has one mail server, and its rules name recipients. A camera copies both into every rule and keeps no
reference (facts/axis.md, 5.5): so they are found again by what they say.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from ivn_provision.model.resource import Resource, Unset
from ivn_provision.report.adopt.server import Server
from ivn_provision.secret import Fingerprint, SecretRef
from ivn_provision.spec.axis import Axis
from ivn_provision.spec.axis_fit import misfit, most
from ivn_provision.spec.values import Computed

Json = dict[str, Any]
_Said = TypeVar("_Said")
_CONDITION = re.compile(r"(?:(virtual) )?input ([1-9][0-9]*) (active|inactive)", re.ASCII)
_FIRST = {"input": 1}
_DEFAULT_NAME, _DEFAULT_PORT = "Input 1", 25
_WORDS = {"action_rule": "rule", "recipient": "recipient"}
_LISTS = {"action_rule": "action_rules", "recipient": "recipients"}
_ANOTHER = "its mail server is another one; a section has one for all"


class _Unsayable(Exception):
    """Why an object cannot be said in a site file."""


class Mails:
    """One camera. What `declared` has already is not said again, and all else has to go with it."""

    def __init__(self, resources: tuple[Resource, ...], password: SecretRef, declared: Axis | None) -> None:
        self.told: list[str] = []
        self._password = password
        self._resources = resources
        self._smtp = declared.smtp if declared else None
        self._has_rules = declared is not None and declared.action_rules is not None
        self._fixed = declared.recipients if declared else None
        self._left: list[tuple[Resource, str]] = []
        self._rules = [] if self._has_rules else self._named("action_rule")
        self._recipients = [] if self._fixed is not None else self._named("recipient")
        self._server = self._one_server()
        self._known: dict[str, tuple[str, ...]] = {
            each.name: tuple(map(str, each.addresses))
            for each in self._fixed or ()
            if not any(isinstance(one, Computed) for one in each.addresses)
        }

    def data(self) -> Json:
        """`smtp`, `recipients` and `action_rules`, as far as there is anything to say. To be called once."""
        for each in self._recipients:
            if addresses := self._sayable(each, self._recipient):
                self._known[each.address.key] = addresses
        rules = [found for each in self._rules if (found := self._sayable(each, self._rule))]
        data: Json = {}
        if self._smtp is None and self._server and (rules or self._known):
            data["smtp"] = self._said_server(self._server)
        if self._fixed is None and self._known:
            data["recipients"] = [
                {"name": name, "addresses": list(addresses)} for name, addresses in self._known.items()
            ]
        if rules:
            data["action_rules"] = rules
        self._tell(data)
        return data

    def _named(self, kind: str) -> list[Resource]:
        """Those of a kind by name, each name once: ours first, since they are what a declaration means."""
        found: dict[str, list[Resource]] = {}
        for each in self._resources:
            if each.kind == kind:
                found.setdefault(each.address.key, []).append(each)
        kept = []
        for name, several in found.items():
            ours, word = [each for each in several if each.owned], _WORDS[kind]
            if not ours and len(several) > 1:
                self.told.append(f"{len(several)} {word}s are called {name!r}: give them names of their own")
                continue
            kept.append((ours or several)[0])
            if len(ours) > 1:
                self.told.append(
                    f"{len(ours)} {word}s of ours are called {name!r}: the plan keeps the newest"
                )
            if ours and len(several) > len(ours):
                self.told.append(f"another {word} called {name!r} is not ours: it stays, and is not adopted")
        return sorted(kept, key=lambda each: each.address.key)

    def _one_server(self) -> Server | None:
        """The declared mail server, else that of most rules; of recipients where no rule mails."""
        if smtp := self._smtp:
            return Server(smtp.sender, smtp.host, smtp.port, smtp.security, smtp.username)
        for some in ([each for each in self._rules if _mails(each)], self._recipients):
            servers = Counter(each for each in map(Server.of, some) if not each.problem())
            if servers:
                return servers.most_common(1)[0][0]
        return None

    def _said_server(self, server: Server) -> Json:
        said = server.said()
        if said["port"] == _DEFAULT_PORT:
            del said["port"]
        if server.username:
            said["password"] = self._password
            self.told.append(
                f"the mail account's password is not shown by a camera: set {self._password}; "
                + (
                    "another one than was written would be a change"
                    if self._is_written()
                    else "until it was written once, the plan has that change"
                )
            )
        return said

    def _is_written(self) -> bool:
        """Did the tool itself write the password everywhere?"""
        all_of = (*self._rules, *self._recipients)
        return all(
            isinstance(each.fields.get("smtp.password"), Fingerprint)
            for each in all_of
            if each.address.key not in {one.address.key for one, _ in self._left}
        )

    def _sayable(self, of: Resource, say: Callable[[Resource], _Said]) -> _Said | None:
        try:
            return say(of)
        except _Unsayable as why:
            self._left.append((of, str(why)))
            return None

    def _recipient(self, of: Resource) -> tuple[str, ...]:
        if "addresses" not in of.fields:
            raise _Unsayable("it is no recipient of mails")
        return self._addresses(of, "addresses", of.address.key)

    def _addresses(self, of: Resource, field: str, name: str) -> tuple[str, ...]:
        """Raises _Unsayable also where the mail server is another one than the section's."""
        server = Server.of(of)
        if problem := server.problem():
            raise _Unsayable(problem)
        if self._server is None or not self._server.is_same(server):
            raise _Unsayable(_ANOTHER)
        value = of.fields.get(field)
        addresses = tuple(map(str, value)) if isinstance(value, tuple) else ()
        _fit("recipients/items", {"name": name, "addresses": addresses})
        return addresses

    def _rule(self, rule: Resource) -> Json:
        if not _mails(rule):
            raise _Unsayable(f"its action is {rule.fields.get('action')}, and only mails can be declared")
        name, found = rule.address.key, Json()
        if name != _DEFAULT_NAME:
            found["name"] = name
        if rule.fields.get("enabled") is False:
            found["enabled"] = False
        trigger, conditions = _condition("trigger", rule.fields.get("trigger")), rule.fields.get("conditions")
        said = [
            _condition("condition", each) for each in (conditions if isinstance(conditions, tuple) else ())
        ]
        if trigger != _FIRST:
            found["trigger"] = trigger
        if said != [trigger]:
            found["conditions"] = said
        if wait := rule.fields.get("wait_seconds", 0):
            found["wait_seconds"] = wait if isinstance(wait, int) else str(wait)
        mail = {each: _text(rule, each) for each in ("subject", "message")}
        found["send_mail"] = {"recipient": "x", **mail}
        _fit("action_rules/items", found)
        addresses = self._addresses(rule, "mail.addresses", name)
        found["send_mail"]["recipient"] = self._recipient_of(name, addresses)
        return found

    def _recipient_of(self, rule: str, addresses: tuple[str, ...]) -> str:
        """The recipient with a rule's addresses, or one that is made for it."""
        for name, each in self._known.items():
            if sorted(each) == sorted(addresses):
                return name
        if self._fixed is not None:
            raise _Unsayable("no declared recipient has its addresses")
        taken = {each.address.key for each in self._resources if each.kind == "recipient"} | set(self._known)
        made = next(each for each in _free_names(rule) if each not in taken)
        self._known[made] = addresses
        self.told.append(
            f"the camera has no recipient with the addresses of rule {rule!r}: the plan makes {made!r}"
        )
        return made

    def _tell(self, data: Json) -> None:
        """What is left out, and what a plan removes since it is ours and the list is complete."""
        limit = most("action_rules")
        for each in data.get("action_rules", [])[limit:]:
            name = each.get("name", _DEFAULT_NAME)
            self.told.append(f"rule {name!r} is left out: a section holds {limit} rules")
        if "action_rules" in data:
            del data["action_rules"][limit:]
        for of, why in self._left:
            removed = of.owned and _LISTS[of.kind] in data
            self.told.append(
                f"{_WORDS[of.kind]} {of.address.key!r} is left out: {why}"
                + ("; it is ours: a plan with this section removes it" if removed else "")
            )
        for each in self._resources if "action_rules" in data else ():
            if each.kind == "action_configuration":
                self.told.append(f"{each.title!r} is left over of ours: a plan with this section removes it")


def _mails(rule: Resource) -> bool:
    return rule.fields.get("action") == "mail"


def _fit(part: str, value: Json) -> None:
    if problem := misfit(part, value):
        raise _Unsayable(problem)


def _free_names(rule: str) -> Iterator[str]:
    yield rule
    for number in range(2, 10_000):
        yield f"{rule[:42].rstrip()} {number}"


def _text(rule: Resource, part: str) -> str:
    value = rule.fields.get(f"mail.{part}")
    text = value if isinstance(value, str) else ""
    if text.endswith("\n"):
        raise _Unsayable(f"its {part} ends with an empty line, which a site file does not keep")
    return text


def _condition(what: str, value: object) -> Json:
    found = _CONDITION.fullmatch(str(value))
    if found is None and isinstance(value, Unset | None):
        raise _Unsayable(f"it has no {what}")
    if found is None:
        raise _Unsayable(f"its {what} `{value!s}` is not the state of one input")
    said: Json = {"virtual_input" if found[1] else "input": int(found[2])}
    return said if found[3] == "active" else {**said, "active": False}
