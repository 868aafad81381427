"""Read every target of a site and compare: the SitePlan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ivn_provision.drivers.base import Reader
from ivn_provision.model.desired import Desired, desired_of
from ivn_provision.model.live import Ability, Capabilities
from ivn_provision.model.resource import Resource, Value
from ivn_provision.model.targets import CAMERA, family
from ivn_provision.plan.attestations import Attestation, judged
from ivn_provision.plan.build import Reading, build_plan
from ivn_provision.plan.observed import with_observations
from ivn_provision.plan.plan import Observation, SitePlan, Unverified
from ivn_provision.run.events import Event, Observer, Step
from ivn_provision.run.side_by_side import camera_named
from ivn_provision.secret import Secret, SecretRef
from ivn_provision.spec.site import Site

Resolve = Callable[[SecretRef], Secret]


CAMERAS_AT_ONCE = 8
"""Of one site; a camera itself is asked one thing at a time."""
_LATE = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Vouched:
    """What people attested of a site, and the time at which it is weighed: by default nothing counts."""

    attestations: tuple[Attestation, ...] = ()
    now: datetime = _LATE


def plan_site(
    site: Site,
    readers: Mapping[str, Reader],
    resolve: Resolve,
    observer: Observer,
    vouched: Vouched = Vouched(),
    *,
    declared: Callable[[Site], Desired] = desired_of,
) -> SitePlan:
    """The plan of one site. Raises TargetError of the first target that fails."""
    readings = read_all(site.name, readers, observer)
    desired = with_secrets(declared(site), readings, resolve)
    plan = _asked(build_plan(desired, readings), desired)
    standing = judged(plan.unverified, vouched.attestations, now=vouched.now, days=site.attestation_days)
    counted = tuple(each for each in vouched.attestations if not each.is_ahead(vouched.now))
    return _observed(replace(plan, unverified=standing), readers.values(), counted)


def read_all(site: str, readers: Mapping[str, Reader], observer: Observer) -> dict[str, Reading]:
    """What every target gives: recorder and portal one after the other, then the cameras side by side.

    Raises TargetError of the first target that fails, in the order of `readers`.
    """

    def read(target: str) -> Reading:
        reader = readers[target]
        observer.notify(Event(site, Step.READING, target))
        with camera_named(site, target):
            reading = Reading(reader.probe(), reader.read(), endpoint_of(reader))
        observer.notify(Event(site, Step.READ, target))
        return reading

    cameras = [each for each in readers if family(each) == CAMERA]
    found = {target: read(target) for target in readers if target not in cameras}
    if len(cameras) < 2:
        return found | {target: read(target) for target in cameras}
    with ThreadPoolExecutor(max_workers=min(CAMERAS_AT_ONCE, len(cameras))) as pool:
        waiting = {target: pool.submit(read, target) for target in cameras}
        return found | {target: each.result() for target, each in waiting.items()}


def _asked(plan: SitePlan, desired: Desired) -> SitePlan:
    """The plan whose unverified fields say what is declared, and where; a secret as its reference."""

    def asked(each: Unverified) -> Unverified:
        resource = desired.resources.get(each.address)
        value = plan.desired.get(each.address, {}).get(each.name, each.value)
        return replace(
            each,
            value=value.reference if isinstance(value, Secret) else value,
            declared_at=each.declared_at or (resource.declared_at if resource else None),
        )

    return replace(plan, unverified=tuple(asked(each) for each in plan.unverified))


def _observed(plan: SitePlan, readers: Iterable[Reader], attested: tuple[Attestation, ...]) -> SitePlan:
    """The plan after everything was asked that can observe what reading does not show."""
    if not plan.unverified:
        return plan
    seen: list[Observation] = []
    for reader in readers:
        with camera_named(plan.site, reader.target):
            seen += reader.observe(plan.unverified)
    return with_observations(plan, seen, attested)


def endpoint_of(reader: Reader) -> str:
    return str(getattr(reader, "endpoint", ""))


def with_secrets(desired: Desired, readings: Mapping[str, Reading], resolve: Resolve) -> Desired:
    """Resolve the secrets that a driver will compare or write, and no others."""
    resources = {
        address: _resolved(resource, readings[address.target].facts.capabilities, resolve)
        if address.target in readings
        else resource
        for address, resource in desired.resources.items()
    }
    return replace(desired, resources=resources)


def _resolved(resource: Resource, capabilities: Capabilities, resolve: Resolve) -> Resource:
    def value_of(name: str, value: Value) -> Value:
        wanted = capabilities.of(resource.kind, name).ability is Ability.MANAGED
        return resolve(value) if isinstance(value, SecretRef) and wanted else value

    return replace(resource, fields={name: value_of(name, value) for name, value in resource.fields.items()})
