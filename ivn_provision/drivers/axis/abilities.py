"""What can be done with a camera, by what it showed, never by its model."""

from __future__ import annotations

from collections.abc import Iterator

from ivn_provision.drivers.axis.reading import Reading
from ivn_provision.drivers.axis.smtp import SLOTS, has_page
from ivn_provision.model.live import Ability, Capabilities, Capability

_RULES = ("action_rule", "recipient", "action_configuration")
_FIELDS = {
    "action_rule": (
        *("enabled", "trigger", "conditions", "wait_seconds", "action"),
        *("mail.addresses", "mail.subject", "mail.message"),
        *SLOTS,
    ),
    "recipient": ("addresses", *SLOTS),
    "action_configuration": ("name", "action"),
    "io_port": ("name", "direction", "normal"),
    "stream_profile": ("codec", "resolution", "compression", "fps"),
    "camera_clock": ("posix_zone", "ntp_server"),
    "axis_user": ("role", "ptz", "password"),
}
_NO_PORT = "a camera's ports are what they are: correct the number in the site file"
_FIXED = "the direction of this camera's ports is fixed"
_HIDDEN = "a camera shows no password; a login with the declared one shows whether it is right"


def capabilities_of(reading: Reading) -> Capabilities:
    """Kinds that the camera does not show are `unread`."""
    evidence = "assumed" if has_page(reading.params) else "documented"
    managed = Capability(Ability.MANAGED, evidence=evidence)
    table = {(kind, name): managed for kind, names in _FIELDS.items() for name in ("", *names)}
    table["io_port", ""] = Capability(Ability.MANUAL, _NO_PORT)
    table["axis_user", "password"] = Capability(Ability.MANAGED, _HIDDEN, evidence)
    if _is_fixed(reading):
        table["io_port", "direction"] = Capability(Ability.MANUAL, _FIXED)
    unread = dict(_unread(reading))
    for kind, reason in unread.items():
        for name in ("", *_FIELDS[kind]):
            table[kind, name] = Capability(Ability.MANUAL, reason)
    return Capabilities(table, unread=frozenset(unread))


def _is_fixed(reading: Reading) -> bool:
    known = reading.params
    ports = [known.text(f"IOPort.I{each}.Configurable").lower() for each in known.groups("IOPort.I")]
    return bool(ports) and all(each == "no" for each in ports)


def _unread(reading: Reading) -> Iterator[tuple[str, str]]:
    known = reading.params
    if reading.no_rules:
        yield from ((kind, reading.no_rules) for kind in _RULES)
    if reading.no_accounts:
        yield "axis_user", reading.no_accounts
    if known.get("Time.POSIXTimeZone") is None and known.get("Time.SyncSource") is None:
        yield "camera_clock", "the camera does not show root.Time"
    if known.get("StreamProfile.MaxGroups") is None and not known.groups("StreamProfile.S"):
        yield "stream_profile", "the camera does not show root.StreamProfile"
