"""What the rules' data cases do not show: silence, hostile text, the registry, the fleet's keys, the reference."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from ivn_provision.diagnostics import Diagnostic, Place
from ivn_provision.secret import SecretRef
from ivn_provision.spec.fleet import load_fleet
from ivn_provision.spec.rules import RULES, VERSION, FleetKey, Rule, check_fleet, check_site, fleet_keys
from ivn_provision.spec.rules.reference import markdown
from ivn_provision.spec.site import (
    Acceptance,
    Camera,
    Connect,
    Device,
    GenericEvent,
    Hardware,
    HardwareEvent,
    Mail,
    MailMessage,
    MailServer,
    Nvr,
    Pin,
    Places,
    Portal,
    PortalAuth,
    Recording,
    Site,
    User,
    Video,
)
from ivn_provision.spec.values import Computed, Tls

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
ACCOUNT = Computed("portal.smtp_account_id")
BODY = "Trigger Event : $TriggerName$\nCamera is : $CameraName$\nTime: $TriggerTime$"
SUBJECT = "Milestone XProtect Professional Notification"


def camera(number: int = 10, label: str = "Lobby", **changes: object) -> Camera:
    made = Camera(
        number=number,
        label=label,
        hardware=Hardware(f"192.168.10.{number}"),
        enabled=True,
        video=Video(),
        recording=Recording(mode="always"),
        axis=None,
        pointer=f"/cameras/{number}",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def hardware(pin: int = 2, **changes: object) -> HardwareEvent:
    made = HardwareEvent(
        pin,
        "Door",
        10,
        1,
        "rising",
        enabled=True,
        email=True,
        record="all",
        pointer=f"/hardware_events/{pin}",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def generic(pin: int = 2, **changes: object) -> GenericEvent:
    made = GenericEvent(pin, True, True, "match", f"{pin} S", f"/generic_events/{pin}")
    return replace(made, **changes)  # type: ignore[arg-type]


def connect(**changes: object) -> Connect:
    made = Connect(
        "winrm", "192.168.10.52", 5986, "ivn-provision", SecretRef("env", "NVR_PASSWORD"), Tls(), "ntlm"
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def portal(**changes: object) -> Portal:
    made = Portal(
        url="https://portal.ivnview.example/api/v1",
        tls=Tls(),
        auth=PortalAuth("northside", SecretRef("env", "CLIENT")),
        account="harbor",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def device(**changes: object) -> Device:
    made = Device("Milestone", "XProtect", None, None, None, None, None, None)
    return replace(made, **changes)  # type: ignore[arg-type]


def site(**sections: object) -> Site:
    bare = Site("harbor", "harbor.yml", Places({}, "harbor.yml"), nvr=Nvr("x", connect()))
    return replace(bare, **sections)  # type: ignore[arg-type]


def message(**changes: object) -> MailMessage:
    made = MailMessage(enabled=True, recipients=(ACCOUNT,), subject=SUBJECT, body=BODY)
    return replace(made, **changes)  # type: ignore[arg-type]


def codes(found: Iterable[Diagnostic]) -> list[str]:
    return [each.code for each in found]


# -- the registry and its page ---------------------------------------------------------------------------


def test_the_codes_are_numbered_without_gaps() -> None:
    assert [each.code for each in RULES] == [f"IVN{number:03}" for number in range(1, len(RULES) + 1)]
    assert len(RULES) >= 35


@pytest.mark.parametrize("rule", RULES, ids=lambda each: each.code)
def test_a_rule_says_what_it_wants_and_because_of_what(rule: Rule) -> None:
    assert rule.title
    assert not rule.title.endswith(".")
    assert rule.explanation.endswith(".")
    assert rule.requirements
    assert (rule.check is None) == bool(rule.kind)


def test_the_requirements_exist_in_the_facts() -> None:
    facts = SHARED / "facts" / "manual.md"
    if not facts.is_file():
        pytest.skip("the facts are not beside this checkout")
    text = facts.read_text("utf-8")
    cited = {each for rule in RULES for each in rule.requirements if each[:2] in {"R-", "C-"}}
    assert not [each for each in cited if f"| {each} |" not in text and f"({each})" not in text]


def test_the_reference_is_in_sync() -> None:
    page = ROOT / "docs" / "reference" / "rules.md"
    assert page.read_text("utf-8") == markdown(RULES), "run scripts/make-rules-reference"


def test_the_script_says_that_the_reference_is_in_sync() -> None:
    script = ROOT / "scripts" / "make-rules-reference"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_version_is_a_digest() -> None:
    assert len(VERSION) == 16
    assert int(VERSION, 16) >= 0


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


# -- names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "label", "expected"),
    [
        (10, "Lobby", []),
        (999, "x", []),
        (2, "Main Entrance Lobby", []),
        (10, "No\N{NO-BREAK SPACE}break", ["IVN007"]),
        (0, "Lobby", ["IVN001"]),
        (1000, "Lobby", ["IVN001"]),
        (-1, "Lobby", ["IVN001"]),
        (10, "", ["IVN001"]),
        (10, " ", ["IVN001"]),
        (10, " Lobby", ["IVN001"]),
        (10, "Lobby ", ["IVN001"]),
        (10, "Lob\nby", ["IVN001"]),
        (10, "Lobby\x00", ["IVN001"]),
        (10, "Lob\N{LINE SEPARATOR}by", ["IVN001", "IVN007"]),
        (10, "<b>&", ["IVN003"]),
        (10, "10 Lobby", ["IVN008"]),
        (10, "100 Lobby", []),
    ],
)
def test_camera_names(number: int, label: str, expected: list[str]) -> None:
    assert codes(check_site(site(cameras=(camera(number, label),)))) == expected


@pytest.mark.parametrize(
    ("pin", "label", "expected"),
    [
        (2, "", []),
        (2, "Rising signal on input 1, alert event", []),
        (999, "Door", []),
        (0, "Door", ["IVN004"]),
        (1000, "", ["IVN004"]),
        (2, " Door", ["IVN004"]),
        (2, "a\nb", ["IVN004"]),
        (2, "a" * 60, []),
        (2, "a" * 61, ["IVN006"]),
        (999, "a" * 59, ["IVN006"]),
        (2, "\N{EN DASH} Rising", ["IVN007"]),
        (2, "H Door", ["IVN008"]),
        (2, "2 H", ["IVN008"]),
        (2, "2 Hall", []),
        (2, "Hall", []),
        *((2, f"a{each}b", ["IVN005"]) for each in "<>&'\"\\/:*?|[]"),
    ],
)
def test_event_names(pin: int, label: str, expected: list[str]) -> None:
    event = hardware(pin, label=label)
    found = codes(check_site(site(hardware_events=(event,), mail=Mail())))
    assert [each for each in found if each != "IVN050"] == expected


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


# -- endpoints, users, times -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://portal.ivnview.example/api/v1", []),
        ("http://127.0.0.9:8443/api/v1", []),
        ("http://[::1]:8443/", []),
        ("http://localhost/", []),
        ("HTTPS://portal.example", []),
        ("http://portal.example", ["IVN064"]),
        ("http://127.0.0.1.evil.example/", ["IVN064"]),
        ("ftp://127.0.0.1/", ["IVN064"]),
        ("https://", ["IVN064"]),
        ("https://host:port/", ["IVN064"]),
        ("https://[::1", ["IVN064"]),
        ("nonsense", ["IVN064"]),
        ("https://user:hunter2@portal.example/", ["IVN064"]),
    ],
)
def test_portal_urls(url: str, expected: list[str]) -> None:
    found = list(check_site(site(portal=portal(url=url))))
    assert codes(found) == expected
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("203.0.113.10", []),
        ("127.0.0.1", []),
        ("2001:db8::1", []),
        ("::1", []),
        ("10.0.0.1", ["IVN061"]),
        ("172.31.255.255", ["IVN061"]),
        ("172.32.0.1", []),
        ("192.168.1.1", ["IVN061"]),
        ("100.64.0.1", ["IVN061"]),
        ("169.254.1.1", ["IVN061"]),
        ("0.0.0.0", ["IVN061"]),
        ("224.0.0.1", ["IVN061"]),
        ("fd00::1", ["IVN061"]),
        ("fe80::1", ["IVN061"]),
        ("::ffff:10.0.0.1", ["IVN061"]),
        ("harbor.example", ["IVN060"]),
        ("1.2.3", ["IVN060"]),
        ("010.0.0.1", ["IVN060"]),
    ],
)
def test_location_addresses(address: str, expected: list[str]) -> None:
    assert codes(check_site(site(portal=portal(device=device(location_address=address))))) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"tls": Tls("off")}, ["IVN062"]),
        ({"tls": Tls("off"), "host": "127.0.0.3"}, []),
        ({"tls": Tls("off"), "host": "localhost", "auth": "basic"}, ["IVN063"]),
        ({"auth": "basic"}, []),
        ({"auth": "basic", "port": 5985}, ["IVN063"]),
        ({"auth": "basic", "port": 5985, "transport": "ssh", "tls": Tls("off")}, []),
    ],
)
def test_connections(changes: dict[str, object], expected: list[str]) -> None:
    assert codes(check_site(site(nvr=Nvr("x", connect(**changes))))) == expected


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


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "UTC", "Etc/GMT+5"])
def test_time_zones(zone: str) -> None:
    assert codes(check_site(site(time_zone=zone))) == []


@pytest.mark.parametrize("zone", ["EST", "America", "America/", "../../etc/passwd", "/etc/passwd", "", "A/B"])
def test_not_time_zones(zone: str) -> None:
    assert codes(check_site(site(time_zone=zone))) == ["IVN070"]


@pytest.mark.parametrize(
    ("window", "accepted"),
    [
        ("Mon-Fri 09:00-16:00", True),
        ("Sat,Sun 10:00-12:00", True),
        ("Mon-Wed,Fri 22:00-04:00", True),
        ("Mon 00:00-23:59", True),
        ("mon 09:00-16:00", False),
        ("Mon-Fri 09:00-09:00", False),
        ("Mon-Fri 09:00-24:00", False),
        ("Mon-Fri 9:00-16:00", False),
        ("Mon-Fri  09:00-16:00", False),
        ("Mon-Fri 09:00-16:00\n", False),
        ("09:00-16:00", False),
        ("", False),
    ],
)
def test_maintenance_windows(window: str, accepted: bool) -> None:
    assert codes(check_site(site(time_zone="America/New_York", maintenance_window=window))) == (
        [] if accepted else ["IVN071"]
    )


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
