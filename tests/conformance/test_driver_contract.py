"""The driver contract (`drivers/base.py`): every driver inherits this suite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ivn_provision.drivers.base import Reader, Writer
from ivn_provision.errors import Conflict
from ivn_provision.lab.camera.book import Configuration, Rule
from ivn_provision.model.desired import Desired, desired_of
from ivn_provision.model.live import Ability
from ivn_provision.model.resource import Resource
from ivn_provision.plan.build import Reading, build_plan
from ivn_provision.plan.plan import SitePlan, Work
from ivn_provision.run.planning import with_secrets
from ivn_provision.secret import Secret
from tests.support.world import World, started

SITE = "lab-0001"
CAMERA = "camera-10"
TARGETS = ("nvr", "portal", *(f"{CAMERA} {profile}" for profile in ("5.50", "10.12", "11.11", "12.9")))
pytestmark = pytest.mark.parametrize("place", TARGETS)
MORE = """\
      io_ports: [{port: 1, name: Door, normal: open}]
      image: {codec: mjpeg, compression: 30, fps: 8}
      time: {ntp_server: time.guard.example}
      users: [{name: guard, role: viewer, password: !secret "file:../lab/secrets/lab-0001-ivnview"}]
"""


@pytest.fixture
def target(place: str) -> str:
    return place.partition(" ")[0]


@pytest.fixture
def world(tmp_path: Path, place: str) -> Iterator[World]:
    """A lab with one fresh site; of a camera everything is declared that can be."""
    with started(tmp_path, axis=place.partition(" ")[2]) as running:
        if place.startswith(CAMERA):
            running.edit(SITE, "      action_rules:\n", f"{MORE}      action_rules:\n")
        yield running


def reader(world: World, target: str) -> Reader:
    return world.opener().readers(world.site(SITE))[target]


def writer(world: World, target: str) -> Writer:
    return world.opener().writers(world.site(SITE))[target]


def plan_with(world: World, driver: Reader) -> tuple[SitePlan, Desired]:
    """The plan of one target alone; what the portal generates is made up for the recorder."""
    world_desired = desired_of(world.site(SITE))
    readings = {driver.target: Reading(driver.probe(), driver.read(), "")}
    desired = with_secrets(world_desired, readings, world.opener().secret)
    computed = {"portal.smtp_account_id": "milestone-xp-p@ivnview.example"}
    live = readings[driver.target].live
    known = Reading(
        readings[driver.target].facts, type(live)(live.resources, {**computed, **live.computed}), ""
    )
    return build_plan(desired, {driver.target: known}), desired


def apply_all(world: World, target: str) -> SitePlan:
    driver = writer(world, target)
    plan, _ = plan_with(world, driver)
    driver.apply(Work(plan.workable, plan.desired, plan.references))
    driver.close()
    return plan


def live_resources(world: World, target: str) -> tuple[Resource, ...]:
    driver = reader(world, target)
    try:
        return driver.read().resources
    finally:
        driver.close()


def test_a_reader_cannot_write(world: World, target: str) -> None:
    driver = reader(world, target)
    assert not any(hasattr(driver, each) for each in ("apply", "hold", "release", "put_back"))
    driver.close()


def test_a_driver_that_was_closed_reads_anew(world: World, target: str) -> None:
    driver = writer(world, target)
    before = driver.read().resources
    apply_all(world, target)
    assert driver.read().resources == before, "one reading for all questions"
    driver.close()
    assert driver.read().resources == live_resources(world, target) != before
    driver.close()


def test_probe_and_read_are_one_round_trip(world: World, target: str) -> None:
    driver = reader(world, target)
    facts, _ = driver.probe(), driver.read()
    driver.probe()
    driver.read()
    driver.close()
    driver.close()
    assert facts.product
    assert facts.version
    processes = world.lab.nvr(SITE).counters.processes
    requests = world.lab.portal.counters.requests
    # the portal's third asks for the lease of a site that it does not have yet
    assert (processes, requests) == {"nvr": (1, 0), "portal": (0, 3)}.get(target, (0, 0))
    if target == CAMERA:
        counters = world.lab.camera(SITE, CAMERA).counters
        assert counters.by_path.total() == 6
        assert counters.requests == 7, "the first finds out how to log in"


def test_every_declared_field_has_a_capability_with_a_reason(world: World, target: str) -> None:
    driver = reader(world, target)
    capabilities = driver.probe().capabilities
    driver.close()
    for resource in desired_of(world.site(SITE)).of_target(target):
        for name in ("", *resource.fields):
            capability = capabilities.of(resource.kind, name)
            assert capability.ability is not Ability.ABSENT, f"{resource.kind}.{name}"
            if capability.ability is not Ability.MANAGED:
                assert capability.reason, f"{resource.kind}.{name} says no reason"


def test_a_second_plan_is_empty_and_a_second_read_the_same(world: World, target: str) -> None:
    assert apply_all(world, target).workable
    driver = reader(world, target)
    plan, _ = plan_with(world, driver)
    driver.close()
    assert plan.workable == ()
    first, second = live_resources(world, target), live_resources(world, target)
    assert [(each.address, each.digest) for each in first] == [(each.address, each.digest) for each in second]


def test_live_objects_have_handles_and_digests(world: World, target: str) -> None:
    apply_all(world, target)
    found = live_resources(world, target)
    handles = [(each.kind, each.handle) for each in found if each.kind != "user"]
    assert len(set(handles)) == len(handles)
    assert all(each.digest for each in found)


def test_a_digest_changes_with_the_object_and_only_then(world: World, target: str) -> None:
    apply_all(world, target)
    before = {each.address: each.digest for each in live_resources(world, target)}
    tampered, kind, key, field = {
        "nvr": ("camera", "camera", "10", {"fps": "3"}),
        "portal": ("pin", "pin", "2H", {"camera": "11"}),
        CAMERA: (f"{CAMERA}/rule", "action_rule", "Input 1", {"enabled": "false"}),
    }[target]
    world.lab.tamper(SITE, tampered, f"ivn-provision: {key}" if target == CAMERA else key, field)
    after = {each.address: each.digest for each in live_resources(world, target)}
    changed = {address for address in before if before[address] != after[address]}
    assert [(each.kind, each.key) for each in changed] == [(kind, key)]


def foreign(world: World, target: str) -> list[Resource]:
    """Objects that are not ours; cameras are declared by their hardware, whatever they are called."""
    claimed = {"camera", "axis_user"}
    return [each for each in live_resources(world, target) if not each.owned and each.kind not in claimed]


def test_foreign_objects_survive_an_apply(world: World, target: str, place: str) -> None:
    if target == CAMERA:
        world.lab.tamper(SITE, f"{CAMERA}/rule", "By hand", {"input": "1"})
        stands = by_hand(world)
    before = foreign(world, target)
    apply_all(world, target)
    after = foreign(world, target)
    if target == CAMERA:  # what 5.x shows of its mail comes from the page that all rules share
        assert by_hand(world) == stands
        assert [each.title for each in before] == [each.title for each in after]
    else:
        assert [(each.title, each.digest) for each in before] == [(each.title, each.digest) for each in after]
    factory_rules = 4 if place.endswith("12.9") else 0
    assert len(before) == {"nvr": 2, "portal": 0, CAMERA: factory_rules + 1}[target]


def by_hand(world: World) -> list[Rule | Configuration]:
    """The camera's own rules and configurations that are not ours, as they are kept there."""
    book = world.lab.camera(SITE, CAMERA).book
    kept: list[Rule | Configuration] = [*book.rules.values(), *book.configurations.values()]
    return [each for each in kept if not is_ours(each.name)]


