"""Attestations of everything that a site declares, for tests that are not about them."""

from __future__ import annotations

from datetime import UTC, datetime

from ivn_provision.model.desired import desired_of
from ivn_provision.plan.attestations import Attestation, value_digest
from ivn_provision.spec.site import Site


def everything(site: Site, by: str = "A. Tester", moment: datetime | None = None) -> tuple[Attestation, ...]:
    """One for each declared field, as of now."""
    when = moment or datetime.now(UTC)
    return tuple(
        Attestation(resource.address, name, value_digest(value), by, when, how="by a test")
        for resource in desired_of(site).resources.values()
        for name, value in resource.fields.items()
    )
