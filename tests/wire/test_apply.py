"""Plan, apply, prove, drift against the lab, over the real wire protocols."""

from __future__ import annotations

from dataclasses import replace

from ivn_provision.errors import PersonNeeded
from ivn_provision.plan.plan import Action
from ivn_provision.run.engine import SiteOutcome
from tests.support.world import World

SITE = "lab-0001"


def only(outcomes: tuple[SiteOutcome, ...]) -> SiteOutcome:
    assert len(outcomes) == 1
    outcome = outcomes[0]
    assert outcome.error is None, outcome.error
    return outcome


def addresses(outcome: SiteOutcome) -> list[str]:
    assert outcome.plan is not None
    return [f"{change.action} {str(change.address).partition('/')[2]}" for change in outcome.plan.changes]


def test_a_fresh_site_is_planned_applied_and_proven(world: World) -> None:
    planned = only(world.plan(SITE))
    assert "create portal/device" in addresses(planned)
    assert "update nvr/camera/10" in addresses(planned)
    applied = only(world.apply(SITE))
    assert {each.status for each in applied.outcomes} == {"done"}
    assert applied.proof is not None
    assert applied.proof.is_empty
    again = only(world.plan(SITE)).plan
    assert again is not None
    assert replace(again, facts=()) == replace(applied.proof, facts=())  # but for the lease, which is gone
    assert not any(each.holding.lease for each in again.facts)


def test_order_of_work(world: World) -> None:
    order = addresses(only(world.plan(SITE)))
    before = [
        ("update nvr/camera/10", "create nvr/hardware_event/2"),
        ("create nvr/hardware_event/2", "create nvr/alarm/Door forced"),
        ("create nvr/hardware_event/2", "create portal/pin/2H"),
        ("create portal/device", "update nvr/mail_server"),
        ("update nvr/mail_server", "update nvr/mail_message"),
    ]
    for first, second in before:
        assert order.index(first) < order.index(second), f"{first} must come before {second}"


def test_round_trips_of_a_plan(world: World) -> None:
    nvr, portal = world.lab.nvr(SITE).counters, world.lab.portal.counters
    only(world.plan(SITE))
    assert nvr.posts <= 6, nvr.posts_by_action
    assert (nvr.connections, nvr.authentications, nvr.processes) == (1, 1, 1)
    assert portal.requests <= 3, (
        "one for the lease: of a site that does not exist yet the answer says nothing"
    )
    only(world.apply(SITE))
    before = portal.requests
    only(world.plan(SITE))
    assert portal.requests - before <= 2, portal.requests_by_route


def test_an_apply_is_five_processes_and_one_restart(world: World) -> None:
    nvr = world.lab.nvr(SITE).counters
    only(world.apply(SITE))
    assert nvr.processes == 5, "read, hold, write, re-read, release"
    assert nvr.file_writes == 1
    assert nvr.service_restarts == 3, "three services, once each"


def test_a_second_apply_writes_nothing(world: World) -> None:
    only(world.apply(SITE))
    nvr, portal = world.lab.nvr(SITE).counters, world.lab.portal.counters
    before = (nvr.file_writes, nvr.service_restarts, portal.writes)
    again = only(world.apply(SITE))
    assert again.outcomes == ()
    assert (nvr.file_writes, nvr.service_restarts, portal.writes) == before


def test_a_plan_never_writes(world: World) -> None:
    only(world.plan(SITE))
    nvr, portal = world.lab.nvr(SITE).counters, world.lab.portal.counters
    assert (nvr.file_writes, nvr.service_restarts, portal.writes) == (0, 0, 0)


def test_a_soft_trigger_arrives_on_the_right_pin(world: World) -> None:
    only(world.apply(SITE))
    world.lab.fire_soft(SITE, 2)
    event = wait_for_event(world)
    assert (event["pin"], event["source"], event["parse_status"]) == (2, "soft", "parsed")


def test_a_tripped_input_arrives_with_its_camera(world: World) -> None:
    only(world.apply(SITE))
    assert world.lab.fire_input(SITE, "192.168.10.62", 1) == 1
    event = wait_for_event(world)
    assert (event["pin"], event["source"], event["camera"]) == (3, "hardware", 11)


def wait_for_event(world: World) -> dict[str, object]:
    import time

    for _ in range(100):
        events = world.lab.portal.events(SITE)
        if events:
            return dict(events[0])
        time.sleep(0.05)
    raise AssertionError(f"no event; mails: {world.lab.nvr(SITE).mail_log}")


def test_drift_by_hand_is_found_and_repaired(world: World) -> None:
    only(world.apply(SITE))
    world.lab.tamper(SITE, "camera", "10", {"label": "Other"})
    drifted = only(world.plan(SITE))
    assert addresses(drifted) == ["update nvr/camera/10"]
    assert drifted.plan is not None
    (field,) = drifted.plan.changes[0].fields
    assert (field.name, field.before, field.after) == ("name", "10 Other", "10 Main Entrance")
    only(world.apply(SITE))
    assert only(world.plan(SITE)).plan is not None


def test_a_renumbered_camera_is_the_same_camera(world: World) -> None:
    """Identity is the hardware: events and alarms that point at the camera are not changed."""
    only(world.apply(SITE))
    world.lab.tamper(SITE, "camera", "10", {"name": "77 Somewhere"})
    assert addresses(only(world.plan(SITE))) == ["update nvr/camera/10"]


