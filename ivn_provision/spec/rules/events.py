"""Hardware input events: one per input, on a camera that exists, recording and mailing."""

from __future__ import annotations

from collections.abc import Iterator

from ivn_provision.diagnostics import Severity
from ivn_provision.spec.rules.context import Context
from ivn_provision.spec.rules.registry import Finding, rule
from ivn_provision.spec.site import HardwareEvent


@rule(
    "IVN009",
    "event-pin-unique",
    Severity.ERROR,
    title="A pin has one hardware event and one generic event at most",
    requirements=("R-50", "R-59", "C-15", "portal row 4"),
)
def event_pin_unique(context: Context) -> Iterator[Finding]:
    """The pin is the portal's key together with the source, and XProtect wants unique event names."""
    if len(context.events) == len(context.hardware_by_pin) + len(context.generic_by_pin):
        return
    for event in context.events:
        is_hardware = isinstance(event, HardwareEvent)
        first = (
            context.hardware_by_pin.get(event.pin) if is_hardware else context.generic_by_pin.get(event.pin)
        )
        if first and first is not event:
            kind = "hardware" if is_hardware else "generic"
            yield Finding(
                f"{event.pointer}/pin",
                f"pin {event.pin} has two {kind} events",
                "give each event a pin of its own",
                ((f"{first.pointer}/pin", "first used here"),),
            )


@rule(
    "IVN010",
    "one-event-per-input",
    Severity.ERROR,
    title="An input's edge has one event",
    requirements=("R-52", "C-13", "portal row 5", "portal check S6"),
)
def one_event_per_input(context: Context) -> Iterator[Finding]:
    """Two enabled events on the same edge of the same input both fire at every alarm: one door, two alarms.

    The input belongs to the device: channels of one device (the same hardware address) share its inputs.
    """
    for events in context.shared_inputs:
        firsts: dict[str, HardwareEvent] = {}
        for event in events:
            first = firsts.setdefault(event.edge, event)
            if first is event:
                continue
            yield Finding(
                f"{event.pointer}/input",
                f"'{event.pin} H' and '{first.pin} H' both fire on the {event.edge} edge of input"
                f" {event.input} of one device",
                "keep one of them, or use another input",
                ((f"{first.pointer}/input", f"'{first.pin} H' uses it here"),),
            )


@rule(
    "IVN011",
    "one-edge-per-input",
    Severity.WARNING,
    title="An input has no event for its other edge that mails too",
    requirements=("R-52", "portal row 6"),
)
def one_edge_per_input(context: Context) -> Iterator[Finding]:
    """An event on the falling edge sends a second mail when the contact goes back to rest.

    That the portal takes it for a second alarm is inferred, so this only warns.
    """
    for events in context.shared_inputs:
        first, *others = [each for each in events if each.email] or [events[0]]
        for event in others:
            if first.edge == event.edge:
                continue
            yield Finding(
                f"{event.pointer}/edge",
                f"input {event.input} mails on both edges: '{first.pin} H' and '{event.pin} H'",
                "keep the rising edge, or set email: false on the other event",
                ((f"{first.pointer}/edge", f"'{first.pin} H' uses the other edge"),),
            )


@rule(
    "IVN012",
    "event-camera-exists",
    Severity.ERROR,
    title="A hardware event's camera is declared",
    requirements=("R-49", "portal check S3"),
)
def event_camera_exists(context: Context) -> Iterator[Finding]:
    """The event hangs on an input of that camera's device. Checked where the site declares `cameras`."""
    if context.site.cameras is None:
        return
    for event in context.hardware:
        if event.camera not in context.camera_by_number:
            yield Finding(
                f"{event.pointer}/camera",
                f"there is no camera {event.camera}",
                known_cameras(context),
            )


@rule(
    "IVN013",
    "event-camera-enabled",
    Severity.ERROR,
    title="An enabled hardware event's camera is enabled",
    requirements=("R-29", "portal row 17", "portal check S3"),
)
def event_camera_enabled(context: Context) -> Iterator[Finding]:
    """A disabled camera gives no clip, and the recorder does not listen to its device."""
    if not context.disabled_cameras:
        return
    for event in context.hardware:
        camera = context.camera_by_number.get(event.camera)
        if event.enabled and camera and camera.enabled is False:
            yield Finding(
                f"{event.pointer}/camera",
                f"'{event.pin} H' uses camera {camera.number}, which is disabled",
                "enable the camera, or set enabled: false on the event",
                ((f"{camera.pointer}/enabled", "disabled here"),),
            )


@rule(
    "IVN014",
    "event-records-all",
    Severity.WARNING,
    title="A hardware event starts recording on all cameras",
    requirements=("R-32",),
)
def event_records_all(context: Context) -> Iterator[Finding]:
    """The manual wants each alarm input to start recording on all connected cameras.

    Where all cameras record always the clips are there anyway, so this only warns; IVN039 is the error
    for cameras that record on events.
    """
    for event in context.hardware:
        if event.enabled and event.record != "all":
            yield Finding(
                f"{event.pointer}/record" if event.record else event.pointer,
                f"'{event.pin} H' does not start recording on all cameras",
                "write record: all",
            )


@rule(
    "IVN015",
    "event-mails",
    Severity.WARNING,
    title="A hardware event mails the portal",
    requirements=("R-32", "R-51"),
)
def event_mails(context: Context) -> Iterator[Finding]:
    """The mail is the alarm: without it the portal never hears of the event (R-02)."""
    for event in context.hardware:
        if event.enabled and not event.email:
            yield Finding(
                f"{event.pointer}/email",
                f"'{event.pin} H' sends no mail, so the portal never hears of it",
                "write email: true, or enabled: false if the input is not in use",
            )


def known_cameras(context: Context) -> str:
    """A hint that lists the site's camera numbers."""
    numbers = sorted(context.camera_by_number)
    shown = ", ".join(str(each) for each in numbers[:12])
    return f"declared cameras: {shown}{', ...' if len(numbers) > 12 else ''}" if numbers else "declare it"
