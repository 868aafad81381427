"""The diff where a target shows nothing of a kind, or may make objects but not remove them."""

from __future__ import annotations

from ivn_provision.diagnostics import Place
from ivn_provision.model.desired import Desired
from ivn_provision.model.live import REMOVAL, Ability, Capabilities, Capability, Live
from ivn_provision.model.resource import Address, Resource
from ivn_provision.plan.diff import Differences, diff_target
from ivn_provision.plan.plan import Action, Standing
from ivn_provision.secret import Secret, SecretRef

MANAGED, MANUAL = Capability(Ability.MANAGED), Capability(Ability.MANUAL, "by hand, because")
EVENT = Address("s", "nvr", "hardware_event", "2")


def diff(
    declared: list[Resource], live: list[Resource], capabilities: Capabilities, exclusive: str = ""
) -> Differences:
    desired = Desired("s", {each.address: each for each in declared}, frozenset({exclusive}))
    return diff_target(desired, "nvr", Live(tuple(live), {}), capabilities, {})


def test_an_unread_kind_is_neither_missing_nor_in_sync() -> None:
    reference = SecretRef("env", "USER")
    address, place = Address("s", "nvr", "user", "ivnview"), Place("s.yml", 3, 1)
    user = Resource(address, {"kind": "basic", "password": Secret("hunter2", reference)}, declared_at=place)
    found = diff([user], [], Capabilities({}, default=MANUAL, unread=frozenset({"user"})))
    assert found.changes == []
    assert found.unchanged == 0
    assert [(each.name, each.value, each.reason) for each in found.unverified] == [
        ("kind", "basic", "by hand, because"),
        ("password", reference, "by hand, because"),
    ]
    assert all(each.declared_at == place and each.standing is Standing.NEVER for each in found.unverified)


def test_a_field_that_reading_does_not_show_says_what_is_declared() -> None:
    declared = Resource(EVENT, {"name": "2 H", "email": True})
    live = Resource(EVENT, {"name": "2 H"}, handle="h")
    found = diff([declared], [live], Capabilities({}, default=MANUAL))
    assert [(each.name, each.value) for each in found.unverified] == [("email", True)]
    assert found.changes == []


def test_objects_that_may_be_made_and_not_removed() -> None:
    table = {("hardware_event", ""): MANAGED, ("hardware_event", REMOVAL): MANUAL}
    surplus = Resource(EVENT, {"name": "2 H"}, handle="h")
    found = diff([], [surplus], Capabilities(table, default=MANAGED), "hardware_event")
    (change,) = found.changes
    assert (change.action, change.manual, change.reason) == (Action.DELETE, True, "by hand, because")


def test_a_replacement_needs_both_making_and_removing() -> None:
    table = {("hardware_event", ""): MANAGED, ("hardware_event", REMOVAL): MANUAL}
    declared = Resource(EVENT, {"input": 2, "name": "2 H"})
    live = Resource(EVENT, {"input": 1, "name": "2 H x"}, handle="h")
    found = diff([declared], [live], Capabilities(table, default=MANAGED))
    assert [(each.action, each.manual, [field.name for field in each.fields]) for each in found.changes] == [
        (Action.UPDATE, False, ["name"]),
        (Action.UPDATE, True, ["input"]),
    ]
    both = diff([declared], [live], Capabilities({}, default=MANAGED))
    assert [each.action for each in both.changes] == [Action.REPLACE]
