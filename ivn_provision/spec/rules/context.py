"""A site with the look-ups that several rules need, built once per site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ivn_provision.spec.site import (
    Alarm,
    Camera,
    Clip,
    Device,
    GenericEvent,
    HardwareEvent,
    Mail,
    Nvr,
    Pin,
    Portal,
    Site,
    User,
)

_NO_MAIL = Mail()


@dataclass(frozen=True, slots=True)
class Context:
    """Sections that are not declared are empty here; ask `site` where the difference matters.

    In the look-ups the first of several items with one key wins. `shared_inputs` are the enabled hardware
    events that are on one input, where that is more than one.
    """

    site: Site
    nvr: Nvr | None
    portal: Portal | None
    device: Device | None
    clip: Clip | None
    mail: Mail
    cameras: tuple[Camera, ...]
    hardware: tuple[HardwareEvent, ...]
    generic: tuple[GenericEvent, ...]
    events: tuple[HardwareEvent | GenericEvent, ...]
    alarms: tuple[Alarm, ...]
    users: tuple[User, ...]
    pins: tuple[Pin, ...]
    camera_by_number: Mapping[int, Camera]
    hardware_by_pin: Mapping[int, HardwareEvent]
    generic_by_pin: Mapping[int, GenericEvent]
    pin_by_key: Mapping[tuple[str, int], Pin]
    disabled_cameras: tuple[Camera, ...]
    recording_modes: frozenset[str | None]
    shared_inputs: tuple[tuple[HardwareEvent, ...], ...]


def build(site: Site) -> Context:
    """The context of a site."""
    portal = site.portal
    cameras = site.cameras or ()
    hardware = site.hardware_events or ()
    generic = site.generic_events or ()
    pins = (portal.pins or ()) if portal else ()
    by_number = {each.number: each for each in reversed(cameras)}
    return Context(
        site=site,
        nvr=site.nvr,
        portal=portal,
        device=portal.device if portal else None,
        clip=portal.clip if portal else None,
        mail=site.mail or _NO_MAIL,
        cameras=cameras,
        hardware=hardware,
        generic=generic,
        events=(*hardware, *generic),
        alarms=site.alarms or (),
        users=(site.nvr.users or ()) if site.nvr else (),
        pins=pins,
        camera_by_number=by_number,
        hardware_by_pin={each.pin: each for each in reversed(hardware)},
        generic_by_pin={each.pin: each for each in reversed(generic)},
        pin_by_key={(each.source, each.pin): each for each in reversed(pins)},
        disabled_cameras=tuple(each for each in cameras if each.enabled is False),
        recording_modes=frozenset(each.recording.mode for each in cameras),
        shared_inputs=_shared_inputs(hardware, by_number),
    )


def _shared_inputs(
    events: tuple[HardwareEvent, ...], cameras: Mapping[int, Camera]
) -> tuple[tuple[HardwareEvent, ...], ...]:
    """An input belongs to a device (C-12): the channels of one hardware address share its inputs."""
    groups: dict[tuple[str | int, int], tuple[HardwareEvent, ...]] = {}
    for event in events:
        if event.enabled:
            camera = cameras.get(event.camera)
            key = (camera.hardware.address.casefold() if camera else event.camera, event.input)
            groups[key] = (*groups[key], event) if key in groups else (event,)
    if len(groups) == len(events):
        return ()
    return tuple(each for each in groups.values() if len(each) > 1)
