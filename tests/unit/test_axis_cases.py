"""Answers of cameras, good and broken, one JSON file each in `tests/cases/axis`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ivn_provision.drivers.axis import device_live, json_api, params
from ivn_provision.drivers.axis.advisories import version
from ivn_provision.drivers.axis.device_live import profile_parameters
from ivn_provision.drivers.axis.firmware import notes, product
from ivn_provision.drivers.axis.making import Maker
from ivn_provision.drivers.axis.reading import Reading
from ivn_provision.drivers.axis.smtp import page_fields
from tests.support.axis_cases import CASES, outcome, reply

FILES = sorted(CASES.glob("*.json"))
RECORDED = Path(__file__).parents[3] / "shared" / "fixtures" / "axis" / "p5512-5.51.7.json"


@pytest.mark.parametrize("file", FILES, ids=[path.stem for path in FILES])
def test_answer_is_read_or_refused(file: Path) -> None:
    case = json.loads(file.read_text(encoding="utf-8"))
    assert outcome(case["given"]) == case["expected"]


def test_there_are_many() -> None:
    assert len(FILES) >= 40


def recorded(path: str) -> tuple[int, str, bytes]:
    if not RECORDED.is_file():
        pytest.skip("the recordings of a real camera are not beside this checkout")
    for each in json.loads(RECORDED.read_text(encoding="utf-8"))["transactions"]:
        if each["request"]["path"] == path:
            found = each["response"]
            return (
                found["status_code"],
                found["headers"]["content_type"],
                found["body"]["string"].encode("iso-8859-1"),
            )
    raise AssertionError(path)


def test_a_recorded_camera_of_5_51_7() -> None:
    status, kind, body = recorded("/axis-cgi/param.cgi?action=list")
    known = params.parse_list(reply(body, status=status, content_type=kind))
    status, kind, body = recorded("/axis-cgi/apidiscovery.cgi")
    reading = Reading(json_api.parse_discovery(reply(body, status=status, content_type=kind)), known)
    assert reading.apis == frozenset()
    assert (product(reading), reading.firmware, reading.serial) == (
        "AXIS P5512 PTZ Dome Network Camera",
        "5.51.7",
        "00408CFB6888",
    )
    make = Maker("site", "camera-10")
    ports = [(each.address.key, dict(each.fields)) for each in device_live.port_resources(reading, make)]
    assert ports == [
        (str(n), {"name": f"Input {n}", "direction": "input", "normal": "open"}) for n in range(1, 5)
    ]
    (clock,) = device_live.clock_resources(reading, make)
    assert clock.fields == {"posix_zone": "GMT0BST,M3.5.0/1,M10.5.0", "ntp_server": "dhcp"}
    (profile,) = device_live.profile_resources(reading, make, {"Balanced"})
    assert (profile.handle, dict(profile.fields)) == (
        "StreamProfile.S1",
        {"codec": "h264", "resolution": "4CIF", "compression": 30, "fps": 15},
    )
    assert page_fields(known) == {
        "smtp.sender": "",
        "smtp.host": "",
        "smtp.port": 25,
        "smtp.security": "none",
        "smtp.username": "",
    }
    assert ["never verified" in each for each in notes(reading)] == [True]


def test_one_group_of_the_recording() -> None:
    status, kind, body = recorded("/axis-cgi/param.cgi?action=list&group=root.Brand")
    known = params.parse_list(reply(body, status=status, content_type=kind))
    assert known.get("brand.prodnbr") == "P5512"


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("5.50.5.10", (5, 50, 5, 10)),
        ("12.9.57", (12, 9, 57)),
        ("", ()),
        ("5.x", ()),
        ("5..1", ()),
        ("٥.1", ()),
    ],
)
def test_versions_are_numbers(text: str, numbers: tuple[int, ...]) -> None:
    assert version(text) == numbers


@pytest.mark.parametrize(
    ("firmware", "has_hole"),
    [("5.50.5.4", True), ("5.50.5.9", True), ("5.50.5.10", False), ("5.51.1", False)],
)
def test_firmware_with_a_known_hole(firmware: str, has_hole: bool) -> None:
    text = f"root.Brand.ProdNbr=M1034-W\nroot.Properties.Firmware.Version={firmware}\n"
    reading = Reading(frozenset(), params.parse_list(reply(text.encode())))
    assert any("CVE-2017-9765" in each for each in notes(reading)) == has_hole


def test_older_events_that_still_fire() -> None:
    text = "root.Event.E0.Name=Old\nroot.Event.E0.Actions.A0.Password=geheim\nroot.Event.E3.Name=Older\n"
    known = params.parse_list(reply(text.encode()))
    said = list(notes(Reading(frozenset(), known)))
    assert said == ["2 event(s) of the older kind (Event.E0, Event.E3) still fire beside the action rules"]
    assert "geheim" not in repr(known)


def test_parameters_of_a_profile_are_a_map() -> None:
    assert profile_parameters("a=1&b=&c=x%20y") == {"a": "1", "b": "", "c": "x y"}
