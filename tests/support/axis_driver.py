"""The axis driver against the lab's camera, alone: what a plan of the one camera is, and an apply of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from ivn_provision.drivers.axis.driver import AxisReader, AxisWriter
from ivn_provision.drivers.base import Outcome
from ivn_provision.lab.camera.camera import AxisCamera
from ivn_provision.model.desired import desired_of
from ivn_provision.model.resource import Resource
from ivn_provision.plan.build import Reading, build_plan
from ivn_provision.plan.plan import SitePlan, Work
from ivn_provision.run.planning import with_secrets
from ivn_provision.secret import Secret, SecretRef
from ivn_provision.spec.axis import AxisConnect
from ivn_provision.spec.values import Tls
from ivn_provision.transports.breaker import Account, Breaker
from ivn_provision.transports.deadline import Deadline
from ivn_provision.transports.vapix import VapixLink
from tests.support.world import World, started

SITE = "lab-0001"
TARGET = "camera-10"
PROFILES = ("5.50", "10.12", "11.11", "12.9")
REFERENCE = SecretRef("env", "CAMERA")
_MORE = "      action_rules:\n"


@contextmanager
def camera_world(folder: Path, profile: str, more: str = "") -> Iterator[World]:
    """A lab with one camera; `more` are lines of its `axis:` section."""
    with started(folder, axis=profile) as world:
        if more:
            world.edit(SITE, _MORE, more + _MORE)
        yield world


def camera_of(world: World) -> AxisCamera:
    return world.lab.camera(SITE, TARGET)


def writer(world: World) -> AxisWriter:
    return cast("AxisWriter", world.opener().writers(world.site(SITE))[TARGET])


def reader(world: World) -> AxisReader:
    return cast("AxisReader", world.opener().readers(world.site(SITE))[TARGET])


def plan_with(world: World, driver: AxisReader) -> SitePlan:
    reading = Reading(driver.probe(), driver.read(), driver.endpoint)
    desired = with_secrets(desired_of(world.site(SITE)), {TARGET: reading}, world.opener().secret)
    return build_plan(desired, {TARGET: reading})


def plan(world: World) -> SitePlan:
    driver = reader(world)
    try:
        return plan_with(world, driver)
    finally:
        driver.close()


def apply(world: World) -> tuple[Outcome, ...]:
    """As the engine does it: plan, check, apply. Raises what the driver raises."""
    driver = writer(world)
    try:
        planned = plan_with(world, driver)
        driver.check(planned.workable)
        return driver.apply(Work(planned.workable, planned.desired, planned.references))
    finally:
        driver.close()


def live(world: World) -> tuple[Resource, ...]:
    driver = reader(world)
    try:
        return driver.read().resources
    finally:
        driver.close()


def ours(world: World) -> dict[str, list[str]]:
    """Names of ours on the camera, by kind."""
    book = camera_of(world).book
    kinds: dict[str, Mapping[int, Any]] = {
        "rules": book.rules,
        "configurations": book.configurations,
        "recipients": book.recipients,
    }
    return {
        kind: sorted(each.name for each in found.values() if each.name.startswith("ivn-provision: "))
        for kind, found in kinds.items()
    }


def link_to(
    host: str,
    port: int,
    password: str,
    *,
    tls: Tls | None = None,
    username: str = "root",
    basic_over_http: bool = False,
    breaker: Breaker | None = None,
    seconds: float = 10.0,
) -> VapixLink:
    secret = Secret(password, REFERENCE)
    connect = AxisConnect(host, port, tls or Tls("off"), username, REFERENCE, basic_over_http)
    account, endpoint = Account(f"camera account {username}", secret), f"{host}:{port}"
    used = breaker or Breaker()
    return VapixLink(connect, secret, lambda: Deadline(seconds), lambda: used.guard(account, endpoint))
