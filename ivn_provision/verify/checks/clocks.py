"""Clocks: a clip is found by the time in the mail (R-03)."""

from __future__ import annotations

from collections.abc import Iterator

from ivn_provision.drivers.axis.seen import CameraSeen
from ivn_provision.spec.site import Camera
from ivn_provision.verify.checks.camera_seen import each_camera, subject_of
from ivn_provision.verify.drift import Part, compared, differences, moment
from ivn_provision.verify.evidence import Evidence
from ivn_provision.verify.registry import check
from ivn_provision.verify.result import Found, failed, passed, unknown, warned

PRE_SECONDS = 10
"""Before the alarm, where the site declares no clip: what is normal (R-04)."""
NOTED_SECONDS = 1
_RISK = "the clip would be of another time"
_CAMERA_RISK = "the time in the picture and in the camera's mails is another than the recorder's"
CAMERA_REMEDY = "set the camera's time source (NTP), then look again"
_LOOK = "look at the time in its picture"
_REMEDY = "set the recorder's clock and its time source (w32tm /resync), then look again"


@check("recorder-clock", title="The recorder's clock is right", target="nvr", refs=("R-03", "row 18"))
def recorder_clock(evidence: Evidence) -> Iterator[Found]:
    """The offset from this machine's clock against the clip window: a whole pre-roll off, and the clip is empty.

    Half of the round trip is uncertain and does not count. This machine's own clock is taken to be right.
    """
    offset = evidence.windows.offset if evidence.windows else None
    declared = Part("windows", _RISK, ("clock_offset_seconds",), whole=False)
    if offset is None:
        yield unknown(f"the recorder's time was not read: {evidence.missing.get('nvr', 'it gave none')}")
    elif found := differences(evidence, declared):
        yield from found
    elif abs(offset) >= pre_seconds(evidence):
        yield failed(f"at least {offset:+g} s off; the clip begins {pre_seconds(evidence)} s before", _REMEDY)
    elif abs(offset) >= NOTED_SECONDS:
        yield warned(f"at least {offset:+g} s off", _REMEDY)
    else:
        yield passed(f"{offset:+g} s off, as far as the round trip shows")


@check("time-source", title="The recorder keeps its time by a time source", target="nvr", refs=("row 18",))
def time_source(evidence: Evidence) -> Iterator[Found]:
    """As declared in `nvr.windows.time_source`."""
    yield from compared(evidence, "time source", Part("windows", _RISK, ("time_source",), whole=False))


@check("mail-clock", title="Mails carry the right time", target="portal", refs=("row 18", "row 19"))
def mail_clock(evidence: Evidence) -> Iterator[Found]:
    """The newest mail that the portal understood: its own time against the time of its receipt."""
    event = next((each for each in evidence.events if each.offset_seconds is not None), None)
    if event is None or event.offset_seconds is None:
        yield unknown("no mail with a time is known yet", "`ivn-provision verify` makes some")
        return
    offset, text = (
        event.offset_seconds,
        f"the mail of {moment(event.received_at)} says {event.offset_seconds:+g} s",
    )
    if abs(offset) >= pre_seconds(evidence):
        yield failed(f"{text}: the clip is looked for at the wrong time", _REMEDY)
    else:
        yield passed(text)


@check(
    "camera-time-source", title="The cameras keep their time as declared", target="camera", refs=("row 18",)
)
def camera_time_source(evidence: Evidence) -> Iterator[Found]:
    """Time zone and time server, of cameras that the site manages itself (`cameras[].axis.time`)."""
    yield from compared(evidence, "clock of a camera", Part("camera_clock", _CAMERA_RISK))


@check("camera-clock", title="The cameras' clocks are right", target="camera", refs=("row 18",))
def camera_clock(evidence: Evidence) -> Iterator[Found]:
    """Of cameras that the site manages itself: the offset from this machine's clock, as far as the round trip shows,
    with the limits of `recorder-clock`.

    Older firmware says its time without a zone: it is judged only where the camera's zone is known.
    """
    yield from each_camera(evidence, lambda camera, seen: _camera_clock(evidence, camera, seen))


def _camera_clock(evidence: Evidence, camera: Camera, seen: CameraSeen) -> Iterator[Found]:
    subject, clock = subject_of(camera), seen.clock
    if clock is None:
        yield unknown(seen.missing.get("clock", "the camera did not say its time"), _LOOK, subject)
    elif clock.offset is None:
        yield unknown(f"it says {clock.said}, {clock.how}", _LOOK, subject)
    else:
        yield judged_offset(evidence, clock.offset, f"({clock.how})", subject)


def judged_offset(evidence: Evidence, offset: float, source: str, subject: str) -> Found:
    """A camera's clock against the limits of `recorder-clock`."""
    by = f"{offset:+g} s off {source}".rstrip()
    windows = evidence.site.nvr.windows if evidence.site.nvr else None
    most = windows.max_clock_offset_seconds if windows else None
    if most is not None and abs(offset) > most:
        return failed(f"at least {by}, at most {most} s are declared", CAMERA_REMEDY, subject)
    if abs(offset) >= pre_seconds(evidence):
        text = f"at least {by}; the clip begins {pre_seconds(evidence)} s before"
        return failed(text, CAMERA_REMEDY, subject)
    if abs(offset) >= NOTED_SECONDS:
        return warned(f"at least {by}", CAMERA_REMEDY, subject)
    return passed(by, subject)


def pre_seconds(evidence: Evidence) -> int:
    """How long before an alarm its clip begins."""
    clip = evidence.site.portal.clip if evidence.site.portal else None
    return clip.pre_seconds if clip else PRE_SECONDS
