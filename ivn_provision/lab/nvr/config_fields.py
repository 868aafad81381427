"""Which fields a technician can change, and where configuration.xml keeps each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ivn_provision.errors import LabError

_YES, _NO = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


@dataclass(frozen=True, slots=True)
class Field:
    """One text node below an object, and how a technician's words become its text."""

    path: str
    encode: Callable[[str], str]


def text(value: str) -> str:
    """As it is. Raises LabError for control characters."""
    if any(character < " " and character not in "\n\t" for character in value):
        raise LabError("control characters cannot stand in the configuration")
    return value


def flag(value: str) -> str:
    """`1` or `0`. Raises LabError."""
    word = value.strip().casefold()
    if word not in _YES | _NO:
        raise LabError(f"{value!r} is neither true nor false", next_step="write true or false")
    return "1" if word in _YES else "0"


def _inverse(value: str) -> str:
    return "0" if flag(value) == "1" else "1"


def number(value: str) -> str:
    """Digits without leading zeros. Raises LabError."""
    if not re.fullmatch(r"[0-9]{1,9}", value.strip()):
        raise LabError(f"{value!r} is not a number", next_step="write digits only")
    return str(int(value))


def choice(**words: str) -> Callable[[str], str]:
    """One of `words`, in the file's own spelling. The result raises LabError."""

    def encode(value: str) -> str:
        try:
            return words[value.strip().casefold()]
        except KeyError:
            raise LabError(
                f"{value!r} is not known here", next_step=f"use one of {', '.join(words)}"
            ) from None

    return encode


_EMAIL = "Notifications/Email/"
_SERVER = "Notifications/EmailServer/"
_SECURITY = choice(none="None", starttls="StartTls", tls="Tls")
_CODEC = choice(mjpeg="MJPEG", h264="H264", mpeg4="MPEG4")
_NAME, _ENABLED = Field("Name", text), Field("Enabled", flag)

FIELDS: Mapping[str, Mapping[str, Field]] = {
    "camera": {
        "name": Field("DisplayName", text),
        "enabled": Field("Disabled", _inverse),
        "codec": Field("VideoFormat/Codec", _CODEC),
        "resolution": Field("VideoFormat/Resolution", text),
        "fps": Field("FrameRateSettings/FPS", number),
        "live_fps": Field("FrameRateSettings/LiveFrameRate", number),
        "pre_buffer_seconds": Field("Storage/DbPreSecs", number),
        "post_buffer_seconds": Field("Storage/DbPostSecs", number),
    },
    "hardware_event": {
        "name": _NAME,
        "enabled": _ENABLED,
        "input": Field("Input", number),
        "edge": Field("Edge", choice(rising="Rising", falling="Falling")),
        "email": Field("SendEmail", flag),
        "record": Field("RecordCameras", choice(all="All", none="None")),
    },
    "generic_event": {
        "name": _NAME,
        "enabled": _ENABLED,
        "match": Field("Substring", text),
        "rule": Field("RuleType", choice(match="Match", search="Search")),
        "protocol": Field("Protocol", choice(any="Any", tcp="TCP", udp="UDP")),
        "priority": Field("Priority", number),
        "email": Field("SendEmail", flag),
    },
    "mail_message": {
        "enabled": Field(f"{_EMAIL}Enabled", flag),
        "recipients": Field(f"{_EMAIL}Recipients", text),
        "subject": Field(f"{_EMAIL}Subject", text),
        "body": Field(f"{_EMAIL}Message", text),
    },
    "mail_server": {
        "sender": Field(f"{_SERVER}Sender", text),
        "host": Field(f"{_SERVER}Host", text),
        "port": Field(f"{_SERVER}Port", number),
        "security": Field(f"{_SERVER}Security", _SECURITY),
        "login": Field(f"{_SERVER}Login", flag),
        "username": Field(f"{_SERVER}UserName", text),
    },
    "alarm": {
        "name": _NAME,
        "enabled": _ENABLED,
        "description": Field("Description", text),
        "time_profile": Field("TimeProfile", text),
    },
    "server_access": {
        "local_port": Field("ServerAccess/LocalPort", number),
        "internet_access": Field("ServerAccess/InternetAccess", flag),
        "internet_port": Field("ServerAccess/InternetPort", number),
        "max_clients": Field("ServerAccess/MaxClients", number),
    },
    "services": {
        "event_server_port": Field("Events/Handling/AlertPort", number),
        "log_server_port": Field("RegisteredServices/LogServerPort", number),
    },
    "user": {
        "name": _NAME,
        "kind": Field("Kind", choice(basic="Basic", windows="Windows")),
        "administrator": Field("Administrator", flag),
        "view": Field("View", flag),
    },
}
# Words that other tools use for the same fields.
ALIASES: Mapping[str, Mapping[str, str]] = {
    "generic_event": {"substring": "match"},
    "mail_message": {"message": "body"},
    "camera": {"mode": "recording", "recording_mode": "recording", "recording.mode": "recording"},
}
# Fields that touch more than one text node: handled by config_edit.
COMPOUND: Mapping[str, tuple[str, ...]] = {
    "camera": ("label", "recording"),
    "hardware_event": ("label", "camera", "device"),
    "generic_event": ("label",),
    "alarm": ("source",),
    "user": ("password",),
    "mail_server": ("password",),
}
# DbSaveMode, SaveOnEvent, SaveOnMotion: mode 1 is inferred, the others assumed (facts/xprotect-e.md, part 2.2).
RECORDING: Mapping[str, tuple[str, str, str]] = {
    "always": ("0", "0", "0"),
    "never": ("1", "0", "0"),
    "event": ("2", "1", "0"),
    "motion": ("2", "0", "1"),
    "motion_and_event": ("2", "1", "1"),
}


# What the Management Application fills in for a new object.
NEW_ITEMS: Mapping[str, Mapping[str, str]] = {
    "hardware_event": {
        "Name": "",
        "Enabled": "1",
        "DeviceGuid": "",
        "Input": "1",
        "Edge": "Rising",
        "SendEmail": "0",
        "EmailCamera": "",
        "RecordCameras": "None",
    },
    "generic_event": {
        "Name": "",
        "Enabled": "1",
        "Substring": "",
        "RuleType": "Search",
        "Protocol": "Any",
        "Priority": "500",
        "SendEmail": "0",
    },
    "alarm": {
        "Name": "",
        "Enabled": "1",
        "Description": "",
        "EventGroup": "External Event",
        "SourceEvent": "",
        "TimeProfile": "Always",
    },
}


def known_fields(kind: str) -> list[str]:
    """Every field of a kind, as a person writes it."""
    return sorted([*FIELDS[kind], *COMPOUND.get(kind, ())])
