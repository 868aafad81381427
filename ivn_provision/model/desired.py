"""Site -> desired resources, per target.

Only what is declared becomes a field. A section that is declared makes its kind `exclusive`: objects of
ours that it does not list are to be removed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ivn_provision.model.desired_axis import axis_exclusive, axis_resources
from ivn_provision.model.desired_windows import windows_resources
from ivn_provision.model.resource import Address, Resource, Value
from ivn_provision.spec.site import Camera, Mail, Nvr, Pin, Portal, Site


@dataclass(frozen=True, slots=True)
class Desired:
    """What one site declares: resources by address, and the kinds whose lists are complete.

    `exclusive` names a kind of every target (`pin`), or of one only (`camera-10/action_rule`).
    """

    site: str
    resources: Mapping[Address, Resource]
    exclusive: frozenset[str]

    def of_target(self, target: str) -> tuple[Resource, ...]:
        return tuple(each for each in self.resources.values() if each.address.target == target)

    def is_complete(self, target: str, kind: str) -> bool:
        """Is everything declared that shall be there of this kind?"""
        return kind in self.exclusive or f"{target}/{kind}" in self.exclusive

    @property
    def targets(self) -> tuple[str, ...]:
        seen = dict.fromkeys(address.target for address in self.resources)
        return tuple(sorted(seen))


def desired_of(site: Site) -> Desired:
    """All resources that a site declares, in declaration order."""
    found = {each.address: each for each in _all(site)}
    return Desired(site.name, found, _exclusive(site))


def _exclusive(site: Site) -> frozenset[str]:
    sections = {
        "hardware_event": site.hardware_events,
        "generic_event": site.generic_events,
        "alarm": site.alarms,
        "pin": site.portal.pins if site.portal else None,
        "firewall_rule": site.nvr.windows.firewall if site.nvr and site.nvr.windows else None,
    }
    kinds = (kind for kind, section in sections.items() if section is not None)
    return frozenset((*kinds, *axis_exclusive(site)))


def _all(site: Site) -> Iterator[Resource]:
    if site.nvr:
        yield from windows_resources(site, site.nvr)
        yield from _nvr(site, site.nvr)
        yield from _cameras(site)
        yield from _events(site)
        yield from _mail(site, site.mail or Mail())
        yield from _alarms(site)
    if site.portal:
        yield from _portal(site, site.portal)
    yield from axis_resources(site)


def _make(
    site: Site,
    address: tuple[str, str, str],
    pointer: str,
    fields: Mapping[str, Value],
    needs: tuple[Address, ...] = (),
) -> Resource:
    return Resource(
        address=Address(site.name, *address),
        fields={name: value for name, value in fields.items() if value is not None},
        declared_at=site.places.place(pointer),
        needs=needs,
        pointer=pointer,
    )


def _nvr(site: Site, nvr: Nvr) -> Iterator[Resource]:
    for user in nvr.users or ():
        yield _make(
            site,
            ("nvr", "user", user.name),
            user.pointer,
            {"kind": user.kind, "administrator": user.administrator, "password": user.password},
        )
    if access := nvr.server_access:
        yield _make(
            site,
            ("nvr", "server_access", ""),
            access.pointer,
            {
                "local_port": access.local_port,
                "internet_access": access.internet_access,
                "internet_port": access.internet_port,
                "max_clients": access.max_clients,
            },
        )
    if services := nvr.services:
        yield _make(
            site,
            ("nvr", "services", ""),
            services.pointer,
            {"event_server_port": services.event_server_port, "log_server_port": services.log_server_port},
        )


def _cameras(site: Site) -> Iterator[Resource]:
    for camera in site.cameras or ():
        yield _make(
            site,
            ("nvr", "camera", str(camera.number)),
            camera.pointer,
            {
                "name": camera.name,
                "enabled": camera.enabled,
                "hardware.address": camera.hardware.address,
                "hardware.mac": camera.hardware.mac,
                "hardware.channel": camera.hardware.channel,
                "video.codec": camera.video.codec,
                "video.resolution": camera.video.resolution,
                "video.fps": camera.video.fps,
                "recording.mode": camera.recording.mode,
                "recording.pre_buffer_seconds": camera.recording.pre_buffer_seconds,
                "recording.post_buffer_seconds": camera.recording.post_buffer_seconds,
            },
        )


def _events(site: Site) -> Iterator[Resource]:
    cameras: dict[int, Camera] = {camera.number: camera for camera in site.cameras or ()}
    for event in site.hardware_events or ():
        camera = cameras.get(event.camera)
        yield _make(
            site,
            ("nvr", "hardware_event", str(event.pin)),
            event.pointer,
            {
                "name": event.name,
                "enabled": event.enabled,
                "device": camera.hardware.address if camera else None,
                "input": event.input,
                "edge": event.edge,
                "camera": event.camera,
                "email": event.email,
                "record": event.record,
            },
            (Address(site.name, "nvr", "camera", str(event.camera)),),
        )
    for generic in site.generic_events or ():
        yield _make(
            site,
            ("nvr", "generic_event", str(generic.pin)),
            generic.pointer,
            {
                "name": generic.name,
                "enabled": generic.enabled,
                "match": generic.match,
                "rule": generic.rule,
                "email": generic.email,
            },
        )


def _mail(site: Site, mail: Mail) -> Iterator[Resource]:
    device = (Address(site.name, "portal", "device"),) if site.portal and site.portal.device else ()
    if server := mail.server:
        yield _make(
            site,
            ("nvr", "mail_server", ""),
            server.pointer,
            {
                "sender": server.sender,
                "host": server.host,
                "port": server.port,
                "security": server.security,
                "username": server.username,
                "password": server.password,
            },
            device,
        )
    if message := mail.message:
        yield _make(
            site,
            ("nvr", "mail_message", ""),
            message.pointer,
            {
                "enabled": message.enabled,
                "recipients": message.recipients,
                "subject": message.subject,
                "body": message.body,
            },
            device,
        )


def _alarms(site: Site) -> Iterator[Resource]:
    for alarm in site.alarms or ():
        kind, pin = (
            ("hardware_event", alarm.hardware_event)
            if alarm.hardware_event is not None
            else ("generic_event", alarm.generic_event)
        )
        yield _make(
            site,
            ("nvr", "alarm", alarm.name),
            alarm.pointer,
            {"enabled": alarm.enabled, "source": f"{kind}/{pin}", "time_profile": alarm.time_profile},
            (Address(site.name, "nvr", kind, str(pin)),),
        )


def _portal(site: Site, portal: Portal) -> Iterator[Resource]:
    device, clip, monitoring = portal.device, portal.clip, portal.monitoring
    site_address = Address(site.name, "portal", "site")
    yield _make(
        site,
        ("portal", "site", ""),
        portal.pointer,
        {
            "name": site.description or site.name,
            "time_zone": site.time_zone,
            "location_address": device.location_address if device else None,
            "entry_delay_seconds": portal.entry_delay_seconds,
            "clip.pre_seconds": clip.pre_seconds if clip else None,
            "clip.post_seconds": clip.post_seconds if clip else None,
            "monitoring.station": monitoring.station if monitoring else None,
            "monitoring.account_number": monitoring.account_number if monitoring else None,
        },
    )
    if device:
        yield _make(
            site,
            ("portal", "device", ""),
            device.pointer,
            {
                "make": device.make,
                "model": device.model,
                "web_server_port": device.web_server_port,
                "event_server_port": device.event_server_port,
                "log_server_port": device.log_server_port,
                "username": device.username,
                "password": device.password,
                "smtp_account_id": portal.smtp_account_id,
            },
            (site_address,),
        )
    for pin in portal.pins or ():
        yield _pin(site, pin)


def pin_key(pin: int, source: str) -> str:
    """`2H` or `2S`: the manual's own letters (R-50, R-59; C-15: one key per pin and source)."""
    return f"{pin}{'H' if source == 'hardware' else 'S'}"


def _pin(site: Site, pin: Pin) -> Resource:
    return _make(
        site,
        ("portal", "pin", pin_key(pin.pin, pin.source)),
        pin.pointer,
        {
            "camera": pin.camera,
            "event_type": pin.event_type,
            "label": pin.label,
            "enabled": pin.enabled,
        },
        (Address(site.name, "portal", "device"),),
    )
