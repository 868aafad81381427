"""The portal's pins: each tied to an event of the recorder and to the right camera."""

from __future__ import annotations

from collections.abc import Iterator

from ivn_provision.diagnostics import Severity
from ivn_provision.spec.rules.context import Context
from ivn_provision.spec.rules.events import known_cameras
from ivn_provision.spec.rules.registry import Finding, rule
from ivn_provision.spec.site import GenericEvent, HardwareEvent, Pin


@rule(
    "IVN023",
    "soft-trigger-tied",
    Severity.ERROR,
    title="Every generic event has a soft pin in the portal, and every soft pin a generic event",
    requirements=("R-63", "portal row 33"),
)
def soft_trigger_tied(context: Context) -> Iterator[Finding]:
    """A soft trigger works only with both halves: the portal sends `2 S`, the recorder waits for it.

    Checked where the site declares `generic_events` and `portal.pins`.
    """
    if context.site.generic_events is None or not context.portal or context.portal.pins is None:
        return
    for event in context.generic:
        if event.enabled and ("soft", event.pin) not in context.pin_by_key:
            yield Finding(
                f"{event.pointer}/pin",
                f"'{event.name}' is not tied to a soft pin in the portal",
                f"add {{pin: {event.pin}, source: soft, camera: ..., event_type: ...}} to portal.pins",
            )
    for pin in context.pins:
        if pin.source == "soft" and pin.enabled and pin.pin not in context.generic_by_pin:
            yield Finding(
                f"{pin.pointer}/pin",
                f"soft pin {pin.pin} has no generic event '{pin.pin} S' on the recorder",
                f"add {{pin: {pin.pin}}} to generic_events",
            )


@rule(
    "IVN024",
    "mailing-event-has-pin",
    Severity.ERROR,
    title="Every hardware event that mails has a hardware pin in the portal",
    requirements=("R-32", "R-79"),
)
def mailing_event_has_pin(context: Context) -> Iterator[Finding]:
    """The portal looks up the camera of a mail by its pin: without the pin the alarm has no camera and is lost.

    Checked where the site declares `portal.pins`.
    """
    if not context.portal or context.portal.pins is None:
        return
    for event in context.hardware:
        if event.enabled and event.email and ("hardware", event.pin) not in context.pin_by_key:
            yield Finding(
                f"{event.pointer}/pin",
                f"'{event.pin} H' mails, but the portal has no hardware pin {event.pin}",
                f"add {{pin: {event.pin}, source: hardware, camera: {event.camera}, event_type: ...}}"
                " to portal.pins",
            )


@rule(
    "IVN025",
    "hardware-pin-has-event",
    Severity.WARNING,
    title="Every hardware pin in the portal has a hardware event on the recorder",
    requirements=("R-79", "portal row 43"),
)
def hardware_pin_has_event(context: Context) -> Iterator[Finding]:
    """A pin that no event mails for stays silent.

    This only warns: unlike the other way round no alarm is lost, and the portal's pin may be prepared
    before the contact is wired. Checked where the site declares `hardware_events`.
    """
    if context.site.hardware_events is None:
        return
    for pin in context.pins:
        if pin.source == "hardware" and pin.enabled and pin.pin not in context.hardware_by_pin:
            yield Finding(
                f"{pin.pointer}/pin",
                f"hardware pin {pin.pin} has no hardware event '{pin.pin} H' on the recorder",
                f"add pin {pin.pin} to hardware_events, or write enabled: false until it is wired",
            )


@rule(
    "IVN026",
    "pin-event-enabled",
    Severity.WARNING,
    title="An enabled pin's event is enabled",
    requirements=("R-63", "R-79", "portal row 43"),
)
def pin_event_enabled(context: Context) -> Iterator[Finding]:
    """The portal would wait for an event that cannot happen."""
    if all(each.enabled for each in context.events):
        return
    for pin in context.pins:
        event = _event_of(context, pin)
        if pin.enabled and event and not event.enabled:
            yield Finding(
                f"{pin.pointer}/pin",
                f"{pin.source} pin {pin.pin} is enabled, but its event is disabled",
                "enable the event, or write enabled: false on the pin",
                ((f"{event.pointer}/enabled", "disabled here"),),
            )