def is_ours(name: str) -> bool:
    return name.startswith("ivn-provision: ")


def configuration_of(world: World) -> str:
    """The id of the action configuration of our one rule."""
    book = world.lab.camera(SITE, CAMERA).book
    (rule,) = [each for each in book.rules.values() if is_ours(each.name)]
    return str(rule.action)


def test_a_stale_base_is_a_conflict_and_nothing_is_lost(world: World, target: str) -> None:
    apply_all(world, target)
    disturb: Callable[[], None]
    if target == "nvr":
        world.lab.tamper(SITE, "camera", "10", {"label": "First"})
        disturb = lambda: world.lab.tamper(SITE, "camera", "11", {"label": "By hand"})  # noqa: E731
    elif target == CAMERA:
        rule = "ivn-provision: Input 1"
        world.lab.tamper(SITE, f"{CAMERA}/rule", rule, {"enabled": "false"})
        by_hand = {"message": "By hand"}
        disturb = lambda: world.lab.tamper(SITE, f"{CAMERA}/configuration", configuration_of(world), by_hand)  # noqa: E731
    else:
        world.lab.tamper(SITE, "pin", "2H", {"camera": "11"})
        disturb = lambda: world.lab.tamper(SITE, "pin", "2H", {"label": "By hand"})  # noqa: E731
    driver = writer(world, target)
    plan, _ = plan_with(world, driver)
    disturb()
    with pytest.raises(Conflict):
        driver.apply(Work(plan.workable, plan.desired, plan.references))
    driver.close()
    text = str([each.fields for each in live_resources(world, target)])
    assert "By hand" in text


def test_no_secret_in_what_was_read_or_planned(world: World, target: str) -> None:
    apply_all(world, target)
    driver = reader(world, target)
    plan, desired = plan_with(world, driver)
    shown = repr((driver.probe(), driver.read(), plan, desired))
    driver.close()
    values = {value for value in world.secrets if value}
    values |= {
        each.read_text(encoding="utf-8").strip()
        for each in (world.folder.parent / "lab" / "secrets").iterdir()
    }
    assert values
    assert not [value for value in values if value in shown]


def test_secrets_are_held_as_secrets(world: World, target: str) -> None:
    driver = reader(world, target)
    plan, _ = plan_with(world, driver)
    driver.close()
    passwords = [
        fields[name]
        for address, fields in plan.desired.items()
        for name in ("password", "smtp.password")
        if address.target == target and name in fields
    ]
    assert passwords
    if target != "nvr":
        assert all(isinstance(each, Secret) for each in passwords)
