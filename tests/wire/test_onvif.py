"""Cameras over ONVIF, against the lab's over real sockets: what is read, and what goes wrong."""

from __future__ import annotations

import hashlib
import logging
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ivn_provision.drivers.onvif.reading import Asked, read_cameras
from ivn_provision.drivers.onvif.seen import Account, Encoder, Ntp, OnvifSeen
from ivn_provision.errors import (
    AuthenticationFailed,
    DeadlineExceeded,
    IvnError,
    ProtocolFault,
    Refused,
    TlsFailed,
    Unreachable,
)
from ivn_provision.lab.loopback import free_port
from ivn_provision.run.checking import Checked, check_site
from ivn_provision.spec.values import Tls
from ivn_provision.verify.result import State
from tests.support.onvif_cameras import PLACE, SITE, Cameras, need_library, onvif_cameras, secret
from tests.support.world import Events, utc_now

need_library()
REQUESTS = {
    "GetSystemDateAndTime": 1,
    "GetDeviceInformation": 1,
    "GetServices": 1,
    "GetProfiles": 1,
    "GetDigitalInputs": 1,
    "GetNTP": 1,
    "GetUsers": 1,
}
"""What a camera is asked, and nothing else: no operation that sets something."""


@pytest.fixture(scope="module")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cameras]:
    with onvif_cameras(tmp_path_factory.mktemp("onvif")) as running:
        yield running


def seen(found: OnvifSeen | IvnError) -> OnvifSeen:
    assert isinstance(found, OnvifSeen), found
    return found


def test_all_that_is_read(cameras: Cameras) -> None:
    found = cameras.read()
    assert list(found) == [10, 11]
    one = seen(found[10])
    assert str(one.device) == "Northcam NC-200, firmware 2.10.4"
    assert one.device.serial == "00408C000161"
    assert [(each.name, each.source, each.encoder) for each in one.profiles or ()] == [
        ("main", "video_0", Encoder("JPEG", 1280, 800, 8, 60.0, 4096)),
        ("small", "video_0", Encoder("H264", 640, 400, 15, 60.0, 4096)),
    ]
    assert one.inputs == 1
    assert one.clock.offset is not None
    assert abs(one.clock.offset) < 1
    assert (one.clock.source, one.clock.zone) == ("NTP", "EST5EDT,M3.2.0,M11.1.0")
    assert one.ntp == Ntp(from_dhcp=False, servers=("time.example.org",))
    assert one.accounts == (Account("onvif", "Administrator"), Account("recorder", "Operator"))
    assert (one.other_hosts, one.missing) == ((), {})


def test_nothing_is_asked_that_writes(cameras: Cameras) -> None:
    cameras.device.asked.clear()
    cameras.first()
    assert dict(cameras.device.asked) == REQUESTS


def test_plain_http_without_tls(tmp_path: Path) -> None:
    with onvif_cameras(tmp_path, "http") as plain:
        assert plain.connect().tls == Tls("off")
        assert seen(plain.first()).missing == {}


@pytest.mark.parametrize(("skew", "offset"), [(300, 299.0), (-3600, -3600.0)])
def test_a_clock_that_is_off_is_told_and_does_not_refuse_the_token(
    cameras: Cameras, skew: int, offset: float
) -> None:
    cameras.lab.tamper(SITE, "onvif", "192.168.10.61", {"clock_offset_seconds": str(skew)})
    try:
        found = seen(cameras.first()).clock.offset
    finally:
        cameras.lab.tamper(SITE, "onvif", "192.168.10.61", {"clock_offset_seconds": "0"})
    assert found is not None
    assert abs(found - offset) < 5


def test_a_digest_login_is_answered(cameras: Cameras) -> None:
    with cameras.fault("onvif-http-login"):
        assert seen(cameras.first()).missing == {}


