"""What cameras have now, read by drivers that cannot write, to be declared (`ivn-provision adopt`)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from ivn_provision.errors import UsageProblem
from ivn_provision.model.resource import Resource
from ivn_provision.model.targets import camera_target
from ivn_provision.run.events import Event, Observer, Step
from ivn_provision.run.side_by_side import camera_named
from ivn_provision.run.targets import Opener
from ivn_provision.spec.axis import AxisImage
from ivn_provision.spec.site import Camera, Site


@dataclass(frozen=True, slots=True)
class Adopted:
    """One camera, and everything that was read of it."""

    camera: Camera
    resources: tuple[Resource, ...]


def adopted(
    site: Site, numbers: Sequence[int], opener: Opener, observer: Observer, *, profile: str = ""
) -> tuple[Adopted, ...]:
    """Reads the cameras named, or all that the site manages itself. `profile` is a stream profile to read too.

    Raises UsageProblem for a camera that has no `axis.connect`, TargetError of the first that does not answer.
    """
    found = []
    for camera in _chosen(site, numbers):
        assert camera.axis is not None
        image = AxisImage(profile, None, None, None, None, "") if profile else None
        asked = replace(camera, axis=replace(camera.axis, image=image))
        alone = replace(site, nvr=None, portal=None, cameras=(asked,))
        target = camera_target(camera.number)
        observer.notify(Event(site.name, Step.READING, target))
        with camera_named(site.name, target), closing(opener.readers(alone)[target]) as reader:
            found.append(Adopted(camera, reader.read().resources))
    return tuple(found)


def _chosen(site: Site, numbers: Sequence[int]) -> tuple[Camera, ...]:
    managed = tuple(each for each in site.cameras or () if each.axis is not None)
    known = {each.number: each for each in managed}
    for number in numbers:
        if number not in known:
            raise UsageProblem(
                f"{site.name} does not say how camera {number} is reached",
                next_step="declare `axis: {connect: {host, username, password}}` of it; "
                + (f"there is: {', '.join(map(str, known))}" if known else "no camera of the site has one"),
            )
    if not managed:
        raise UsageProblem(
            f"{site.name} has no camera with `axis`",
            next_step="declare `axis: {connect: {host, username, password}}` of a camera",
        )
    return tuple(known[number] for number in dict.fromkeys(numbers)) if numbers else managed
