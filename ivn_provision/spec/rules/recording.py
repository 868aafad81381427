"""Video must be there when the portal asks for the seconds around an alarm."""

from __future__ import annotations

from collections.abc import Iterator

from ivn_provision.diagnostics import Severity
from ivn_provision.spec.rules.context import Context
from ivn_provision.spec.rules.registry import Finding, rule, show
from ivn_provision.spec.site import Camera, HardwareEvent, Pin

_CONDITIONAL = ("event", "motion", "motion_and_event")


@rule(
    "IVN037",
    "codec-mjpeg",
    Severity.WARNING,
    title="Cameras deliver MJPEG",
    requirements=("R-28", "portal row 20"),
)
def codec_mjpeg(context: Context) -> Iterator[Finding]:
    """The manual demands MJPEG and gives no reason; the portal may not decode another format."""
    for camera in context.cameras:
        codec = camera.video.codec
        if codec is not None and codec.casefold() != "mjpeg":
            yield Finding(
                f"{camera.pointer}/video/codec",
                f"camera {camera.number} delivers {show(codec)}; the manual demands MJPEG",
                "write codec: mjpeg",
            )


@rule(
    "IVN038",
    "recording-off",
    Severity.ERROR,
    title="A camera that a pin or an event uses is recorded",
    requirements=("R-03", "R-29", "portal row 17"),
)
def recording_off(context: Context) -> Iterator[Finding]:
    """With `mode: never` the portal finds no clip."""
    if "never" not in context.recording_modes:
        return
    needing: tuple[HardwareEvent | Pin, ...] = (*context.hardware, *context.pins)
    users = {each.camera: each.pointer for each in needing if each.enabled}
    for camera in context.cameras:
        pointer = users.get(camera.number)
        if camera.recording.mode == "never" and pointer:
            yield Finding(
                f"{camera.pointer}/recording/mode",
                f"camera {camera.number} is never recorded, but an alarm needs its clip",
                "write mode: always",
                ((f"{pointer}/camera", "used here"),),
            )


@rule(
    "IVN039",
    "event-recording-started",
    Severity.ERROR,
    title="Where cameras record on events, every hardware event starts recording on all cameras",
    requirements=("R-31", "R-32", "C-05", "portal row 17"),
)
def event_recording_started(context: Context) -> Iterator[Finding]:
    """Event recording is allowed only if every alarm input starts it on all cameras (C-05).

    Checked where the site declares `hardware_events`.
    """
    if context.site.hardware_events is None or "event" not in context.recording_modes:
        return
    waiting = [each for each in context.cameras if _runs(each) and each.recording.mode == "event"]
    if not waiting:
        return
    enabled = [each for each in context.hardware if each.enabled]
    silent = [each for each in enabled if each.record != "all"]
    if enabled and not silent:
        return
    related = tuple((each.pointer, f"'{each.pin} H' does not start it") for each in silent)
    for camera in waiting:
        yield Finding(
            f"{camera.pointer}/recording/mode",
            f"camera {camera.number} records on events, but "
            + ("not every hardware event starts it" if silent else "no hardware event starts it"),
            "write record: all on every hardware event, or mode: always here",
            related,
        )


@rule(
    "IVN040",
    "pre-buffer",
    Severity.ERROR,
    title="The pre-buffer covers the clip's seconds before the alarm",
    requirements=("R-04", "C-05", "portal row 17", "portal check S9"),
)
def pre_buffer(context: Context) -> Iterator[Finding]:
    """A camera that does not record always has only its pre-buffer from before the alarm.

    Checked where the site declares `portal.clip`; an undeclared buffer counts as not there.
    """
    if context.clip:
        yield from _short_buffers(context, "pre", context.clip.pre_seconds)


@rule(
    "IVN041",
    "post-buffer",
    Severity.WARNING,
    title="The post-buffer covers the clip's seconds after the alarm",
    requirements=("R-04", "C-05"),
)
def post_buffer(context: Context) -> Iterator[Finding]:
    """Recording on an event or motion may end before the clip does; how long it lasts depends on the product."""
    if context.clip:
        yield from _short_buffers(context, "post", context.clip.post_seconds)


@rule(
    "IVN042",
    "motion-recording",
    Severity.WARNING,
    title="Recording does not depend on motion alone",
    requirements=("R-31",),
)
def motion_recording(context: Context) -> Iterator[Finding]:
    """The manual allows motion detection "with caveats" that it does not spell out.

    One is plain: a contact can trip where the camera sees no motion, and then there is no clip.
    """
    if "motion" not in context.recording_modes:
        return
    for camera in context.cameras:
        if _runs(camera) and camera.recording.mode == "motion":
            yield Finding(
                f"{camera.pointer}/recording/mode",
                f"camera {camera.number} records on motion only: an alarm without motion has no clip",
                "write mode: always, or mode: event with record: all on the hardware events",
            )


@rule(
    "IVN043",
    "soft-trigger-recorded",
    Severity.WARNING,
    title="A soft trigger's camera does not wait for a hardware event to record",
    requirements=("R-03", "C-05", "portal row 17"),
)
def soft_trigger_recorded(context: Context) -> Iterator[Finding]:
    """Only hardware events are declared to start recording; a soft trigger alone would find no clip."""
    if "event" not in context.recording_modes:
        return
    for pin in context.pins:
        camera = context.camera_by_number.get(pin.camera) if pin.source == "soft" else None
        if pin.enabled and camera and camera.recording.mode == "event":
            yield Finding(
                f"{pin.pointer}/camera",
                f"soft pin {pin.pin} shows camera {camera.number}, which records on hardware events only",
                "write recording: {mode: always} on the camera",
                ((f"{camera.pointer}/recording/mode", "declared here"),),
            )


def _runs(camera: Camera) -> bool:
    return camera.enabled is not False


def _short_buffers(context: Context, side: str, needed: int) -> Iterator[Finding]:
    if context.recording_modes.isdisjoint(_CONDITIONAL):
        return
    for camera in context.cameras:
        recording = camera.recording
        if recording.mode not in _CONDITIONAL or not _runs(camera):
            continue
        seconds = recording.pre_buffer_seconds if side == "pre" else recording.post_buffer_seconds
        if (seconds or 0) < needed:
            yield Finding(
                f"{camera.pointer}/recording" + (f"/{side}_buffer_seconds" if seconds is not None else ""),
                f"camera {camera.number} keeps "
                + (f"{seconds} s" if seconds is not None else "no declared time")
                + f" {'before' if side == 'pre' else 'after'} an event, but the clip takes {needed} s",
                f"write {side}_buffer_seconds: {needed}, or mode: always",
                ((f"/portal/clip/{side}_seconds", "the clip's length"),),
            )
