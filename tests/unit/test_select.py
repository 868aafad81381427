"""`--target` and `--exclude`: globs over addresses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ivn_provision.errors import UsageProblem
from ivn_provision.model.resource import Address
from ivn_provision.plan.plan import Action, Change, FieldChange, SitePlan, Unverified
from ivn_provision.plan.select import select, unmatched


def at(target: str, kind: str, key: str = "") -> Address:
    return Address("north", target, kind, key)


CAMERA, OTHER = at("nvr", "camera", "10"), at("nvr", "camera", "11")
EVENT, ALARM = at("nvr", "hardware_event", "2"), at("nvr", "alarm", "Door / 50% [a]*")
DEVICE, PIN, MAIL = at("portal", "device"), at("portal", "pin", "2H"), at("nvr", "mail_server")


def change(address: Address, action: Action = Action.UPDATE, **after: str | int) -> Change:
    return Change(address, action, tuple(FieldChange(name, None, value) for name, value in after.items()))


PLAN = SitePlan(
    "north",
    changes=(
        change(CAMERA),
        change(OTHER),
        change(EVENT, Action.CREATE),
        change(ALARM, Action.CREATE),
        change(DEVICE, Action.CREATE),
        change(MAIL),
        change(PIN, Action.CREATE),
    ),
    unverified=(Unverified(MAIL, "password", "write-only"),),
    desired={each: {} for each in (CAMERA, OTHER, EVENT, ALARM, DEVICE, MAIL, PIN)},
    needs={EVENT: (CAMERA,), ALARM: (EVENT,), MAIL: (DEVICE,), PIN: (DEVICE,)},
)


def chosen(*targets: str, without: tuple[str, ...] = ()) -> dict[str, str]:
    """Address without its site -> what it waits for."""
    return {
        str(each.address).partition("/")[2]: str(each.blocked_by or "").partition("/")[2]
        for each in select(PLAN, targets, without).changes
    }


def test_without_globs_it_is_the_same_plan() -> None:
    assert select(PLAN, (), ()) is PLAN


@pytest.mark.parametrize(
    ("glob", "names"),
    [
        ("north/nvr/camera/10", ["nvr/camera/10"]),
        ("nvr/camera/10", ["nvr/camera/10"]),
        ("*/nvr/camera/*", ["nvr/camera/10", "nvr/camera/11"]),
        ("nvr/camera/1[01]", ["nvr/camera/10", "nvr/camera/11"]),
        ("nvr/camera/1?", ["nvr/camera/10", "nvr/camera/11"]),
        ("portal/device", ["portal/device"]),
        ("nvr/alarm/Door %2F 50%25 %5Ba%5D%2A", ["nvr/alarm/Door %2F 50%25 %5Ba%5D%2A"]),
        ("camera/10", []),
        ("NVR/camera/10", []),
        ("nvr/camera/10 ", []),
        ("south/*", []),
        ("", []),
    ],
)
def test_a_glob_is_matched_with_and_without_the_site(glob: str, names: list[str]) -> None:
    assert list(chosen(glob)) == names


def test_a_star_goes_beyond_a_slash() -> None:
    assert set(chosen("nvr/*")) == {
        str(each).partition("/")[2] for each in (CAMERA, OTHER, EVENT, ALARM, MAIL)
    }


def test_targets_add_up_and_excludes_take_away() -> None:
    assert list(chosen("nvr/camera/*", "portal/*", without=("*/11", "portal/pin/*"))) == [
        "nvr/camera/10",
        "portal/device",
    ]


def test_what_needs_an_object_that_was_not_chosen_waits_for_it() -> None:
    found = chosen(without=("portal/device", "nvr/hardware_event/*"))
    assert found["portal/pin/2H"] == "portal/device"
    assert found["nvr/mail_server"] == "portal/device"
    assert found["nvr/alarm/Door %2F 50%25 %5Ba%5D%2A"] == "nvr/hardware_event/2"
    assert found["nvr/camera/10"] == ""


def test_waiting_is_handed_on() -> None:
    plan = replace(PLAN, changes=(change(CAMERA, Action.CREATE), *PLAN.changes[2:4]))
    found = select(plan, (), ("nvr/camera/*",))
    assert [each.blocked_by for each in found.changes] == [CAMERA, CAMERA]
    assert found.workable == ()


def test_an_object_that_is_there_holds_nothing_up() -> None:
    assert chosen("nvr/hardware_event/*") == {"nvr/hardware_event/2": ""}


def test_what_waited_before_waits_for_the_same() -> None:
    plan = replace(PLAN, changes=(replace(change(PIN, Action.CREATE), blocked_by=CAMERA),))
    assert select(plan, ("portal/*",), ()).changes == plan.changes


@pytest.mark.parametrize("wanted", [at("nvr", "hardware_event", "2"), at("nvr", "generic_event", "2")])
def test_what_is_used_by_something_not_chosen_is_not_removed(wanted: Address) -> None:
    plan = SitePlan(
        "north",
        changes=(change(ALARM, Action.DELETE), change(wanted, Action.DELETE)),
        live={ALARM: {"source": f"{wanted.kind}/2"}},
    )
    assert [each.blocked_by for each in select(plan, ("nvr/*event/*",), ()).changes] == [ALARM]
    assert [each.blocked_by for each in select(plan, ("nvr/*",), ()).changes] == [None, None]


def test_a_value_can_name_what_it_needs() -> None:
    plan = SitePlan(
        "north",
        changes=(change(EVENT, Action.CREATE), change(ALARM, Action.UPDATE, source="hardware_event/2")),
    )
    assert [each.blocked_by for each in select(plan, ("nvr/alarm/*",), ()).changes] == [EVENT]


def test_fields_to_confirm_are_chosen_too_and_the_rest_is_said() -> None:
    found = select(PLAN, ("nvr/camera/*",), ())
    assert found.unverified == ()
    assert found.notes == ("5 more changes are not chosen by --target and --exclude",)
    assert select(PLAN, ("nvr/mail_server",), ()).unverified == PLAN.unverified
    assert select(PLAN, ("*",), ()).notes == ()


def test_a_glob_that_names_nothing_is_a_usage_problem() -> None:
    found = unmatched([PLAN], ["nvr/camera/*", "nvr/camara/10"])
    assert isinstance(found, UsageProblem)
    assert found.summary == "no address matches nvr/camara/10"
    assert "north/nvr/camera/10" in found.next_step
    assert found.exit_code == 64


def test_a_glob_may_name_what_does_not_change() -> None:
    plan = replace(PLAN, changes=())
    assert unmatched([plan], ["nvr/camera/*", "north/portal/device"]) is None
    assert unmatched([plan], []) is None


def test_nothing_close_says_where_addresses_are() -> None:
    found = unmatched([PLAN], ["zzz"])
    assert found is not None
    assert "`plan` shows the addresses" in found.next_step
