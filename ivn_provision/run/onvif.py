"""Looks at the cameras of a site that declare `onvif`; a site without any needs no library for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ivn_provision.drivers.onvif.seen import OnvifSeen
from ivn_provision.errors import IvnError
from ivn_provision.run.targets import SITE_DEADLINES, Opener
from ivn_provision.spec.site import Site

if TYPE_CHECKING:
    from ivn_provision.drivers.onvif.reading import Asked

ONVIF = "onvif"
"""The name of them all in what is missing; `onvif 10` is that of camera 10."""
Seen = tuple[Mapping[int, OnvifSeen], Mapping[str, IvnError]]


def cameras_seen(site: Site, opener: Opener) -> Seen:
    """What the cameras said, by number, and why others did not, by name. Raises nothing of ours."""
    if not any(camera.onvif for camera in site.cameras or ()):
        return {}, {}
    from ivn_provision.drivers.onvif.reading import CAMERA_SECONDS, read_cameras

    asked, errors = _asked(site, opener)
    each = min(CAMERA_SECONDS, opener.deadline_seconds)
    try:
        found = read_cameras(
            asked, each=each, together=SITE_DEADLINES * opener.deadline_seconds, clock=opener.clock
        )
    except IvnError as error:
        return {}, {ONVIF: error}
    errors |= {_name(number): one for number, one in found.items() if isinstance(one, IvnError)}
    return {number: one for number, one in found.items() if isinstance(one, OnvifSeen)}, errors


def _asked(site: Site, opener: Opener) -> tuple[list[Asked], dict[str, IvnError]]:
    from ivn_provision.drivers.onvif.reading import Asked

    asked: list[Asked] = []
    errors: dict[str, IvnError] = {}
    for camera in site.cameras or ():
        if camera.onvif is None:
            continue
        try:
            asked.append(Asked(camera.number, camera.onvif, opener.secret(camera.onvif.password)))
        except IvnError as error:
            errors[_name(camera.number)] = error
    return asked, errors


def _name(number: int) -> str:
    return f"{ONVIF} {number}"
