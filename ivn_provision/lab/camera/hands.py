"""What a person does at a camera: wires an input, or changes something behind the tool's back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ivn_provision.errors import LabError
from ivn_provision.lab.camera.accounts import Account
from ivn_provision.lab.camera.book import Book, Configuration, Rule
from ivn_provision.lab.camera.calls import whole_number
from ivn_provision.lab.camera.configuration_reader import all_slots
from ivn_provision.lab.camera.device import ALL_GROUPS, Device
from ivn_provision.lab.camera.events import PORT, VIRTUAL_INPUT, EventFilter
from ivn_provision.lab.camera.mail_room import TEMPLATE
from ivn_provision.lab.camera.params import NotSet, without_root
from ivn_provision.lab.camera.topics import well_known

KINDS = ("param", "rule", "configuration", "recipient", "user")
_RULE_FIELDS = ("name", "enabled", "input", "virtual_input", "active", "action", "timeout")
_RECIPIENT = "com.axis.recipient.smtp"


def fire_input(device: Device, number: int, *, active: bool, told: bool) -> None:
    """Change an input, counted from 1. Raises LabError."""
    if number - 1 not in device.board.inputs():
        raise LabError(f"the camera has no input {number}", next_step=f"inputs: {_inputs(device)}")
    device.wire(number - 1, active, told=told)


def fire_virtual(device: Device, number: int, *, active: bool) -> bool:
    """Change a virtual input, counted from 1. Raises LabError."""
    if not 1 <= number <= device.profile.virtual_inputs:
        raise LabError(f"the camera has no virtual input {number}")
    return device.virtual(number, active)


def tamper(device: Device, kind: str, key: str, fields: Mapping[str, str]) -> None:
    """Change an object, named by its id or name; a rule, recipient or user that is not there is made.

    Rules have the fields `enabled`, `name`, `input` or `virtual_input`, `active`, `action` (an id), `timeout`;
    configurations and recipients `name` and those of their templates; parameters `value`; users `password` and
    `groups`. Raises LabError.
    """
    _known(kind)
    {"param": _param, "rule": _rule, "configuration": _configuration, "recipient": _recipient, "user": _user}[
        kind
    ](device, key, fields)
    device.save()


def remove(device: Device, kind: str, key: str) -> None:
    """Remove an object, also a configuration that is in use. Raises LabError."""
    _known(kind)
    book, found = device.book, False
    if kind == "param":
        try:
            device.params.remove(without_root(key))
        except NotSet:
            raise LabError(f"{key} is no group that can be removed") from None
    elif kind == "user":
        found = device.accounts.all.pop(key, None) is not None
    else:
        shelf = _shelf(book, kind)
        numbers = [number for number, each in shelf.items() if key in {str(number), each.name}]
        found = bool([shelf.pop(number) for number in numbers])  # type: ignore[attr-defined]
    if not found and kind != "param":
        raise LabError(f"the camera has no {kind} {key!r}")
    device.save()


def _known(kind: str) -> None:
    if kind not in KINDS:
        raise LabError(f"a camera has no {kind!r}", next_step=f"kinds are: {', '.join(KINDS)}")


def _shelf(book: Book, kind: str) -> Mapping[int, Rule | Configuration]:
    if kind == "rule":
        return book.rules
    return book.configurations if kind == "configuration" else book.recipients


def _param(device: Device, key: str, fields: Mapping[str, str]) -> None:
    name = without_root(key)
    try:
        device.params.set(name, fields.get("value", ""))
    except NotSet:
        raise LabError(f"{key} cannot be set to {fields.get('value', '')!r}") from None
    device.changed([name])


def _rule(device: Device, key: str, fields: Mapping[str, str]) -> None:
    unknown = set(fields) - set(_RULE_FIELDS)
    if unknown:
        raise LabError(f"a rule has no {unknown.pop()!r}", next_step=f"fields: {', '.join(_RULE_FIELDS)}")
    book = device.book
    old = next((e for e in book.rules.values() if key in {str(e.id), e.name}), None)
    if old is None:
        action = _number(fields, "action") if "action" in fields else _foreign_action(device, key)
        old = book.add_rule(lambda number: Rule(number, key, True, _start(fields), (), "", action))
    book.rules[old.id] = replace(
        old,
        name=fields.get("name", old.name),
        enabled=fields.get("enabled", "true" if old.enabled else "false") == "true",
        start=_start(fields) if {"input", "virtual_input"} & set(fields) else old.start,
        action=_number(fields, "action") if "action" in fields else old.action,
        timeout=fields.get("timeout", old.timeout),
    )


def _foreign_action(device: Device, name: str) -> int:
    slots = all_slots(device.profile.actions[TEMPLATE], device.profile)
    return device.book.add_configuration(name, TEMPLATE, dict.fromkeys(slots, "")).id


def _start(fields: Mapping[str, str]) -> EventFilter:
    virtual = "virtual_input" in fields
    number = _number(fields, "virtual_input") if virtual else _number({"input": "1", **fields}, "input") - 1
    active = "0" if fields.get("active") == "false" else "1"
    name = "active" if virtual else "state"
    content = (
        f'boolean(//SimpleItem[@Name="port" and @Value="{number}"]) and '
        f'boolean(//SimpleItem[@Name="{name}" and @Value="{active}"])'
    )
    return EventFilter(well_known(VIRTUAL_INPUT if virtual else PORT), content)


def _configuration(device: Device, key: str, fields: Mapping[str, str]) -> None:
    shelf = device.book.configurations
    old = next((e for e in shelf.values() if key in {str(e.id), e.name}), None)
    if old is None:
        old = shelf[_foreign_action(device, key)]
    shelf[old.id] = _changed(old, fields)


def _recipient(device: Device, key: str, fields: Mapping[str, str]) -> None:
    shelf = device.book.recipients
    old = next((e for e in shelf.values() if key in {str(e.id), e.name}), None)
    if old is None:
        slots = dict.fromkeys(device.profile.recipients[_RECIPIENT].slots, "")
        old = device.book.add_recipient(key, _RECIPIENT, slots)
    shelf[old.id] = _changed(old, fields)


def _changed(old: Configuration, fields: Mapping[str, str]) -> Configuration:
    values = {name: value for name, value in fields.items() if name != "name"}
    unknown = set(values) - set(old.parameters)
    if unknown:
        raise LabError(f"it has no {unknown.pop()!r}", next_step=f"fields: {', '.join(old.parameters)}")
    return replace(old, name=fields.get("name", old.name), parameters={**old.parameters, **values})


def _user(device: Device, key: str, fields: Mapping[str, str]) -> None:
    old = device.accounts.all.get(key, Account(key, "", ALL_GROUPS))
    groups = tuple(fields["groups"].split(":")) if "groups" in fields else old.groups
    device.accounts.all[key] = Account(key, fields.get("password", old.password), groups)


def _number(fields: Mapping[str, str], name: str) -> int:
    number = whole_number(fields[name])
    if number is None:
        raise LabError(f"{name} is a number, not {fields[name]!r}")
    return number


def _inputs(device: Device) -> str:
    return ", ".join(str(each + 1) for each in device.board.inputs()) or "none"
