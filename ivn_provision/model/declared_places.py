"""Where the value of a field is declared: its own line in the site file, its group's or the fleet's."""

from __future__ import annotations

from collections.abc import Mapping

from ivn_provision.diagnostics import Place
from ivn_provision.model.resource import Resource
from ivn_provision.spec.site import Site

_FIELDS: Mapping[tuple[str, str], str] = {
    ("camera", "name"): "label",
    ("hardware_event", "name"): "label",
    ("hardware_event", "device"): "camera",
    ("generic_event", "name"): "pin",
    ("windows", "clock_offset_seconds"): "max_clock_offset_seconds",
    ("windows", "free_gib"): "min_free_gib",
    ("windows", "dotnet"): "prerequisites",
    ("windows", "service_pack"): "prerequisites",
    ("windows", "blocking_rules"): "firewall",
    ("site", "name"): "/description",
    ("site", "time_zone"): "/time_zone",
    ("site", "location_address"): "/portal/device/location_address",
    ("device", "smtp_account_id"): "/portal/smtp_account_id",
}
"""By kind and field, where the field's name is not the key: below the object, or from the top if it begins with `/`."""

_SECTIONS: Mapping[str, str] = {
    "camera": "/cameras",
    "hardware_event": "/hardware_events",
    "generic_event": "/generic_events",
    "alarm": "/alarms",
    "mail_server": "/mail",
    "mail_message": "/mail",
    "user": "/nvr/users",
    "firewall_rule": "/nvr/windows/firewall",
    "listening_port": "/nvr/windows/listening",
    "pin": "/portal/pins",
    "device": "/portal/device",
    "site": "/portal",
}


def field_place(site: Site, resource: Resource, field: str) -> Place:
    """The line that says what the field shall be; where only a default does, that of its object."""
    written = _FIELDS.get((resource.kind, field), field.replace(".", "/"))
    pointer = written if written.startswith("/") else f"{resource.pointer}/{written}"
    if written.startswith("/") and not site.places.origins(pointer):
        pointer = resource.pointer
    return site.places.place(pointer)


def section_place(site: Site, kind: str) -> Place:
    """The list that an object of a kind would stand in: where one is too many."""
    return site.places.place(_SECTIONS.get(kind, "/nvr"))


def target_place(site: Site, target: str) -> Place:
    """What the site says of a target; of the portal also for what lies between it and the recorder."""
    return site.places.place({"nvr": "/nvr", "camera": "/cameras"}.get(target, "/portal"))
