"""What the rules' data cases do not show: silence, hostile text, sections seen together, the fleet's keys."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from ivn_provision.diagnostics import Place
from ivn_provision.secret import SecretRef
from ivn_provision.spec.fleet import load_fleet
from ivn_provision.spec.rules import FleetKey, check_fleet, check_site, fleet_keys
from ivn_provision.spec.site import (
    Acceptance,
    Hardware,
    Mail,
    MailServer,
    Nvr,
    Pin,
    User,
)
from ivn_provision.spec.values import Computed
from tests.support.declared import (
    ACCOUNT,
    BODY,
    camera,
    codes,
    connect,
    device,
    generic,
    hardware,
    message,
    portal,
    site,
)

SHARED = Path(__file__).parents[3] / "shared"


# -- silence: what is not declared is not managed ---------------------------------------------------------


def test_an_empty_site_has_no_findings() -> None:
    assert codes(check_site(site())) == []


def test_events_without_cameras_or_portal_are_not_checked_against_them() -> None:
    sections = {"hardware_events": (hardware(),), "generic_events": (generic(),)}
    assert codes(check_site(site(**sections))) == ["IVN050"]


def test_pins_without_events_or_cameras_are_not_checked_against_them() -> None:
    pins = (
        Pin(2, "hardware", 10, "perimeter", None, True, "/portal/pins/0"),
        Pin(2, "soft", 10, "perimeter", None, True, "/portal/pins/1"),
    )
    assert codes(check_site(site(portal=portal(pins=pins)))) == []


def test_ports_that_one_side_does_not_declare_are_not_compared() -> None:
    told = device(web_server_port=8080, event_server_port=1234, log_server_port=81, username="ivnview")
    assert codes(check_site(site(portal=portal(device=told), nvr=Nvr("x", connect())))) == []


def test_declared_but_empty_sections_are_checked() -> None:
    pins = (Pin(2, "soft", 10, "perimeter", None, True, "/portal/pins/0"),)
    found = codes(check_site(site(cameras=(), generic_events=(), portal=portal(pins=pins))))
    assert found == ["IVN023", "IVN027"]


def test_the_example_site_has_only_the_pin_that_is_not_wired_yet(tmp_path: Path) -> None:
    example = SHARED / "example-site.yml"
    if not example.is_file():
        pytest.skip("the example site is not beside this checkout")
    shutil.copy(example, tmp_path / "harbor-marina.yml")
    (tmp_path / "groups").mkdir()
    for group in ("northeast", "xprotect-2014"):
        (tmp_path / "groups" / f"{group}.yml").write_text("description: a group\n")
    found = load_fleet([tmp_path]).diagnostics
    assert codes(found) == ["IVN025"]
    assert found[0].place
    assert "{pin: 3, source: hardware" in example.read_text("utf-8").splitlines()[found[0].place.line - 1]


# -- hostile text ------------------------------------------------------------------------------------------


def test_hostile_text_is_escaped_and_cut() -> None:
    hostile = "\x1b[2J\N{RIGHT-TO-LEFT OVERRIDE}" + "x" * 10_000
    found = list(check_site(site(cameras=(camera(label=hostile),), time_zone=hostile)))
    assert {each.code for each in found} >= {"IVN001", "IVN070"}
    for each in found:
        assert each.summary.isprintable()
        assert len(each.summary) < 300


# -- inputs ------------------------------------------------------------------------------------------------


def test_two_events_of_one_input_are_compared_by_device_not_by_camera() -> None:
    cameras = (camera(10), camera(11), camera(12, hardware=Hardware("192.168.10.10", channel=2)))
    events = (hardware(2), hardware(3, camera=11), hardware(4, camera=12), hardware(5, camera=10, input=2))
    found = [
        each for each in check_site(site(cameras=cameras, hardware_events=events)) if each.code == "IVN010"
    ]
    assert len(found) == 1
    assert "'4 H' and '2 H'" in found[0].summary
    assert len(found[0].related) == 1


def test_a_disabled_event_shares_an_input() -> None:
    events = (hardware(2), hardware(3, enabled=False), hardware(4, edge="falling", email=False))
    found = codes(check_site(site(cameras=(camera(),), hardware_events=events)))
    assert not {"IVN010", "IVN011"} & set(found)


def test_a_search_rule_overlaps_in_one_direction_only() -> None:
    events = (generic(1), generic(11, rule="search"))
    assert "IVN021" not in codes(check_site(site(generic_events=events)))
    events = (generic(1, rule="search"), generic(11))
    assert "IVN021" in codes(check_site(site(generic_events=events)))


# -- mail --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "accepted"),
    [
        (BODY, True),
        (BODY + "\n", True),
        (BODY.replace("\n", "\r\n"), True),
        (BODY.replace("\n", "\n\n"), True),
        (BODY.replace(" :", ":"), False),
        (BODY + " ", False),
        (BODY + "\nSent by the recorder", False),
        ("", False),
        (BODY.lower(), False),
        ("\n".join(reversed(BODY.split("\n"))), False),
    ],
)
def test_the_body_is_the_template(body: str, accepted: bool) -> None:
    server = MailServer(ACCOUNT, "smtp.example", 587, "starttls", None, None)
    found = codes(check_site(site(mail=Mail(message(body=body), server), portal=portal())))
    assert found == ([] if accepted else ["IVN044"])


@pytest.mark.parametrize(
    ("sender", "declared", "with_portal", "accepted"),
    [
        (ACCOUNT, None, True, True),
        ("a@ivnview.example", "a@ivnview.example", True, True),
        ("a@ivnview.example", None, True, False),
        ("A@ivnview.example", "a@ivnview.example", True, False),
        (Computed("portal.account"), None, True, False),
        (ACCOUNT, None, False, False),
    ],
)
def test_the_sender_is_the_account_id(
    sender: str | Computed, declared: str | None, with_portal: bool, accepted: bool
) -> None:
    server = MailServer(sender, "smtp.example", 587, "starttls", None, None)
    there = portal(smtp_account_id=declared) if with_portal else None
    found = codes(check_site(site(mail=Mail(None, server), portal=there)))
    assert ("IVN047" in found) is not accepted


# -- sections that speak of each other ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("here", "there", "same"),
    [
        (SecretRef("env", "A", "/one"), SecretRef("env", "A", "/two"), True),
        (SecretRef("file", "a", "/one"), SecretRef("file", "a", "/one"), True),
        (SecretRef("file", "a", "/one"), SecretRef("file", "a", "/two"), False),
        (SecretRef("env", "A"), SecretRef("keyring", "A"), False),
    ],
)
def test_the_two_sides_use_one_reference(here: SecretRef, there: SecretRef, same: bool) -> None:
    user = User("ivnview", "basic", here, True, "/nvr/users/0")
    told = device(username="ivnview", password=there)
    found = codes(check_site(site(nvr=Nvr("x", connect(), users=(user,)), portal=portal(device=told))))
    assert found == ([] if same else ["IVN066"])


def test_acceptance_pins_need_portal_pins() -> None:
    pins = (Pin(2, "soft", 10, "perimeter", None, True, "/portal/pins/0"),)
    wanted = Acceptance(("2S", "2H", "nonsense"))
    found = list(check_site(site(portal=portal(pins=pins), acceptance=wanted)))
    assert codes(found) == ["IVN072", "IVN072"]
    assert found[0].hint == "declared pins: 2S"


# -- the fleet ---------------------------------------------------------------------------------------------


def test_fleet_keys_survive_json() -> None:
    made = fleet_keys(site(nvr=Nvr("x", connect()), portal=portal()))
    text = json.dumps([dataclasses.asdict(each) for each in made])
    back = tuple(FleetKey(**{**each, "place": Place(**each["place"])}) for each in json.loads(text))
    assert back == made
    assert [each.kind for each in made] == ["site name", "recorder endpoint", "portal account"]


def test_the_first_site_by_path_is_the_one_that_is_right() -> None:
    keys = [
        FleetKey("portal account", "harbor at p", name, Place(f"{name}.yml", 3, 1))
        for name in ("c", "a", "b")
    ]
    found = list(check_fleet(keys))
    assert [each.site for each in found] == ["b", "c"]
    assert all(each.related[0].place.path == "a.yml" for each in found)


def test_different_kinds_do_not_clash() -> None:
    here = Place("a.yml", 1, 1)
    keys = [FleetKey("site name", "x", "a", here), FleetKey("portal account", "x", "b", here)]
    assert list(check_fleet(keys)) == []


def test_a_login_in_a_url_is_not_in_the_keys() -> None:
    made = fleet_keys(site(portal=portal(url="https://user:hunter2@portal.example/api")))
    assert "hunter2" not in repr(made)
