"""The passes in the words of the Management Application, for the person in front of it.

Labels: `facts/manual.md` (R-44 to R-61) and `facts/xprotect-e.md`, part 4. A label that no source gives is
said in plain words.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping

from ivn_provision.drivers.xprotect_e.learning.passes import Pass, Value

_PLACES: Mapping[str, str] = {
    "generic_event": "Advanced Configuration > Generic Events, right-click > Properties",
    "hardware_event": "Advanced Configuration > Events and Output > Hardware Input Events",
    "mail_message": "Advanced Configuration > Notifications > Email",
    "mail_server": "Advanced Configuration > Notifications > Email, button Server Settings",
    "alarm": "Advanced Configuration > Alarms > Alarm Definitions",
}
_NOUNS = {
    "generic_event": "generic event",
    "hardware_event": "hardware input event",
    "alarm": "alarm definition",
    "mail_message": "e-mail settings",
    "mail_server": "Server Properties",
}
_LABELS: Mapping[str, str] = {
    "generic_event.name": "Event name",
    "generic_event.match": "Event substring",
    "generic_event.rule": "Event rule Type",
    "hardware_event.name": "Event name",
    "hardware_event.device": "Hardware Device Profile, at",
    "hardware_event.camera": "camera of the event",
    "hardware_event.input": "signal on input",
    "hardware_event.edge": "edge of the signal",
    "hardware_event.record": "record on",
    "generic_event.email": "Send e-mail if this event occurs",
    "hardware_event.email": "Send email if this event occurs",
    "generic_event.enabled": "Enable event",
    "hardware_event.enabled": "Enable event",
    "mail_message.enabled": "Enable e-mail",
    "mail_message.recipients": "Recipient(s)",
    "mail_message.subject": "Subject text",
    "mail_message.body": "Message text",
    "mail_server.sender": "Sender email address",
    "mail_server.host": "Outgoing mail server address",
    "mail_server.port": "Outgoing mail server port",
    "mail_server.security": "Security type",
    "mail_server.username": "User name",
    "alarm.name": "Alarm Name",
    "alarm.enabled": "Enable",
    "alarm.description": "Description",
    "alarm.source": "trigger event System Events > External Event > Select…",
    "alarm.time_profile": "Time profile",
}
_VERBS = {"add": "Add a new", "change": "Change the", "remove": "Remove the", "restore": "Put back the"}


def instructions(each: Pass, number: int, total: int) -> str:
    """One pass as text."""
    lines = [f"[{number}/{total}] {_headline(each)}"]
    if each.action == "control":
        lines.append("    Open the Management Application, change nothing, save, close it.")
        return "\n".join(lines)
    lines.append(f"    {_PLACES[each.kind]}")
    lines += [f"      {line}" for line in _fields(each)]
    lines += [f"    Note: {each.note}." if each.note else ""]
    return "\n".join(line for line in lines if line)


def _headline(each: Pass) -> str:
    if each.action == "control":
        return "Save without a change"
    named = f" {each.key}" if each.key else ""
    return f"{_VERBS[each.action]} {_NOUNS[each.kind]}{named}: {each.name}"


def _fields(each: Pass) -> Iterator[str]:
    for name, value in each.fields.items():
        yield f"{_LABELS.get(f'{each.kind}.{name}', name)}: {_shown(value)}"


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return "ticked" if value else "not ticked"
    if isinstance(value, tuple):
        return "; ".join(value)
    text = str(value)
    return f"\n{textwrap.indent(text, ' ' * 10)}" if "\n" in text else text or "(empty)"