def test_swapped_cameras_are_swapped_back(world: World) -> None:
    only(world.apply(SITE))
    world.lab.tamper(SITE, "camera", "10", {"name": "99 Parked"})
    world.lab.tamper(SITE, "camera", "11", {"name": "10 Main Entrance"})
    world.lab.tamper(SITE, "camera", "99", {"name": "11 Gate"})
    assert addresses(only(world.plan(SITE))) == ["update nvr/camera/10", "update nvr/camera/11"]
    only(world.apply(SITE))


def test_an_event_taken_out_of_the_file_is_removed_and_foreign_ones_stay(world: World) -> None:
    only(world.apply(SITE))
    world.edit(SITE, "generic_events:\n  - {pin: 2, email: true}", "generic_events: []")
    world.edit(SITE, "    - {pin: 2, source: soft, camera: 10, event_type: perimeter}\n", "")
    outcome = only(world.apply(SITE))
    assert addresses(outcome) == ["delete portal/pin/2S", "delete nvr/generic_event/2"]
    assert outcome.proof is not None
    titles = {each.title for each in outcome.proof.foreign}
    assert {"Gate open by guard", "Server room temperature"} <= titles


def test_another_input_replaces_the_event_and_keeps_its_alarm(world: World) -> None:
    only(world.apply(SITE))
    world.edit(SITE, "camera: 10, input: 1, edge: rising", "camera: 10, input: 1, edge: falling")
    outcome = only(world.apply(SITE))
    assert addresses(outcome) == ["replace nvr/hardware_event/2"]
    assert outcome.proof is not None
    assert outcome.proof.is_empty, "the alarm still points at the event"


def test_a_change_on_the_portal_is_drift(world: World) -> None:
    only(world.apply(SITE))
    world.lab.tamper(SITE, "pin", "2H", {"camera": "11"})
    drifted = only(world.plan(SITE))
    assert addresses(drifted) == ["update portal/pin/2H"]
    only(world.apply(SITE))


def test_another_portal_password_is_drift_by_its_fingerprint(world: World) -> None:
    only(world.apply(SITE))
    world.lab.secret_file("lab-0001-ivnview").write_text("another-one", encoding="utf-8")
    drifted = only(world.plan(SITE))
    # the recorder's user by a login that fails
    assert addresses(drifted) == ["update nvr/user/ivnview", "update portal/device"]
    assert drifted.plan is not None
    assert [[field.name for field in each.fields] for each in drifted.plan.changes] == [["password"]] * 2
    (applied,) = world.apply(SITE)
    assert isinstance(applied.error, PersonNeeded)
    assert applied.proof is not None
    assert [str(each.address) for each in applied.proof.changes] == [f"{SITE}/nvr/user/ivnview"]


def test_a_technician_between_plan_and_write_is_not_overwritten(world: World) -> None:
    """Compare-and-swap: the write is refused, the hand-made change survives."""
    from ivn_provision.errors import Conflict
    from ivn_provision.run.engine import apply_sites
    from tests.support.world import Events

    def disturb(_: object) -> bool:
        world.lab.tamper(SITE, "camera", "Camera 2", {"name": "Somebody was here"})
        return True

    (outcome,) = apply_sites([world.site(SITE)], world.opener(), Events(), disturb, guards=world.guards())
    assert outcome.error is not None
    assert isinstance(outcome.error.__cause__ or outcome.error, Conflict)
    planned = only(world.plan(SITE))
    assert planned.plan is not None
    assert "Somebody was here" in {change.title for change in planned.plan.changes}


def test_what_only_a_person_can_do_is_said_and_the_rest_is_done(world: World) -> None:
    world.edit(
        SITE,
        "hardware_events:\n",
        "  - {number: 30, label: Roof, hardware: {address: 192.168.10.99}}\n\nhardware_events:\n"
        "  - {pin: 9, label: Roof hatch, camera: 30, input: 1, edge: rising, email: true, record: all}\n",
    )
    world.edit(
        SITE, "  pins:\n", "  pins:\n    - {pin: 9, source: hardware, camera: 30, event_type: perimeter}\n"
    )
    (outcome,) = world.apply(SITE, allowances={"pins_without_video": 1})
    assert outcome.error is not None
    assert outcome.error.exit_code == 4
    assert outcome.proof is not None
    waiting = {str(change.address): change for change in outcome.proof.waiting}
    assert set(waiting) == {"lab-0001/nvr/camera/30", "lab-0001/nvr/hardware_event/9"}
    assert waiting["lab-0001/nvr/camera/30"].action is Action.CREATE
    assert waiting["lab-0001/nvr/camera/30"].manual
    assert str(waiting["lab-0001/nvr/hardware_event/9"].blocked_by) == "lab-0001/nvr/camera/30"
    assert not outcome.proof.workable


def test_a_typed_account_id_that_is_not_the_portals_is_a_difference(world: World) -> None:
    """R-75: the portal generates it. A wrong one in the file would send every alarm to nobody."""
    world.edit(
        SITE,
        "  entry_delay_seconds: 45",
        "  smtp_account_id: old-account@portal.example\n  entry_delay_seconds: 45",
    )
    (outcome,) = world.apply(SITE)
    assert outcome.error is not None
    assert outcome.error.exit_code == 4
    assert outcome.proof is not None
    (change,) = outcome.proof.waiting
    assert str(change.address) == "lab-0001/portal/device"
    assert [each.name for each in change.fields] == ["smtp_account_id"]


def test_the_right_account_id_may_be_typed(world: World) -> None:
    only(world.apply(SITE))
    live = world.opener().readers(world.site(SITE))["portal"]
    account = live.read().computed["portal.smtp_account_id"]
    live.close()
    world.edit(SITE, "  entry_delay_seconds: 45", f"  smtp_account_id: {account}\n  entry_delay_seconds: 45")
    assert addresses(only(world.plan(SITE))) == []
