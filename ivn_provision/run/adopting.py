"""What cameras have now, read by drivers that cannot write, to be declared (`ivn-provision adopt`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

from ivn_provision.errors import IvnError, UsageProblem
from ivn_provision.model.resource import Resource
from ivn_provision.model.targets import camera_target
from ivn_provision.run.events import Event, Observer, Step
from ivn_provision.run.side_by_side import camera_named
from ivn_provision.run.targets import Opener
from ivn_provision.spec.axis import Axis, AxisImage
from ivn_provision.spec.site import Camera, Site


@dataclass(frozen=True, slots=True)
class Adopted:
    """One camera, its `axis` as it is declared, and everything that was read of it; or why it could not be read.

    `unread` says of kinds why the camera does not show them.
    """

    camera: Camera
    axis: Axis
    resources: tuple[Resource, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)
    error: IvnError | None = None


def adopted(
    site: Site, numbers: Sequence[int], opener: Opener, observer: Observer, *, profile: str = ""
) -> tuple[Adopted, ...]:
    """Reads the cameras named, or all that the site manages itself. `profile` is a stream profile to read too.

    Raises UsageProblem for a camera that has no `axis.connect`. A camera that does not answer keeps its error, and
    the others are read.
    """
    return tuple(
        _read(_asked(site, camera, axis, profile), Adopted(camera, axis), opener, observer)
        for camera, axis in _chosen(site, numbers)
    )


def _asked(site: Site, camera: Camera, axis: Axis, profile: str) -> Site:
    """The site as if it had this camera alone; a driver reads the stream profiles that are declared."""
    image = AxisImage(profile, None, None, None, None, "") if profile else None
    return replace(site, nvr=None, portal=None, cameras=(replace(camera, axis=replace(axis, image=image)),))


def _read(alone: Site, to_read: Adopted, opener: Opener, observer: Observer) -> Adopted:
    target = camera_target(to_read.camera.number)
    observer.notify(Event(alone.name, Step.READING, target))
    try:
        with camera_named(alone.name, target), closing(opener.readers(alone)[target]) as reader:
            known = reader.probe().capabilities
            unread = {kind: known.of(kind).reason for kind in sorted(known.unread)}
            return replace(to_read, resources=reader.read().resources, unread=unread)
    except IvnError as error:
        return replace(to_read, error=error)


def _chosen(site: Site, numbers: Sequence[int]) -> tuple[tuple[Camera, Axis], ...]:
    managed = {each.number: (each, each.axis) for each in site.cameras or () if each.axis is not None}
    for number in numbers:
        if number not in managed:
            raise UsageProblem(
                f"{site.name} does not say how camera {number} is reached",
                next_step="declare `axis: {connect: {host, username, password}}` of it; "
                + (
                    f"there is: {', '.join(map(str, managed))}"
                    if managed
                    else "no camera of the site has one"
                ),
            )
    if not managed:
        raise UsageProblem(
            f"{site.name} has no camera with `axis`",
            next_step="declare `axis: {connect: {host, username, password}}` of a camera",
        )
    return tuple(managed[number] for number in dict.fromkeys(numbers or managed))