def test_an_old_device_without_get_services(cameras: Cameras) -> None:
    """It names no device I/O service; how many connectors there are it says all the same."""
    with cameras.fault("onvif-old"):
        one = seen(cameras.first())
    assert one.missing == {}
    assert (len(one.profiles or ()), one.inputs) == (2, 1)


def test_a_device_without_inputs_service(cameras: Cameras) -> None:
    with cameras.fault("onvif-no-io"):
        one = seen(cameras.first())
    assert one.inputs is None
    assert set(one.missing) == {"inputs"}


def test_the_host_that_a_device_names_is_never_spoken_to(cameras: Cameras) -> None:
    """192.0.2.66 is of a network that does not exist: had it been asked, the read had failed."""
    with cameras.fault("onvif-other-host"):
        one = seen(cameras.first())
    assert one.other_hosts == ("192.0.2.66",)
    assert one.missing == {}


FAULTS = {
    "onvif-refused": (AuthenticationFailed, "Sender not Authorized"),
    "onvif-refused-later": (AuthenticationFailed, "Sender not Authorized"),
    "onvif-fault": (Refused, "The camera is busy"),
    "onvif-redirect": (ProtocolFault, "redirect"),
    "onvif-garbled": (ProtocolFault, "no XML"),
    "onvif-dtd": (ProtocolFault, "DTD"),
    "onvif-huge": (ProtocolFault, "larger than 2 MiB"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_an_error_of_ours_and_costs_no_other_camera(cameras: Cameras, name: str) -> None:
    with cameras.fault(name):
        found = cameras.read()
    kind, words = FAULTS[name]
    error = found[10]
    assert isinstance(error, kind)
    assert words in error.summary
    assert error.next_step
    assert seen(found[11]).missing == {}


def test_a_camera_that_drips_ends_at_its_deadline(cameras: Cameras) -> None:
    with cameras.fault("onvif-slow"):
        found = cameras.first(seconds=1.5)
    assert isinstance(found, DeadlineExceeded)


def test_a_wrong_password_is_shown_once_and_never_told(cameras: Cameras) -> None:
    cameras.device.asked.clear()
    asked = Asked(10, cameras.connect(), secret("not-this-one"))
    error = read_cameras([asked], each=20, together=20, clock=utc_now)[10]
    assert isinstance(error, AuthenticationFailed)
    assert "not-this-one" not in f"{error.summary}{error.next_step}{error.where}"
    assert dict(cameras.device.asked) == {"GetSystemDateAndTime": 1}


def test_a_device_that_tells_everybody_what_it_is_sees_a_wrong_password_twice_only(cameras: Cameras) -> None:
    before = cameras.device.refused
    with cameras.fault("onvif-refused-later"):
        assert isinstance(cameras.first(), AuthenticationFailed)
    assert cameras.device.refused == before + 2


def test_nobody_there(cameras: Cameras) -> None:
    connect = cameras.connect()
    found = cameras.first(replace(connect, port=free_port(connect.host)))
    assert isinstance(found, Unreachable)


def test_a_certificate_that_nobody_vouches_for(cameras: Cameras) -> None:
    asked = len(cameras.device.asked)
    found = cameras.first(replace(cameras.connect(), tls=Tls("verify")))
    assert isinstance(found, TlsFailed)
    assert len(cameras.device.asked) == asked


def test_a_fingerprint(cameras: Cameras) -> None:
    pem = cameras.lab.assembly.tls.certificate.read_text("ascii")
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    connect = cameras.connect()
    assert seen(cameras.first(replace(connect, tls=Tls("fingerprint", digest)))).missing == {}
    cameras.device.asked.clear()
    found = cameras.first(replace(connect, tls=Tls("fingerprint", "0" * 64)))
    assert isinstance(found, TlsFailed)
    assert "another certificate" in found.summary
    assert not cameras.device.asked


def test_tls_to_a_port_that_speaks_none(tmp_path: Path) -> None:
    with onvif_cameras(tmp_path, "http") as plain:
        found = plain.first(replace(plain.connect(), tls=Tls("verify")))
    assert isinstance(found, TlsFailed)


def test_the_library_leaves_logging_alone(cameras: Cameras) -> None:
    """It would set up the root logger when it is imported; a request would be a line on the terminal then."""
    before = [each for each in logging.getLogger().handlers if type(each) is logging.StreamHandler]
    cameras.first()
    assert before == []


# -- as checks -------------------------------------------------------------------------------------------


def check(cameras: Cameras, deadline: float = 20.0) -> tuple[Checked, dict[tuple[str, str], State]]:
    checked = check_site(cameras.world.site(SITE), cameras.world.opener(deadline), Events())
    found = [each for each in checked.results if each.check.startswith("onvif-")]
    return checked, {(each.check, each.found.subject): each.state for each in found}


def test_a_site_whose_cameras_are_well(cameras: Cameras) -> None:
    checked, states = check(cameras)
    names = ("onvif-device", "onvif-video", "onvif-inputs", "onvif-clock")
    assert states == {(name, f"camera {n}"): State.PASS for name in names for n in (10, 11)}
    assert checked.errors == {}
    device = next(each for each in checked.results if each.check == "onvif-device")
    assert "Northcam NC-200, firmware 2.10.4; accounts onvif (Administrator)" in device.found.evidence


@pytest.mark.parametrize(
    ("field", "value", "name", "state", "words"),
    [
        ("encoding", "H264", "onvif-video", State.WARN, "no profile has mjpeg 1280x800 8 fps"),
        ("resolution", "640x480", "onvif-video", State.WARN, "main (JPEG 640x480 at 8 fps)"),
        ("fps", "25", "onvif-video", State.WARN, "main (JPEG 1280x800 at 25 fps)"),
        ("inputs", "0", "onvif-inputs", State.FAIL, "the camera has 0"),
        ("clock_offset_seconds", "-5", "onvif-clock", State.WARN, "s off (by NTP from time.example.org)"),
        ("clock_offset_seconds", "600", "onvif-clock", State.FAIL, "the clip begins 10 s before"),
    ],
)
def test_what_differs_is_one_checks(
    cameras: Cameras, field: str, value: str, name: str, state: State, words: str
) -> None:
    before = str(getattr(cameras.device.settings, field))
    cameras.lab.tamper(SITE, "onvif", "192.168.10.61", {field: value})
    try:
        checked, states = check(cameras)
    finally:
        cameras.lab.tamper(SITE, "onvif", "192.168.10.61", {field: before})
    bad = {each for each, found in states.items() if found is not State.PASS}
    assert bad == {(name, "camera 10")}
    assert states[name, "camera 10"] is state
    (found,) = [each.found for each in checked.results if each.check == name and each.state is state]
    assert words in found.evidence
    assert found.remedy


def test_a_camera_that_is_not_read_passes_nowhere(cameras: Cameras) -> None:
    with cameras.fault("onvif-garbled"):
        checked, states = check(cameras)
    assert {name for name, state in states.items() if state is State.INCONCLUSIVE} == {
        (name, "camera 10") for name in ("onvif-device", "onvif-video", "onvif-inputs", "onvif-clock")
    }
    assert set(checked.errors) == {"onvif 10"}
    assert cameras.connect().host in checked.errors["onvif 10"].where


def test_a_password_that_is_not_there(cameras: Cameras) -> None:
    cameras.world.edit(SITE, f"{SITE}-onvif", f"{SITE}-gone")
    try:
        checked, states = check(cameras)
    finally:
        cameras.world.edit(SITE, f"{SITE}-gone", f"{SITE}-onvif")
    assert set(checked.errors) == {"onvif 10", "onvif 11"}
    assert set(states.values()) == {State.INCONCLUSIVE}


def test_place_of_a_fault(cameras: Cameras) -> None:
    with cameras.fault("onvif-old"):
        (site,) = cameras.lab.status()["sites"]
    assert [each["faults"] for each in site["onvif"] if each["place"] == PLACE] == [["onvif-old"]]
