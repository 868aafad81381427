"""Where the value of a field is declared: its own line in the site file, its group's or the fleet's."""

from __future__ import annotations

from collections.abc import Mapping

from ivn_provision.diagnostics import Place
from ivn_provision.model.resource import Address, Resource
from ivn_provision.model.targets import camera_number, family
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

_ON_CAMERAS = frozenset({"recipient", "action_rule"})
_AXIS: Mapping[str, str] = {
    **{f"smtp.{name}": f"{{axis}}/smtp/{name}" for name in ("sender", "host", "port", "security")},
    **{f"smtp.{name}": f"{{axis}}/smtp/{name}" for name in ("username", "password")},
    "mail.addresses": "{pointer}/send_mail/recipient",
    "mail.subject": "{pointer}/send_mail/subject",
    "mail.message": "{pointer}/send_mail/message",
}
"""Fields of recipients and rules that are declared elsewhere than at them."""

_AXIS_SECTIONS: Mapping[str, str] = {
    "recipient": "recipients",
    "action_rule": "action_rules",
    "action_configuration": "action_rules",
    "io_port": "io_ports",
    "stream_profile": "image",
    "camera_clock": "time",
    "axis_user": "users",
}

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
    if (axis := _AXIS.get(field)) and resource.kind in _ON_CAMERAS:
        return site.places.place(axis.format(pointer=resource.pointer, axis=_axis_of(resource.pointer)))
    pointer = written if written.startswith("/") else f"{resource.pointer}/{written}"
    if written.startswith("/") and not site.places.origins(pointer):
        pointer = resource.pointer
    return site.places.place(pointer)


def _axis_of(pointer: str) -> str:
    """`/cameras/0/axis` of what lies below it."""
    return "/".join(pointer.split("/")[:4])


def section_place(site: Site, address: Address) -> Place:
    """The list that an object would stand in: where one is too many."""
    if (camera := _pointer_of(site, address.target)) is not None:
        return site.places.place(f"{camera}/{_AXIS_SECTIONS.get(address.kind, '')}".rstrip("/"))
    return site.places.place(_SECTIONS.get(address.kind, "/nvr"))


def target_place(site: Site, target: str) -> Place:
    """What the site says of a target; of the portal also for what lies between it and the recorder."""
    if (camera := _pointer_of(site, target)) is not None:
        return site.places.place(camera)
    return site.places.place({"nvr": "/nvr", "camera": "/cameras"}.get(family(target), "/portal"))


def _pointer_of(site: Site, target: str) -> str | None:
    """What is said of a camera that is a target of its own; None for other targets."""
    number = camera_number(target)
    if number is None:
        return None
    axis = (each.axis.pointer for each in site.cameras or () if each.number == number and each.axis)
    return next(axis, "/cameras")
