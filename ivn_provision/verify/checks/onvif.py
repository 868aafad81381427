"""Cameras of any make, as far as ONVIF shows them: they are read and never written."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ivn_provision.drivers.onvif.seen import Encoder, OnvifSeen, Profile
from ivn_provision.spec.site import Camera, Video
from ivn_provision.verify.checks.clocks import judged_offset
from ivn_provision.verify.evidence import Evidence
from ivn_provision.verify.registry import check
from ivn_provision.verify.result import Found, failed, passed, skipped, unknown, warned

ENCODINGS = {"mjpeg": "JPEG", "jpeg": "JPEG", "mpeg4": "MPEG4", "h264": "H264"}
"""ONVIF's words for the codecs that its media service of version 1 knows; others need version 2."""


@check("onvif-device", title="Cameras answer over ONVIF", target="camera", refs=("R-26",))
def onvif_device(evidence: Evidence) -> Iterator[Found]:
    """Each camera that declares `onvif`: make, model, firmware and accounts, as it says them."""
    for camera, seen in _declared(evidence):
        subject = _subject(camera)
        if seen is None:
            yield unknown(_why(evidence, camera), "", subject)
        else:
            yield passed(_about(seen), subject)
    if not any(_declared(evidence)):
        yield _nothing()


@check(
    "onvif-video", title="Cameras have an encoder profile as declared", target="camera", refs=("R-28", "R-30")
)
def onvif_video(evidence: Evidence) -> Iterator[Found]:
    """A profile with the codec, the resolution and the frame rate of `video`, as far as they are declared.

    A recorder may ask for a stream that no profile describes, so a difference is a warning. Of a device with
    several video sources ONVIF does not say which one is which channel.
    H.265 is in the media service of version 2 only, which is not read.
    """
    yield from _each(evidence, _video)


@check(
    "onvif-inputs", title="Cameras have the inputs that events are made of", target="camera", refs=("R-47",)
)
def onvif_inputs(evidence: Evidence) -> Iterator[Found]:
    """Each `hardware_events[].input` of the camera against the number of its digital inputs, counted from 1."""
    wanted: dict[int, int] = {}
    for event in evidence.site.hardware_events or ():
        wanted[event.camera] = max(event.input, wanted.get(event.camera, 0))
    yield from _each(evidence, lambda camera, seen: _inputs(camera, seen, wanted.get(camera.number, 0)))


@check("onvif-clock", title="The clocks of cameras are right", target="camera", refs=("row 18",))
def onvif_clock(evidence: Evidence) -> Iterator[Found]:
    """The offset from this machine's clock against the limits of `recorder-clock`; what the round trip and the
    missing fraction of a second leave open does not count. A camera's clock is in its picture and in its own mails."""
    yield from _each(evidence, lambda camera, seen: _clock(evidence, camera, seen))


def _declared(evidence: Evidence) -> Iterator[tuple[Camera, OnvifSeen | None]]:
    for camera in evidence.site.cameras or ():
        if camera.onvif is not None:
            yield camera, evidence.onvif.get(camera.number)


def _each(evidence: Evidence, judge: Callable[[Camera, OnvifSeen], Found]) -> Iterator[Found]:
    for camera, seen in _declared(evidence):
        if seen is None:
            yield unknown("the camera was not read", "see onvif-device", _subject(camera))
        else:
            yield judge(camera, seen)
    if not any(_declared(evidence)):
        yield _nothing()


def _nothing() -> Found:
    return skipped("no camera of the site file declares onvif")


def _subject(camera: Camera) -> str:
    return f"camera {camera.number}"


def _why(evidence: Evidence, camera: Camera) -> str:
    missing = evidence.missing
    return missing.get(f"onvif {camera.number}", missing.get("onvif", "the camera was not read"))


def _about(seen: OnvifSeen) -> str:
    parts = [str(seen.device)]
    if seen.accounts:
        parts.append("accounts " + ", ".join(f"{each.name} ({each.level})" for each in seen.accounts))
    if seen.other_hosts:
        parts.append(f"it names {', '.join(seen.other_hosts)} as its address, which was not used")
    return "; ".join(parts)


def _video(camera: Camera, seen: OnvifSeen) -> Found:
    wanted, subject = _words(camera.video), _subject(camera)
    if not wanted:
        return skipped("the site file declares no video for it", subject)
    if seen.profiles is None:
        return unknown(_reason(seen, "profiles"), "look at its own web page", subject)
    if camera.video.codec is not None and camera.video.codec not in ENCODINGS:
        return unknown(f"ONVIF's media service of version 1 does not know {camera.video.codec}", "", subject)
    matching = [each for each in seen.profiles if each.encoder and _matches(camera.video, each.encoder)]
    if not matching:
        listed = ", ".join(_profile(each) for each in seen.profiles) or "none"
        remedy = "set the stream of the camera, in the recorder or on the camera's own page (R-30)"
        return warned(f"no profile has {wanted}; there are: {listed}", remedy, subject)
    without = {each.source for each in seen.profiles} - {each.source for each in matching}
    if without:
        return unknown(
            f"{wanted} is there on some of its video sources; which one is channel {camera.hardware.channel} is "
            "not known",
            "look at its own web page",
            subject,
        )
    return passed(f"profile {_profile(matching[0])}", subject)


def _matches(wanted: Video, encoder: Encoder) -> bool:
    return (
        (wanted.codec is None or ENCODINGS.get(wanted.codec) == encoder.encoding)
        and (wanted.resolution is None or wanted.resolution == f"{encoder.width}x{encoder.height}")
        and (wanted.fps is None or wanted.fps == encoder.fps)
    )


def _words(video: Video) -> str:
    parts = (video.codec, video.resolution, f"{video.fps:g} fps" if video.fps is not None else None)
    return " ".join(each for each in parts if each)


def _profile(profile: Profile) -> str:
    return f"{profile.name} ({profile.encoder or 'no video encoder'})"


def _inputs(camera: Camera, seen: OnvifSeen, wanted: int) -> Found:
    subject = _subject(camera)
    if not wanted:
        return skipped("no hardware event is made of an input of it", subject)
    if seen.inputs is None:
        return unknown(_reason(seen, "inputs"), "look at the device", subject)
    if seen.inputs < wanted:
        return failed(
            f"a hardware event is made of input {wanted}, and the camera has {seen.inputs}",
            "correct hardware_events, or wire the contact to another device: no alarm would come",
            subject,
        )
    return passed(f"{seen.inputs} digital input{'' if seen.inputs == 1 else 's'}", subject)


def _clock(evidence: Evidence, camera: Camera, seen: OnvifSeen) -> Found:
    offset, subject = seen.clock.offset, _subject(camera)
    if offset is None:
        return unknown("the camera said no time", "look at the time in its picture", subject)
    return judged_offset(evidence, offset, f"({_source(seen)})", subject)


def _source(seen: OnvifSeen) -> str:
    if seen.clock.source == "NTP":
        servers = seen.ntp.servers if seen.ntp else ()
        return f"by NTP from {', '.join(servers)}" if servers else "by NTP"
    return "set by hand" if seen.clock.source == "Manual" else "its time source is not known"


def _reason(seen: OnvifSeen, what: str) -> str:
    return seen.missing.get(what, "the camera did not say")
