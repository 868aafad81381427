"""What a camera has now, as the `axis:` section of a site file whose plan is empty. Pure.

What the section cannot say is told instead, and never passed over. Defaults are left out, so that a camera that is
set up as the manual says (R-67 to R-72) gives the short form.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ivn_provision.model.resource import Resource, Value
from ivn_provision.secret import SecretRef

_SMTP = ("sender", "host", "port", "security", "username")
_CONDITION = re.compile(r"(?:(virtual) )?input ([1-9][0-9]?) (active|inactive)", re.ASCII)
_NAME = re.compile(
    r"[^\x00- #\x7f\x85\u2028\u2029](?:[^\x00-\x1f#\x7f\x85\u2028\u2029]{0,46}[^\x00- #\x7f\x85\u2028\u2029])?"
)
_LINE = re.compile(r"[^\x00-\x1f\x7f\x85\u2028\u2029]{1,255}")
_TEXT = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f]{1,2000}")
_ADDRESS = re.compile(r"[^\x00-\x20\x7f,;]{1,320}")
_FIRST = {"input": 1}
_DEFAULT_NAME = "Input 1"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Section:
    """The keys of an `axis:` section, without `connect`; `told` is what they do not say, for people."""

    data: Json
    told: tuple[str, ...] = ()


def section_of(resources: Iterable[Resource], password: SecretRef) -> Section:
    """`resources` are those of one camera; `password` is written where its mail account has one."""
    found = _Adopted(tuple(resources), password)
    data = found.data()
    return Section(data, tuple(dict.fromkeys(found.told)))


class _Unsayable(Exception):
    """Why an object cannot be said in a site file."""


class _Adopted:
    def __init__(self, resources: tuple[Resource, ...], password: SecretRef) -> None:
        self.told: list[str] = []
        self._password = password
        self._rules = self._named(resources, "action_rule")
        self._recipients = self._named(resources, "recipient")
        self._ports = [each for each in resources if each.kind == "io_port"]
        self._clock = [each for each in resources if each.kind == "camera_clock"]
        self._profiles = [each for each in resources if each.kind == "stream_profile"]
        self._users = [each for each in resources if each.kind == "axis_user"]
        self._server = self._most_used_server()

    def data(self) -> Json:
        recipients = dict(self._said_recipients())
        rules = list(self._said_rules(recipients))
        data: Json = {}
        if self._server and (rules or recipients):
            data["smtp"] = self._smtp(dict(zip(_SMTP, self._server, strict=True)))
        if recipients:
            data["recipients"] = [
                {"name": name, "addresses": list(addresses)} for name, addresses in recipients.items()
            ]
        if rules:
            data["action_rules"] = rules
        data |= {name: each for name, each in self._device() if each}
        for each in self._users:
            self.told.append(
                f"account {each.address.key} ({each.fields.get('role')}): declare it with its password"
            )
        return data

    def _device(self) -> Iterator[tuple[str, Any]]:
        yield (
            "io_ports",
            [self._port(each) for each in sorted(self._ports, key=lambda one: int(one.address.key))],
        )
        for each in self._profiles:
            fields = ("codec", "resolution", "compression", "fps")
            yield "image", {"profile": each.address.key, **_set(each, fields)}
        for each in self._clock:
            yield "time", _set(each, ("posix_zone", "ntp_server"))

    def _port(self, port: Resource) -> Json:
        return {"port": int(port.address.key), **_set(port, ("name", "direction", "normal"))}

    def _named(self, resources: tuple[Resource, ...], kind: str) -> list[Resource]:
        """Those of a kind that have a name of their own: ours first, since they are what a declaration means."""
        found: dict[str, list[Resource]] = {}
        for each in resources:
            if each.kind == kind:
                found.setdefault(each.address.key, []).append(each)
        kept = []
        for name, several in found.items():
            ours = [each for each in several if each.owned]
            if len(several) == 1 or ours:
                kept.append((ours or several)[0])
            else:
                self.told.append(
                    f"{len(several)} {_WORDS[kind]}s are called {name!r}: give them names of their own"
                )
        return sorted(kept, key=lambda each: each.address.key)

    def _most_used_server(self) -> tuple[Value, ...] | None:
        """The mail server of most rules; of recipients where no rule mails."""
        rules = [each for each in self._rules if each.fields.get("action") == "mail"]
        for some in (rules, self._recipients):
            servers = Counter(each for each in map(_server, some) if each is not None)
            if servers:
                return servers.most_common(1)[0][0]
        return None

    def _smtp(self, server: Mapping[str, Value]) -> Json:
        found: Json = {name: value for name, value in server.items() if name != "username"}
        if found["port"] == 25:
            del found["port"]
        if server["username"]:
            found |= {"username": server["username"], "password": self._password}
            self.told.append(
                f"the mail account's password is not shown by a camera: set {self._password}; "
                "until it was written once, the plan has that change"
            )
        return found

    def _said_recipients(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        for each in self._recipients:
            try:
                yield _name(each), self._addresses(each, "addresses")
            except _Unsayable as why:
                self.told.append(f"recipient {each.address.key!r} is left out: {why}")

    def _addresses(self, of: Resource, field: str) -> tuple[str, ...]:
        if _server(of) != self._server:
            raise _Unsayable("it has another mail server, or none; a section has one for all")
        value = of.fields.get(field)
        addresses = value if isinstance(value, tuple) else ()
        if not addresses or not all(isinstance(each, str) and _ADDRESS.fullmatch(each) for each in addresses):
            raise _Unsayable("it has no address that can be written")
        return tuple(map(str, addresses))

    def _said_rules(self, recipients: dict[str, tuple[str, ...]]) -> Iterator[Json]:
        for each in self._rules:
            try:
                yield self._rule(each, recipients)
            except _Unsayable as why:
                self.told.append(f"rule {each.address.key!r} is left out: {why}")

    def _rule(self, rule: Resource, recipients: dict[str, tuple[str, ...]]) -> Json:
        if rule.fields.get("action") != "mail":
            raise _Unsayable(f"its action is {rule.fields.get('action')}, and only mails can be declared")
        name, found = _name(rule), Json()
        if name != _DEFAULT_NAME:
            found["name"] = name
        if rule.fields.get("enabled") is False:
            found["enabled"] = False
        trigger, conditions = _condition(rule.fields.get("trigger")), rule.fields.get("conditions")
        said = [_condition(each) for each in (conditions if isinstance(conditions, tuple) else ())]
        if trigger != _FIRST:
            found["trigger"] = trigger
        if said != [trigger]:
            found["conditions"] = said
        wait = rule.fields.get("wait_seconds", 0)
        if not isinstance(wait, int):
            raise _Unsayable(f"its wait time {wait!s} is no number of seconds")
        if wait:
            found["wait_seconds"] = wait
        mail = {each: _text(rule, each) for each in ("subject", "message")}
        addresses = self._addresses(rule, "mail.addresses")
        found["send_mail"] = {"recipient": self._recipient(name, addresses, recipients), **mail}
        return found

    def _recipient(self, rule: str, addresses: tuple[str, ...], known: dict[str, tuple[str, ...]]) -> str:
        """The recipient with a rule's addresses: the camera copies them, and keeps no reference."""
        for name, each in known.items():
            if sorted(each) == sorted(addresses):
                return name
        made = next(each for each in _free_names(rule) if each not in known)
        known[made] = addresses
        self.told.append(
            f"the camera has no recipient with the addresses of rule {rule!r}: the plan makes {made!r}"
        )
        return made