@rule(
    "IVN027",
    "pin-camera-exists",
    Severity.ERROR,
    title="A pin's camera is declared",
    requirements=("R-79", "portal check S3"),
)
def pin_camera_exists(context: Context) -> Iterator[Finding]:
    """The portal asks the recorder for clips of that number. Checked where the site declares `cameras`."""
    if context.site.cameras is None:
        return
    for pin in context.pins:
        if pin.camera not in context.camera_by_number:
            yield Finding(f"{pin.pointer}/camera", f"there is no camera {pin.camera}", known_cameras(context))


@rule(
    "IVN028",
    "pin-camera-enabled",
    Severity.ERROR,
    title="An enabled pin's camera is enabled",
    requirements=("R-29", "R-79", "portal row 17", "portal check S3"),
)
def pin_camera_enabled(context: Context) -> Iterator[Finding]:
    """A disabled camera has neither clip nor live view."""
    if not context.disabled_cameras:
        return
    for pin in context.pins:
        camera = context.camera_by_number.get(pin.camera)
        if pin.enabled and camera and camera.enabled is False:
            yield Finding(
                f"{pin.pointer}/camera",
                f"{pin.source} pin {pin.pin} shows camera {pin.camera}, which is disabled",
                "enable the camera, or choose another one",
                ((f"{camera.pointer}/enabled", "disabled here"),),
            )


@rule(
    "IVN029",
    "pin-unique",
    Severity.ERROR,
    title="A pin is declared once per source",
    requirements=("C-15", "portal check S2"),
)
def pin_unique(context: Context) -> Iterator[Finding]:
    """Pin and source together are the key of an alarm input."""
    if len(context.pins) == len(context.pin_by_key):
        return
    for pin in context.pins:
        first = context.pin_by_key[pin.source, pin.pin]
        if first is not pin:
            yield Finding(
                f"{pin.pointer}/pin",
                f"{pin.source} pin {pin.pin} is declared twice",
                "keep one of the two",
                ((f"{first.pointer}/pin", "first declared here"),),
            )


@rule(
    "IVN030",
    "pin-camera-agrees",
    Severity.ERROR,
    title="A hardware pin shows the camera of its event",
    requirements=("R-79", "portal row 34"),
)
def pin_camera_agrees(context: Context) -> Iterator[Finding]:
    """The mail names the event's camera. If the pin names another one, the portal shows the wrong door."""
    for pin in context.pins:
        if pin.source != "hardware":
            continue
        event = context.hardware_by_pin.get(pin.pin)
        if event and event.camera != pin.camera:
            yield Finding(
                f"{pin.pointer}/camera",
                f"hardware pin {pin.pin} shows camera {pin.camera}, but '{event.pin} H'"
                f" belongs to camera {event.camera}",
                f"write camera: {event.camera} here, or correct the event",
                ((f"{event.pointer}/camera", "the event's camera"),),
            )


@rule(
    "IVN031",
    "pin-sources-agree",
    Severity.WARNING,
    title="A pin with two sources shows one camera",
    requirements=("C-15",),
)
def pin_sources_agree(context: Context) -> Iterator[Finding]:
    """Whether `2 H` and `2 S` share one pin of the portal is not known.

    As long as both show the same camera it does not matter.
    """
    for pin in context.pins:
        other = context.pin_by_key.get(("hardware", pin.pin)) if pin.source == "soft" else None
        if other and other.camera != pin.camera:
            yield Finding(
                f"{pin.pointer}/camera",
                f"pin {pin.pin} shows camera {other.camera} for its hardware event"
                f" and camera {pin.camera} for its soft trigger",
                "use the same camera, or another pin for one of them",
                ((f"{other.pointer}/camera", "the hardware pin's camera"),),
            )


def _event_of(context: Context, pin: Pin) -> HardwareEvent | GenericEvent | None:
    if pin.source == "hardware":
        return context.hardware_by_pin.get(pin.pin)
    return context.generic_by_pin.get(pin.pin)
