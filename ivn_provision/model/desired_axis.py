"""Cameras that a site manages itself -> desired resources (R-67 to R-72).

A camera copies what a recipient says into every rule (facts/axis.md, 5.5), and newer firmware keeps the mail
server there too: so both kinds of resources have all of it, and a plan shows every copy that must change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ivn_provision.model.resource import Address, Resource, Value
from ivn_provision.model.targets import camera_target
from ivn_provision.spec.axis import ActionRule, Axis, AxisSmtp
from ivn_provision.spec.site import Camera, Site
from ivn_provision.spec.values import Computed


def axis_resources(site: Site) -> Iterator[Resource]:
    """The resources of all cameras of a site that it manages over VAPIX, in declaration order."""
    for camera in site.cameras or ():
        if camera.axis is not None:
            yield from _Axis(site, camera, camera.axis).resources()


def axis_exclusive(site: Site) -> Iterator[str]:
    """The kinds whose lists are complete, as `camera-10/action_rule`."""
    for camera in site.cameras or ():
        target, axis = camera_target(camera.number), camera.axis
        if axis is not None and axis.recipients is not None:
            yield f"{target}/recipient"
        if axis is not None and axis.action_rules is not None:
            yield f"{target}/action_rule"
            yield f"{target}/action_configuration"


class _Axis:
    """One camera."""

    def __init__(self, site: Site, camera: Camera, axis: Axis) -> None:
        self.site, self.axis = site, axis
        self.target = camera_target(camera.number)
        self.smtp = _smtp(axis.smtp) if axis.smtp else {}

    def resources(self) -> Iterator[Resource]:
        yield from self._device()
        for recipient in self.axis.recipients or ():
            fields: dict[str, Value] = {"addresses": recipient.addresses, **self.smtp}
            yield self._make("recipient", recipient.name, recipient.pointer, fields, self._portal(fields))
        for rule in self.axis.action_rules or ():
            yield self._rule(rule)

    def _device(self) -> Iterator[Resource]:
        for user in self.axis.users or ():
            account: dict[str, Value] = {"role": user.role, "ptz": user.ptz, "password": user.password}
            yield self._make("axis_user", user.name, user.pointer, account)
        if clock := self.axis.time:
            yield self._make(
                "camera_clock",
                "",
                clock.pointer,
                {"posix_zone": clock.posix_zone, "ntp_server": clock.ntp_server},
            )
        for port in self.axis.io_ports or ():
            state: dict[str, Value] = {"name": port.name, "direction": port.direction, "normal": port.normal}
            yield self._make("io_port", str(port.port), port.pointer, state)
        if image := self.axis.image:
            yield self._make(
                "stream_profile",
                image.profile,
                image.pointer,
                {
                    "codec": image.codec,
                    "resolution": image.resolution,
                    "compression": image.compression,
                    "fps": image.fps,
                },
            )

    def _rule(self, rule: ActionRule) -> Resource:
        recipient = next((each for each in self.axis.recipients or () if each.name == rule.recipient), None)
        fields: dict[str, Value] = {
            "enabled": rule.enabled,
            "trigger": str(rule.trigger),
            "conditions": tuple(map(str, rule.conditions)),
            "wait_seconds": rule.wait_seconds,
            "action": "mail",
            "mail.addresses": recipient.addresses if recipient else None,
            "mail.subject": rule.subject,
            "mail.message": rule.message,
            **self.smtp,
        }
        needs = [*self._portal(fields)]
        if recipient:
            needs.append(Address(self.site.name, self.target, "recipient", recipient.name))
        return self._make("action_rule", rule.name, rule.pointer, fields, tuple(needs))

    def _portal(self, fields: Mapping[str, Value]) -> tuple[Address, ...]:
        """What the portal generates must be there before it can be written."""
        values = [part for each in fields.values() for part in (each if isinstance(each, tuple) else (each,))]
        device = self.site.portal.device if self.site.portal else None
        if device is None or not any(isinstance(each, Computed) for each in values):
            return ()
        return (Address(self.site.name, "portal", "device"),)

    def _make(
        self,
        kind: str,
        key: str,
        pointer: str,
        fields: Mapping[str, Value],
        needs: tuple[Address, ...] = (),
    ) -> Resource:
        return Resource(
            address=Address(self.site.name, self.target, kind, key),
            fields={name: value for name, value in fields.items() if value is not None},
            declared_at=self.site.places.place(pointer),
            needs=needs,
            pointer=pointer,
        )


def _smtp(smtp: AxisSmtp) -> dict[str, Value]:
    return {
        "smtp.sender": smtp.sender,
        "smtp.host": smtp.host,
        "smtp.port": smtp.port,
        "smtp.security": smtp.security,
        "smtp.username": smtp.username,
        "smtp.password": smtp.password,
    }
