"""What a person does, pass by pass, so that each field of a kind can be told from all others.

Values are sentinels that occur nowhere else. Switches and lists change alone; texts and numbers, which can
be told apart by their value, change together. Two or three objects are made, so that what belongs to one
object (an identifier) is told from what belongs to all (a constant).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Value = str | int | bool | tuple[str, ...]
Action = Literal["control", "add", "change", "remove", "restore"]
KINDS = ("generic_event", "hardware_event", "mail_message", "mail_server", "alarm")
SINGLE = ("mail_message", "mail_server")


@dataclass(frozen=True, slots=True)
class Pass:
    """One named change. `subject` is the same for an object through its changes of name; `key` is the name
    it bears before the pass. An `optional` pass may be skipped: its field then stays by hand."""

    name: str
    action: Action
    kind: str
    subject: str = ""
    key: str = ""
    fields: Mapping[str, Value] = field(default_factory=dict)
    optional: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera that an event can point at, and the address of its device."""

    name: str
    address: str


def passes_for(kind: str, token: str, cameras: Sequence[Camera]) -> tuple[Pass, ...]:
    """All passes of a kind. `token` (a few hex digits) makes this session's names unlike all others."""
    makers = {
        "generic_event": _generic_event,
        "hardware_event": _hardware_event,
        "alarm": _alarm,
        "mail_message": _mail_message,
        "mail_server": _mail_server,
    }
    control = Pass("save without a change", "control", kind)
    return (control, *makers[kind](token, cameras))


def _generic_event(token: str, _: Sequence[Camera]) -> Iterator[Pass]:
    kind, name = "generic_event", f"997 S ivn {token}"
    yield _add(
        kind,
        "companion",
        f"996 S ivn {token}",
        {"match": f"ivn{token}quiet", "rule": "search", "email": True, "enabled": True},
    )
    yield _add(
        kind,
        "object",
        name,
        {"match": f"ivn{token}loud", "rule": "match", "email": False, "enabled": True},
    )
    renamed = f"998 S ivn {token} new"
    yield _change(kind, "name and text", name, {"name": renamed, "match": f"ivn{token}other"})
    yield _change(kind, "e-mail on", renamed, {"email": True}, note=_MAIL_GATE)
    yield _change(kind, "rule to Search", renamed, {"rule": "search"})
    yield _change(kind, "enabled off", renamed, {"enabled": False})
    yield from _remove(kind, {"object": renamed, "companion": f"996 S ivn {token}"})


def _hardware_event(token: str, cameras: Sequence[Camera]) -> Iterator[Pass]:
    kind, name = "hardware_event", f"997 H ivn {token}"
    first, second = cameras[0], cameras[min(1, len(cameras) - 1)]
    # Camera, input and edge divide the three objects in three different ways: none can be taken for another.
    same: Mapping[str, Value] = {"email": False, "record": "none", "enabled": True}
    yield _add(
        kind,
        "companion",
        f"996 H ivn {token}",
        {"camera": first.name, "device": first.address, "input": 1, "edge": "rising", **same},
    )
    far: Mapping[str, Value] = {"camera": second.name, "device": second.address}
    yield _add(kind, "object", name, {**far, "input": 2, "edge": "rising", **same})
    yield _add(kind, "third", f"995 H ivn {token}", {**far, "input": 1, "edge": "falling", **same})
    renamed = f"998 H ivn {token} new"
    yield _change(kind, "name", name, {"name": renamed})
    yield _change(kind, "e-mail on", renamed, {"email": True}, note=_MAIL_GATE)
    yield _change(kind, "record on all cameras", renamed, {"record": "all"}, optional=True)
    yield _change(kind, "enabled off", renamed, {"enabled": False})
    yield from _remove(
        kind, {"object": renamed, "third": f"995 H ivn {token}", "companion": f"996 H ivn {token}"}
    )


