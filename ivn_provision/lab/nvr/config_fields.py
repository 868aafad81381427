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


def _text(value: str) -> str:
    if any(character < " " and character not in "\n\t" for character in value):
        raise LabError("control characters cannot stand in the configuration")
    return value


def _flag(value: str) -> str:
    word = value.strip().casefold()
    if word not in _YES | _NO:
        raise LabError(f"{value!r} is neither true nor false", next_step="write true or false")
    return "1" if word in _YES else "0"


def _inverse(value: str) -> str:
    return "0" if _flag(value) == "1" else "1"


def _number(value: str) -> str:
    if not re.fullmatch(r"[0-9]{1,9}", value.strip()):
        raise LabError(f"{value!r} is not a number", next_step="write digits only")
    return str(int(value))


def _choice(**words: str) -> Callable[[str], str]:
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
_SECURITY = _choice(none="None", starttls="StartTls", tls="Tls")
_CODEC = _choice(mjpeg="MJPEG", h264="H264", mpeg4="MPEG4")
_NAME, _ENABLED = Field("Name", _text), Field("Enabled", _flag)

FIELDS: Mapping[str, Mapping[str, Field]] = {
    "camera": {
        "name": Field("DisplayName", _text),
        "enabled": Field("Disabled", _inverse),
        "codec": Field("VideoFormat/Codec", _CODEC),
        "resolution": Field("VideoFormat/Resolution", _text),
        "fps": Field("FrameRateSettings/FPS", _number),
        "live_fps": Field("FrameRateSettings/LiveFrameRate", _number),
        "pre_buffer_seconds": Field("Storage/DbPreSecs", _number),
        "post_buffer_seconds": Field("Storage/DbPostSecs", _number),
    },
    "hardware_event": {
        "name": _NAME,
        "enabled": _ENABLED,
        "input": Field("Input", _number),
        "edge": Field("Edge", _choice(rising="Rising", falling="Falling")),
        "email": Field("SendEmail", _flag),
        "record": Field("RecordCameras", _choice(all="All", none="None")),
    },
    "generic_event": {
        "name": _NAME,
        "enabled": _ENABLED,
        "match": Field("Substring", _text),
        "rule": Field("RuleType", _choice(match="Match", search="Search")),
        "protocol": Field("Protocol", _choice(any="Any", tcp="TCP", udp="UDP")),
        "priority": Field("Priority", _number),
        "email": Field("SendEmail", _flag),
    },
    "mail_message": {
        "enabled": Field(f"{_EMAIL}Enabled", _flag),
        "recipients": Field(f"{_EMAIL}Recipients", _text),
        "subject": Field(f"{_EMAIL}Subject", _text),
        "body": Field(f"{_EMAIL}Message", _text),
    },
    "mail_server": {
        "sender": Field(f"{_SERVER}Sender", _text),
        "host": Field(f"{_SERVER}Host", _text),
        "port": Field(f"{_SERVER}Port", _number),
        "security": Field(f"{_SERVER}Security", _SECURITY),
        "login": Field(f"{_SERVER}Login", _flag),
        "username": Field(f"{_SERVER}UserName", _text),
    },
    "alarm": {
        "name": _NAME,
        "enabled": _ENABLED,
        "description": Field("Description", _text),
        "time_profile": Field("TimeProfile", _text),
    },
    "server_access": {
        "local_port": Field("ServerAccess/LocalPort", _number),
        "internet_access": Field("ServerAccess/InternetAccess", _flag),
        "internet_port": Field("ServerAccess/InternetPort", _number),
        "max_clients": Field("ServerAccess/MaxClients", _number),
    },
    "services": {
        "event_server_port": Field("Events/Handling/AlertPort", _number),
        "log_server_port": Field("RegisteredServices/LogServerPort", _number),
    },
    "user": {
        "name": _NAME,
        "kind": Field("Kind", _choice(basic="Basic", windows="Windows")),
        "administrator": Field("Administrator", _flag),
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
    "hardware_event": ("label", "camera"),
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


def known_fields(kind: str) -> list[str]:
    """Every field of a kind, as a person writes it."""
    return sorted([*FIELDS[kind], *COMPOUND.get(kind, ())])
