"""One apply on one camera: which part of the driver makes which change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ivn_provision.drivers.axis.catalog import Catalog
from ivn_provision.drivers.axis.device_work import KINDS, DeviceWork
from ivn_provision.drivers.axis.mail_page import MailPage
from ivn_provision.drivers.axis.making import Maker
from ivn_provision.drivers.axis.naming import salt_of
from ivn_provision.drivers.axis.reading import Reading
from ivn_provision.drivers.axis.rule_work import RuleWork
from ivn_provision.model.resource import Address, Value
from ivn_provision.plan.plan import Change
from ivn_provision.secret import Secret
from ivn_provision.transports.vapix import VapixLink


@dataclass(slots=True)
class Writing:
    """From a reading to the end of an apply."""

    device: DeviceWork
    rules: RuleWork

    @classmethod
    def of(
        cls, link: VapixLink, reading: Reading, catalog: Catalog, make: Maker, known_password: Secret | None
    ) -> Writing:
        page, salt = MailPage(link, reading.params), salt_of(link.password, reading.serial)
        return cls(
            DeviceWork(link, reading, make), RuleWork(link, reading, catalog, page, salt, known_password)
        )

    @property
    def half(self) -> str:
        """What was made of the change that failed, "" for nothing."""
        return self.rules.made or self.device.half

    def write(self, change: Change, fields: Mapping[str, Value]) -> str:
        """Makes one change; what a person should know of it, or "". Raises TargetError."""
        self.rules.half, self.rules.page.touched, self.device.half = "", False, ""
        if change.address.kind in KINDS:
            self.device.write(change, fields)
            return ""
        return self.rules.write(change, fields)

    def details(self) -> dict[Address, str]:
        """What the camera keeps otherwise than it was told. Raises TargetError."""
        return self.device.details()
