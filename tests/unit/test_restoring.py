"""An earlier state as what a site shall be: what is written, what is lost, and what is never made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from ivn_provision.drivers.portal.objects import Stored, body_of
from ivn_provision.drivers.xprotect_e.edit import splices_for
from ivn_provision.drivers.xprotect_e.live import resources_of
from ivn_provision.drivers.xprotect_e.xml_document import parse
from ivn_provision.drivers.xprotect_e.xml_edit import apply_splices, remove_attribute
from ivn_provision.errors import StateError
from ivn_provision.model.resource import UNSET, Address, Value
from ivn_provision.plan.plan import Action, Change, FieldChange, SitePlan, Work
from ivn_provision.run.adopted import adopted_since
from ivn_provision.run.journal import Journal
from ivn_provision.run.restoring import Lost, desired_of_snapshot, lost_fields, not_to_be_made
from ivn_provision.run.snapshots import Snapshot, keep, keyed
from ivn_provision.run.state import StateFolder
from ivn_provision.secret import Fingerprint
from ivn_provision.spec.site import Nvr, Places, Portal, PortalAuth, Site
from ivn_provision.spec.values import Computed, Tls
from tests.support.recorder import PATH, configuration, layout, store
from tests.support.sites import ADDRESSES, PASSWORD, connect
from tests.support.world import run_id, utc_now

NAME = "s"
DEVICE, MAILS = Address(NAME, "portal", "device"), Address(NAME, "nvr", "mail_message")
SITE = Site(
    NAME,
    "s.yml",
    Places({}, "s.yml"),
    nvr=Nvr("xprotect-professional-2014", connect()),
    portal=Portal("https://127.0.0.1", Tls(), PortalAuth("c", PASSWORD), NAME),
)
Objects = Mapping[Address, Mapping[str, Value]]


def nvr(kind: str, key: str = "") -> Address:
    return Address(NAME, "nvr", kind, key)


def snapshot(objects: Objects, *targets: str) -> Snapshot:
    return Snapshot("snap-000000000000", NAME, "", "", objects, targets)


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    return StateFolder(tmp_path / ".ivn")


def test_a_snapshot_of_another_site() -> None:
    with pytest.raises(StateError, match="is of t, not of s"):
        desired_of_snapshot(SITE, replace(snapshot({}), site="t"))


def test_a_target_that_was_not_read_is_left_alone(state: StateFolder) -> None:
    """A snapshot of a time when the site file had no portal does not say that the portal was empty."""
    only_recorder = desired_of_snapshot(SITE, snapshot({nvr("generic_event", "2"): {"email": True}}, "nvr"))
    assert only_recorder.exclusive == {"hardware_event", "generic_event", "alarm", "firewall_rule"}
    both = desired_of_snapshot(SITE, snapshot({}, "nvr", "portal"))
    assert {"site", "device", "pin"} < both.exclusive
    without = replace(SITE, portal=None)
    held = snapshot({DEVICE: {"make": "M"}}, "nvr", "portal")
    assert desired_of_snapshot(without, held).resources == {}
    (lost,) = lost_fields(state, without, held, SitePlan(NAME))
    assert lost == Lost(DEVICE, "", "the site file says nothing of its portal any more")


def test_mails_go_to_the_address_that_the_portal_has_now() -> None:
    """The portal's device may have been made anew since, with another account: the old one is nobody's."""
    held = snapshot(
        {
            DEVICE: {"make": "M", "smtp_account_id": "old@portal.example"},
            MAILS: {"recipients": ("old@portal.example", "guard@site.example")},
            nvr("mail_server"): {"sender": "old@portal.example", "host": "old@portal.example"},
        },
        "nvr",
        "portal",
    )
    wanted = desired_of_snapshot(SITE, held).resources
    account = Computed("portal.smtp_account_id")
    assert wanted[MAILS].fields["recipients"] == (account, "guard@site.example")
    assert wanted[nvr("mail_server")].fields == {"sender": account, "host": "old@portal.example"}
    assert wanted[DEVICE].fields == {"make": "M"}
    assert wanted[MAILS].needs == (DEVICE,)
    alone = desired_of_snapshot(replace(SITE, portal=None), replace(held, targets=("nvr",))).resources
    assert alone[MAILS].fields["recipients"] == ("old@portal.example", "guard@site.example")


def test_a_secret_is_lost_only_where_it_is_another_now(state: StateFolder) -> None:
    was, new = Fingerprint("salt", "1" * 64), Fingerprint("salt", "2" * 64)
    held = snapshot({DEVICE: {"password": keyed(state, was)}}, "portal")
    assert "password" not in desired_of_snapshot(SITE, held).resources[DEVICE].fields
    assert lost_fields(state, SITE, held, SitePlan(NAME, live={DEVICE: {"password": was}})) == ()
    for live in ({DEVICE: {"password": new}}, {DEVICE: {"password": UNSET}}, {}):
        (lost,) = lost_fields(state, SITE, held, SitePlan(NAME, live=live))
        assert (lost.name, lost.is_for_a_person) == ("password", True)
        assert "write-only" in lost.reason
    none = snapshot({DEVICE: {"password": UNSET}}, "portal")
    (lost,) = lost_fields(state, SITE, none, SitePlan(NAME, live={DEVICE: {"password": new}}))
    assert "can set a password, not remove it" in lost.reason
    assert lost_fields(state, SITE, none, SitePlan(NAME)) == ()


@pytest.mark.parametrize(
    ("address", "name", "value"),
    [
        (nvr("camera", "10"), "video.codec", "MxPEG"),
        (nvr("camera", "10"), "recording.mode", "DbSaveMode=2 SaveOnEvent=None SaveOnMotion=0"),
        (nvr("alarm", "a"), "enabled", "maybe"),
        (nvr("alarm", "a"), "source", "Gate open by guard (not declared)"),
        (nvr("hardware_event", "2"), "device", "unknown device 1"),
        (nvr("windows_service", "image_server"), "start_mode", "boot"),
        (nvr("firewall_rule", "local_port"), "action", "block"),
        (nvr("firewall_rule", "local_port"), "enabled", False),
        (nvr("firewall_rule", "local_port"), "port", "80-90"),
    ],
)
def test_what_was_there_in_a_form_that_cannot_be_written(
    state: StateFolder, address: Address, name: str, value: Value
) -> None:
    held = snapshot({address: {name: value, "name": "n"}}, "nvr")
    assert name not in desired_of_snapshot(SITE, held).resources[address].fields
    same = SitePlan(NAME, live={address: {name: value, "name": "n"}})
    assert lost_fields(state, SITE, held, same) == (), "what is still so is not lost"
    found = lost_fields(state, SITE, held, SitePlan(NAME, live={address: {name: 1, "name": "n"}}))
    assert [(each.address, each.name) for each in found] == [(address, name)]


def test_an_object_is_not_made_without_what_it_points_at(state: StateFolder) -> None:
    alarm = nvr("alarm", "a")
    held = snapshot({alarm: {"enabled": True, "source": "Somebody's (not declared)"}}, "nvr")
    make = SitePlan(NAME, (Change(alarm, Action.CREATE, ()),))
    lost = lost_fields(state, SITE, held, make)
    assert not_to_be_made(make, lost, frozenset()) == {alarm}
    there = SitePlan(NAME, (Change(alarm, Action.UPDATE, ()),), live={alarm: {"source": "hardware_event/2"}})
    assert not_to_be_made(there, lost_fields(state, SITE, held, there), frozenset()) == set()
    assert desired_of_snapshot(SITE, held, leave_out=frozenset({alarm})).resources == {}


def test_what_a_person_must_do_is_lost(state: StateFolder) -> None:
    camera, event = nvr("camera", "10"), nvr("hardware_event", "2")
    plan = SitePlan(
        NAME,
        (
            Change(camera, Action.CREATE, (), manual=True, reason="the wizard adds hardware"),
            Change(event, Action.CREATE, (), blocked_by=camera),
            Change(
                nvr("user", "u"), Action.UPDATE, (FieldChange("kind", 1, 2, reason="by hand"),), manual=True
            ),
        ),
    )
    assert lost_fields(state, SITE, snapshot({}, "nvr"), plan) == (
        Lost(camera, "", "the wizard adds hardware"),
        Lost(event, "", f"it waits for {camera}"),
        Lost(nvr("user", "u"), "kind", "by hand"),
    )


def test_the_portal_is_given_null_where_it_knows_it() -> None:
    site = Address(NAME, "portal", "site")
    body = {"name": "n", "time_zone": "UTC", "monitoring": {"station": "c", "account_number": "1"}}
    stored = Stored(
        "site",
        "",
        '"1"',
        {
            **dict.fromkeys(("location_address", "entry_delay_seconds", "address")),
            **body,
            "status": "active",
            "clip": {"pre_seconds": 3, "post_seconds": 3},
            "labels": {},
        },
    )
    fields: dict[str, Value] = {
        "time_zone": UNSET,
        "monitoring.station": UNSET,
        "monitoring.account_number": UNSET,
    }
    given = body_of(Change(site, Action.UPDATE, ()), fields, stored)
    assert given["time_zone"] is None
    assert given["monitoring"] is None
    assert given["clip"] == {"pre_seconds": 3, "post_seconds": 3}
    assert "password" not in body_of(
        Change(DEVICE, Action.CREATE, ()), {"make": "M", "password": UNSET}, None
    )


def test_a_text_that_was_not_there_is_taken_out_again() -> None:
    raw = configuration(ADDRESSES[:1])
    address = nvr("camera", "1")
    plan = Change(
        address, Action.UPDATE, (FieldChange("video.resolution", "640x480", UNSET),), "camera-0", ""
    )
    live = [each for each in resources_of(store(raw), layout(), NAME) if each.handle == "camera-0"]
    change = replace(plan, digest=live[0].digest)
    work = Work((change,), {address: {"video.resolution": UNSET}}, {})
    after = apply_splices(raw, splices_for(store(raw), layout(), work)[PATH])
    assert after == raw.replace(b"<Resolution>640x480</Resolution>", b"")


def test_an_attribute_is_taken_out() -> None:
    raw = b"<a><b x = \"1\"  y='2'/></a>"
    document = parse(raw, path="x.xml")
    element = document.root.find("b")
    assert element
    assert apply_splices(raw, [remove_attribute(document, element, "y")]) == b'<a><b x = "1"/></a>'
    assert apply_splices(raw, [remove_attribute(document, element, "x")]) == b"<a><b  y='2'/></a>"


def planned(state: StateFolder, number: int, live: Objects, *changes: Change) -> str:
    """A journal that planned these changes of what was live."""
    journal = Journal.create(
        state, run_id(number), utc_now, who="w", command="apply", revision="", sites=[NAME]
    )
    before = keep(state, SitePlan(NAME, live=live), journal.run, "2026-11-24T10:00:00Z")
    listed = [
        {
            "address": str(each.address),
            "action": each.action.value,
            "fields": [{"name": one.name, "before": 1, "after": 2} for one in each.fields],
        }
        for each in changes
    ]
    journal.append("planned", NAME, before=before, spec="", changes=listed)
    journal.append("site_end", NAME, standing="applied", error="")
    journal.close()
    return journal.run


def test_what_later_runs_took_over_comes_back_as_they_found_it(state: StateFolder) -> None:
    name = FieldChange("name", "Camera 2", "10 Gate")
    mine: Mapping[str, Value] = {"name": "10 Lobby", "hardware.mac": "A", "hardware.channel": 1}
    theirs: Mapping[str, Value] = {
        "name": "Camera 2",
        "hardware.mac": "B",
        "hardware.channel": 1,
        "video.fps": 8,
    }
    camera, made = nvr("camera", "10"), nvr("alarm", "made")
    run = planned(state, 1, {})
    planned(
        state, 2, {camera: theirs}, Change(camera, Action.UPDATE, (name,)), Change(made, Action.CREATE, ())
    )
    later: Objects = {nvr("camera", "11"): {**theirs, "name": "10 Gate"}, made: {"enabled": True}}
    enabled = FieldChange("enabled", True, False)
    planned(
        state,
        3,
        later,
        Change(nvr("camera", "11"), Action.UPDATE, (name,)),
        Change(made, Action.UPDATE, (enabled,)),
    )
    held = snapshot({camera: mine}, "nvr")
    adopted = adopted_since(state, held, run)
    assert adopted.unread == []
    assert adopted.found == {
        nvr("camera", "10 Camera 2"): {"name": "Camera 2", "hardware.mac": "B", "hardware.channel": 1}
    }
    assert adopted_since(state, snapshot({nvr("camera", "5"): theirs}, "nvr"), run).found == {}
    assert adopted_since(state, held, run_id(3)).found == {}
