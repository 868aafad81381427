"""Cameras over ONVIF without any wire: what a site declares, what is made of answers, and how it is judged."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from ivn_provision.drivers.onvif import parse
from ivn_provision.drivers.onvif.seen import DeviceClock, Encoder, OnvifSeen, Profile
from ivn_provision.secret import SecretRef
from ivn_provision.spec.fleet import find_site
from ivn_provision.spec.onvif import Onvif
from ivn_provision.spec.site import Camera, Site, Video, Windows
from ivn_provision.spec.values import Tls
from ivn_provision.verify.checks import CHECKS
from ivn_provision.verify.evidence import Evidence
from ivn_provision.verify.registry import run
from ivn_provision.verify.result import Found, State
from tests.support.good_evidence import NOW, good_evidence
from tests.support.onvif_cameras import SEEN

CONNECT = Onvif("192.0.2.10", 443, Tls(), "onvif", SecretRef("env", "X"), "/cameras/0/onvif")
SITE_FILE = """\
site: shop
nvr:
  product: xprotect-professional-2014
  connect: {host: 192.168.1.5, username: ivn, password: !secret env:NVR}
cameras:
  - number: 10
    label: Door
    hardware: {address: 192.168.1.10}
    onvif: {connect: {host: cam.example.org, username: viewer, password: !secret env:CAM}}
  - number: 11
    label: Yard
    hardware: {address: 192.168.1.11}
    onvif:
      connect: {host: 192.168.1.11, tls: "off", username: viewer, password: !secret env:CAM}
