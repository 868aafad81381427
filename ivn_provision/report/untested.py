"""What a commissioning does not show: said in its report, so that nobody takes silence for a proof."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ivn_provision.spec.site import Pin, Site
from ivn_provision.verify.acceptance.record import Record

_ALWAYS = (
    "The clocks of cameras that the tool does not manage or read: compare the time in each picture.",
    "Whether each camera looks at the right place, sharply, by day and by night: a person must look at the pictures.",
    "Cameras that send mails by themselves and are not managed: only a duplicate mail during the test would show it.",
    "What is behind the portal: that an operator sees the alarm, and what is done then.",
    "More than two alarms at a time, and the failure of power, network, recorder or camera.",
    "The portal was asked through an API that this project proposes; what its answers mean is an assumption.",
)
_LAB = "Any real product: recorder, portal, cameras and mail server are the embedded lab of this tool, and simulated."


def untested_of(site: Site, records: Sequence[Record], *, in_lab: bool) -> tuple[str, ...]:
    """Sentences, what belongs to this site first."""
    return (*([_LAB] if in_lab else []), *_of_pins(site, records), *_ALWAYS)


def _of_pins(site: Site, records: Sequence[Record]) -> Iterator[str]:
    skipped = [each.shot.name for each in records if each.skipped]
    if skipped:
        yield f"Pins that were not fired: {', '.join(skipped)}. Their detectors, wiring and mails are not proven."
    seen = {each.shot.name for each in records}
    pins = (site.portal.pins if site.portal else None) or ()
    if left := [_name(each) for each in pins if each.enabled and _name(each) not in seen]:
        yield f"Pins that the acceptance did not get to, or that the site file leaves out of it: {', '.join(left)}."
    if disabled := [_name(each) for each in pins if not each.enabled]:
        yield f"Pins that are declared disabled: {', '.join(disabled)}."
    fired = [each for each in records if not each.skipped]
    tripped = [each for each in fired if each.shot.source == "hardware"]
    if by_camera := [each.shot.name for each in tripped if not each.by_person]:
        names = ", ".join(by_camera)
        yield f"The detectors and wiring of {names}: the camera itself switched the input, over VAPIX."
    if any(each.by_person for each in tripped):
        yield "Whether it was the right detector that tripped each input: the technician signs for that."
    if not tripped:
        yield "Every detector and its wiring: no hardware input was tripped."
    if not any(each.shot.event_type == "entry_delay" and each.events for each in records):
        yield "The entry delay: no pin with one was fired."


def _name(pin: Pin) -> str:
    return f"{pin.pin} {'H' if pin.source == 'hardware' else 'S'}"