def _alarm(token: str, cameras: Sequence[Camera]) -> Iterator[Pass]:
    hard, soft = f"994 H ivn {token}", f"994 S ivn {token}"
    near: Mapping[str, Value] = {"camera": cameras[0].name, "device": cameras[0].address}
    yield _add("hardware_event", "input", hard, {**near, "input": 1, "edge": "rising", "enabled": True})
    yield _add("generic_event", "soft", soft, {"match": soft, "rule": "match", "enabled": True})
    name = f"ivn {token} front"
    usual: Mapping[str, Value] = {"time_profile": "Always", "enabled": True}
    yield _add(
        "alarm",
        "companion",
        f"ivn {token} back",
        {"source": hard, "description": f"ivn {token} two", **usual},
    )
    yield _add("alarm", "object", name, {"source": soft, "description": f"ivn {token} one", **usual})
    renamed = f"ivn {token} gate"
    changed: Mapping[str, Value] = {"name": renamed, "description": f"ivn {token} three"}
    yield _change("alarm", "name and description", name, changed)
    yield _change(
        "alarm",
        "another time profile",
        renamed,
        {"time_profile": f"ivn {token} nights"},
        optional=True,
        note="make a time profile of this name first (Alarms > Time Profiles), and remove it at the end",
    )
    yield _change("alarm", "enabled off", renamed, {"enabled": False})
    yield from _remove("alarm", {"object": renamed, "companion": f"ivn {token} back"})
    yield Pass(f"remove {soft}", "remove", "generic_event", "soft", soft)
    yield Pass(f"remove {hard}", "remove", "hardware_event", "input", hard)


def _mail_message(token: str, _: Sequence[Camera]) -> Iterator[Pass]:
    kind = "mail_message"
    yield Pass(
        "all fields",
        "change",
        kind,
        fields={
            "enabled": True,
            "recipients": (f"one-{token}@ivn.invalid", f"two-{token}@ivn.invalid"),
            "subject": f"ivn {token} first subject",
            "body": f"ivn {token} : $TriggerName$\nCamera is : $CameraName$\nTime: $TriggerTime$",
        },
        note="note what stands there before: it is put back at the end",
    )
    yield Pass(
        "other texts",
        "change",
        kind,
        fields={
            "recipients": (f"three-{token}@ivn.invalid",),
            "subject": f"ivn {token} second subject",
            "body": f"ivn {token} one line",
        },
    )
    yield Pass("e-mail off", "change", kind, fields={"enabled": False})
    yield Pass("put back", "restore", kind)


def _mail_server(token: str, _: Sequence[Camera]) -> Iterator[Pass]:
    kind = "mail_server"
    yield Pass(
        "all fields",
        "change",
        kind,
        fields={
            "sender": f"from-{token}@ivn.invalid",
            "host": f"smtp-{token}.ivn.invalid",
            "port": 52525,
            "security": "none",
            "username": f"user-{token}",
        },
        note="note what stands there before: it is put back at the end. Leave the password alone",
    )
    yield Pass(
        "other texts",
        "change",
        kind,
        fields={
            "sender": f"other-{token}@ivn.invalid",
            "host": f"mail-{token}.ivn.invalid",
            "port": 52587,
            "username": f"account-{token}",
        },
    )
    yield Pass("security STARTTLS", "change", kind, fields={"security": "starttls"}, optional=True)
    yield Pass("security TLS", "change", kind, fields={"security": "tls"}, optional=True)
    yield Pass(
        "login off",
        "change",
        kind,
        fields={"username": ""},
        optional=True,
        note="untick `Login`, or clear it",
    )
    yield Pass("put back", "restore", kind)


_MAIL_GATE = "the box is there only while e-mail is enabled for the system"


def _add(kind: str, subject: str, name: str, fields: Mapping[str, Value]) -> Pass:
    return Pass(f"add {name}", "add", kind, subject, name, {"name": name, **fields})


def _change(
    kind: str,
    what: str,
    key: str,
    fields: Mapping[str, Value],
    *,
    optional: bool = False,
    note: str = "",
) -> Pass:
    return Pass(what, "change", kind, "object", key, fields, optional, note)


def _remove(kind: str, names: Mapping[str, str]) -> Iterator[Pass]:
    for subject, name in names.items():
        yield Pass(f"remove {name}", "remove", kind, subject, name)