"""


def evidence(seen: OnvifSeen | None = SEEN, **missing: str) -> Evidence:
    """Of a site whose first camera declares ONVIF."""
    good = good_evidence()
    first, *rest = good.site.cameras or ()
    cameras = (replace(first, onvif=CONNECT), *rest)
    onvif = {first.number: seen} if seen else {}
    return replace(good, site=replace(good.site, cameras=cameras), onvif=onvif, missing=missing)


def judged(name: str, of: Evidence) -> Found:
    (found,) = [each.found for each in run(CHECKS, of) if each.check == name]
    return found


def with_camera(of: Evidence, **fields: object) -> Evidence:
    """With other fields of camera 10."""
    first, *rest = of.site.cameras or ()
    changed: Camera = replace(first, **fields)  # type: ignore[arg-type]  # a test's fields
    site: Site = replace(of.site, cameras=(changed, *rest))
    return replace(of, site=site)


def test_a_declared_camera(tmp_path: Path) -> None:
    (tmp_path / "shop.yml").write_text(SITE_FILE, encoding="utf-8")
    first, second = find_site(tmp_path, "shop").cameras or ()
    assert first.onvif == Onvif(
        "cam.example.org", 443, Tls(), "viewer", SecretRef("env", "CAM", str(tmp_path)), "/cameras/0/onvif"
    )
    assert second.onvif is not None
    assert (second.onvif.port, second.onvif.tls) == (80, Tls("off"))


def test_all_is_well() -> None:
    for name in ("onvif-device", "onvif-video", "onvif-inputs", "onvif-clock"):
        assert judged(name, evidence()).state is State.PASS


def test_a_camera_that_was_not_read_is_unknown_to_all() -> None:
    of = evidence(None, **{"onvif 10": "no camera answers at 192.0.2.10:443"})
    assert judged("onvif-device", of) == Found(
        State.INCONCLUSIVE, "no camera answers at 192.0.2.10:443", "", "camera 10"
    )
    for name in ("onvif-video", "onvif-inputs", "onvif-clock"):
        assert judged(name, of).state is State.INCONCLUSIVE


def test_another_address_is_told() -> None:
    assert "it names 10.0.0.5 as its address, which was not used" in (
        judged("onvif-device", evidence(replace(SEEN, other_hosts=("10.0.0.5",)))).evidence
    )


@pytest.mark.parametrize(
    ("video", "profiles", "state"),
    [
        (Video(), SEEN.profiles, State.SKIPPED),
        (Video("mjpeg", "1280x800", 8), SEEN.profiles, State.PASS),
        (Video(resolution="1280x800"), SEEN.profiles, State.PASS),
        (Video("h264"), SEEN.profiles, State.WARN),
        (Video("mjpeg", "1280x800", 8.5), SEEN.profiles, State.WARN),
        (Video("h265"), SEEN.profiles, State.INCONCLUSIVE),
        (Video("mjpeg"), None, State.INCONCLUSIVE),
        (Video("mjpeg"), (), State.WARN),
        (Video("mjpeg"), (Profile("audio", "", None),), State.WARN),
        (Video(fps=8), (Profile("p", "s", Encoder("JPEG", None, None, None)),), State.WARN),
    ],
)
def test_video(video: Video, profiles: tuple[Profile, ...] | None, state: State) -> None:
    found = judged("onvif-video", with_camera(evidence(replace(SEEN, profiles=profiles)), video=video))
    assert found.state is state


def test_which_source_is_which_channel_is_not_guessed() -> None:
    two = (*(SEEN.profiles or ()), Profile("main", "video_1", Encoder("H264", 640, 480, 5)))
    of = with_camera(evidence(replace(SEEN, profiles=two)), video=Video("mjpeg"))
    assert judged("onvif-video", of).state is State.INCONCLUSIVE
    alike = tuple(replace(each, encoder=(SEEN.profiles or ())[0].encoder) for each in two)
    of = with_camera(evidence(replace(SEEN, profiles=alike)), video=Video("mjpeg"))
    assert judged("onvif-video", of).state is State.PASS


@pytest.mark.parametrize(
    ("inputs", "state"), [(None, State.INCONCLUSIVE), (0, State.FAIL), (1, State.PASS), (4, State.PASS)]
)
def test_inputs(inputs: int | None, state: State) -> None:
    assert judged("onvif-inputs", evidence(replace(SEEN, inputs=inputs))).state is state


def test_inputs_of_a_camera_that_no_event_is_made_of() -> None:
    of = evidence(replace(SEEN, inputs=0))
    of = replace(of, site=replace(of.site, hardware_events=()))
    assert judged("onvif-inputs", of).state is State.SKIPPED


@pytest.mark.parametrize(
    ("offset", "most", "state"),
    [
        (None, None, State.INCONCLUSIVE),
        (0.9, None, State.PASS),
        (-1.0, None, State.WARN),
        (9.9, None, State.WARN),
        (10.0, None, State.FAIL),
        (-3600.0, None, State.FAIL),
        (6.0, 5, State.FAIL),
        (4.0, 5, State.WARN),
    ],
)
def test_clock(offset: float | None, most: int | None, state: State) -> None:
    of = evidence(replace(SEEN, clock=DeviceClock(offset, "NTP")))
    assert of.site.nvr is not None
    nvr = replace(of.site.nvr, windows=Windows(max_clock_offset_seconds=most))
    assert judged("onvif-clock", replace(of, site=replace(of.site, nvr=nvr))).state is state


def time_answer(at: datetime) -> SimpleNamespace:
    date = SimpleNamespace(Year=at.year, Month=at.month, Day=at.day)
    time = SimpleNamespace(Hour=at.hour, Minute=at.minute, Second=at.second)
    return SimpleNamespace(
        UTCDateTime=SimpleNamespace(Date=date, Time=time), DateTimeType="NTP", TimeZone=None
    )


@pytest.mark.parametrize(
    ("ahead", "round_trip", "offset"),
    [(0, 0.0, 0.0), (0, 2.0, 0.0), (1, 0.5, 0.5), (30, 1.0, 29.0), (-30, 1.0, -29.0), (-1, 0.2, 0.0)],
)
def test_only_what_is_certain_of_a_clock_counts(ahead: int, round_trip: float, offset: float) -> None:
    answer = time_answer(NOW + timedelta(seconds=ahead))
    found = parse.clock_of(answer, NOW, NOW + timedelta(seconds=round_trip))
    assert found.offset == offset


@pytest.mark.parametrize(
    "answer",
    [
        None,
        SimpleNamespace(),
        SimpleNamespace(UTCDateTime=None),
        time_answer(datetime(2026, 1, 1, tzinfo=UTC)).__class__(
            UTCDateTime=SimpleNamespace(Date=3, Time="x")
        ),
    ],
)
def test_an_answer_without_a_time(answer: object) -> None:
    assert parse.clock_of(answer, NOW, NOW).offset is None


def test_nothing_is_taken_for_something() -> None:
    """Whatever is missing of an answer."""
    assert parse.profiles_of(None) == ()
    assert parse.profiles_of([SimpleNamespace()]) == (Profile("", "", None),)
    assert parse.inputs_of("four") == 0
    assert parse.xaddrs_of([SimpleNamespace(Namespace=1, XAddr="x")]) == {}
    assert (
        parse.connectors_of(SimpleNamespace(Device=SimpleNamespace(IO=SimpleNamespace(InputConnectors=True))))
        is None
    )