_WORDS = {"action_rule": "rule", "recipient": "recipient"}


def _free_names(rule: str) -> Iterator[str]:
    yield rule[:48]
    for number in range(2, 1000):
        yield f"{rule[:44]} {number}"


def _server(of: Resource) -> tuple[Value, ...] | None:
    """Sender, host, port, security and user; None where one of them is not set."""
    values = tuple(of.fields.get(f"smtp.{name}") for name in _SMTP)
    *needed, username = values
    sender, host, port, security = needed
    if not isinstance(port, int) or security not in {"none", "starttls", "tls"}:
        return None
    if not isinstance(sender, str) or not _ADDRESS.fullmatch(sender) or not isinstance(host, str) or not host:
        return None
    return (*needed, username if isinstance(username, str) else "")


def _name(of: Resource) -> str:
    name = of.address.key
    if not _NAME.fullmatch(name):
        raise _Unsayable("its name is too long, or has a `#` or blanks at its ends")
    return name


def _text(rule: Resource, part: str) -> str:
    value = rule.fields.get(f"mail.{part}")
    pattern = _LINE if part == "subject" else _TEXT
    if not isinstance(value, str) or not pattern.fullmatch(value) or value != value.rstrip("\n"):
        raise _Unsayable(f"its {part} is empty, too long, or not plain text")
    return value


def _condition(value: object) -> Json:
    found = _CONDITION.fullmatch(str(value))
    if found is None:
        raise _Unsayable(f"{value!s} is the state of no input")
    said: Json = {"virtual_input" if found[1] else "input": int(found[2])}
    return said if found[3] == "active" else {**said, "active": False}


def _set(of: Resource, names: Iterable[str]) -> Json:
    """Those fields that are set."""
    found = {name: of.fields.get(name) for name in names}
    return {name: value for name, value in found.items() if isinstance(value, str | int) and value != ""}
