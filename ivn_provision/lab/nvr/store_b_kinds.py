"""Where store B keeps each field of the Management Application's dialogs, and in which words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lxml import etree

from ivn_provision.errors import LabError
from ivn_provision.lab.nvr.config_fields import choice, flag, number, text
from ivn_provision.lab.nvr.store_b_initial import ALARM, ALARMS, EVENTS, GENERIC, INPUT, MAIL
from ivn_provision.lab.nvr.store_b_xml import Style
from ivn_provision.lab.nvr.windows_machine import EVENT_SERVER, IMAGE_SERVER, RECORDING_SERVER

Encode = Callable[[str], str]
_RECORDING = (IMAGE_SERVER, RECORDING_SERVER)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: its file, its items (`at` below the root; a single has none), and its fields' paths and codecs.

    `restart` in the order of stopping. `template` is what the Management Application fills in for a new one.
    """

    style: Style
    restart: tuple[str, ...]
    fields: Mapping[str, tuple[str, Encode]]
    at: str = ""
    name: str = ""
    handle: str = ""
    braces: bool = True
    template: str = ""
    compound: tuple[str, ...] = field(default=())

    @property
    def known_fields(self) -> list[str]:
        """Every field, as a person writes it."""
        return sorted([*self.fields, *self.compound])


def _words(yes: str, no: str) -> Encode:
    return lambda value: yes if flag(value) == "1" else no


def _recipients(value: str) -> str:
    return ",".join(each.strip() for each in re.split("[;,]", text(value)) if each.strip())


_YN, _TRUE = _words("Y", "N"), _words("true", "false")

KINDS: Mapping[str, Kind] = {
    "generic_event": Kind(
        EVENTS,
        _RECORDING,
        {
            "name": ("Label/@Text", text),
            "enabled": ("@State", _YN),
            "match": ("Trigger", text),
            "substring": ("Trigger", text),
            "rule": ("Trigger/@Rule", choice(search="0", match="1")),
            "protocol": ("Trigger/@Transport", choice(any="0", tcp="1", udp="2")),
            "priority": ("Ranking", number),
            "email": ("Actions/EMail/@On", _TRUE),
        },
        at="Generic/Event",
        name="Label/@Text",
        handle="@Id",
        template=GENERIC,
        compound=("label",),
    ),
    "hardware_event": Kind(
        EVENTS,
        _RECORDING,
        {
            "name": ("Title", text),
            "enabled": ("@Enabled", _YN),
            "input": ("Source/@Port", number),
            "edge": ("Source/@Level", choice(rising="1", falling="2")),
            "email": ("Reaction/EMail/@Send", _TRUE),
            "record": ("Reaction/Recording/@Scope", choice(none="0", all="1")),
        },
        at="Inputs/Input",
        name="Title",
        handle="@Key",
        template=INPUT,
        compound=("label", "camera", "device"),
    ),
    "alarm": Kind(
        ALARMS,
        (EVENT_SERVER,),
        {
            "name": ("Name", text),
            "enabled": ("@Active", flag),
            "description": ("Instructions", text),
            "time_profile": ("When", text),
        },
        at="Alarm",
        name="Name",
        handle="@Id",
        braces=False,
        template=ALARM,
        compound=("source",),
    ),
    "mail_message": Kind(
        MAIL,
        (RECORDING_SERVER,),
        {
            "enabled": ("mail/@active", _TRUE),
            "recipients": ("mail/to", _recipients),
            "subject": ("mail/template/@subject", text),
            "body": ("mail/template/@text", text),
            "message": ("mail/template/@text", text),
        },
    ),
    "mail_server": Kind(
        MAIL,
        (RECORDING_SERVER,),
        {
            "sender": ("smtp/from", text),
            "host": ("smtp/server", text),
            "port": ("smtp/@port", number),
            "security": ("smtp/@security", choice(none="0", starttls="1", tls="2")),
            "username": ("smtp/login/@account", text),
        },
        compound=("password", "login"),
    ),
}
# The settings that `restore` puts back, per single kind.
SINGLES = {"mail_message": "mail", "mail_server": "smtp"}


def put(item: etree._Element, path: str, value: str) -> None:
    """Set the text of `A/B` or the attribute `A/@x`; what is missing on the way is made."""
    place, at, attribute = path.rpartition("@")
    element = item
    for name in [each for each in (place if at else path).split("/") if each]:
        child = element.find(name)
        element = etree.SubElement(element, name) if child is None else child
    if at:
        element.set(attribute, value)
    else:
        element.text = value


def kind_of(name: str, others: tuple[str, ...]) -> Kind:
    """The kind of this store. Raises LabError naming all."""
    if name not in KINDS:
        raise LabError(f"there is no kind {name!r}", next_step=f"kinds: {', '.join((*KINDS, *others))}")
    return KINDS[name]
