"""The kinds of resources: identity, order, and which fields are special.

A kind's `target` is the family of the targets that have it (`model/targets.py`).

The order is a small graph (`after`): NVR users before the portal's device, the device (which generates
the SMTP account id) before the mail settings, cameras before events before alarms and pins. Deletes
go the other way round.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ivn_provision.model.resource import Value
from ivn_provision.model.windows import at_least, at_most, is_role, one_of_words, version_at_least


def _without_blank_lines(value: Value) -> Value:
    """C-14: whether blank lines stand between the template's lines is unknown; accept both."""
    if not isinstance(value, str):
        return value
    return "\n".join(line.rstrip() for line in value.splitlines() if line.strip())


def _with_plain_hyphen(value: Value) -> Value:
    """C-11: the manual prints an en dash in names; the tool writes a hyphen and reads both."""
    return value.replace("\u2013", "-") if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of resource.

    `identity` lists groups of fields that identify the object where its key does not (tried in order,
    before the key); `immutable` fields force a replacement; `write_only` fields cannot be read back;
    `canonical` brings a value into the form that is compared. `adopts` says by what a declaration may claim
    an object that is not ours: a camera by its hardware, an alarm, a user or a camera's own rule by the name that is declared;
    events only ever match events that follow the naming convention. `accepts` says when a live value fulfils
    a declared one that is a bound, not a value: `accepts[name](declared, live)`.
    """

    name: str
    target: str
    title: str
    after: tuple[str, ...] = ()
    identity: tuple[tuple[str, ...], ...] = ()
    immutable: frozenset[str] = frozenset()
    write_only: frozenset[str] = frozenset()
    canonical: Mapping[str, Callable[[Value], Value]] = field(default_factory=dict)
    adopts: Literal["", "identity", "key"] = ""
    accepts: Mapping[str, Callable[[Value, Value], bool]] = field(default_factory=dict)

    def comparable(self, name: str, value: Value) -> Value:
        canonical = self.canonical.get(name)
        return canonical(value) if canonical else value


_SMTP_PASSWORD = frozenset({"smtp.password"})

_ALL = (
    Kind("windows_service", "nvr", "Windows service"),
    Kind("firewall_rule", "nvr", "firewall rule", adopts="key"),
    Kind("listening_port", "nvr", "listening port", accepts={"program": is_role}),
    Kind(
        "windows",
        "nvr",
        "Windows",
        accepts={
            "clock_offset_seconds": at_most,
            "time_source": one_of_words,
            "free_gib": at_least,
            "dotnet": version_at_least,
            "service_pack": at_least,
        },
    ),
    Kind("user", "nvr", "recorder user", write_only=frozenset({"password"}), adopts="key"),
    Kind("server_access", "nvr", "server access"),
    Kind("services", "nvr", "service ports"),
    Kind(
        "camera",
        "nvr",
        "camera",
        identity=(("hardware.mac", "hardware.channel"), ("hardware.address", "hardware.channel")),
        adopts="identity",
        canonical={"name": _with_plain_hyphen},
    ),
    Kind(
        "hardware_event",
        "nvr",
        "hardware input event",
        after=("camera",),
        identity=(("device", "input", "edge"),),
        immutable=frozenset({"device", "input", "edge"}),
        canonical={"name": _with_plain_hyphen},
    ),
    Kind("generic_event", "nvr", "generic event", after=("services",)),
    Kind("alarm", "nvr", "alarm definition", after=("hardware_event", "generic_event"), adopts="key"),
    Kind("site", "portal", "portal site"),
    Kind(
        "device",
        "portal",
        "portal device",
        after=("site", "user"),
        write_only=frozenset({"password"}),
    ),
    Kind("mail_server", "nvr", "mail server", after=("device",), write_only=frozenset({"password"})),
    Kind(
        "mail_message",
        "nvr",
        "mail message",
        after=("mail_server", "device"),
        canonical={"body": _without_blank_lines},
    ),
    Kind("pin", "portal", "portal pin", after=("device", "camera", "hardware_event", "generic_event")),
    Kind("axis_user", "camera", "camera account", write_only=frozenset({"password"}), adopts="key"),
    Kind("camera_clock", "camera", "camera clock"),
    Kind("io_port", "camera", "I/O port", canonical={"name": _with_plain_hyphen}),
    Kind("stream_profile", "camera", "stream profile", adopts="key"),
    Kind(
        "recipient", "camera", "camera recipient", after=("device",), write_only=_SMTP_PASSWORD, adopts="key"
    ),
    Kind(
        "action_rule",
        "camera",
        "action rule",
        after=("recipient", "io_port"),
        write_only=_SMTP_PASSWORD,
        adopts="key",
    ),
    Kind("action_configuration", "camera", "unused action configuration", after=("action_rule",)),
)

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _ALL}


def order_of(kind: str) -> int:
    """Rank of a kind in the order of work; unknown kinds come last."""
    return next((rank for rank, each in enumerate(_ALL) if each.name == kind), len(_ALL))
