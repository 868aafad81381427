"""Cameras that a site manages itself, for its checks and its acceptance: what is looked at, and inputs that are fired."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from ivn_provision.drivers.axis.seen import CameraSeen
from ivn_provision.drivers.base import Reader
from ivn_provision.errors import Refused
from ivn_provision.model.targets import camera_number
from ivn_provision.spec.axis import AxisConnect
from ivn_provision.spec.site import Site
from ivn_provision.verify.acceptance.shots import Shot
from ivn_provision.verify.camera_inputs import named_inputs

if TYPE_CHECKING:
    from ivn_provision.transports.vapix import VapixLink


def camera_seen(site: Site, target: str, reader: Reader, clock: Callable[[], datetime]) -> CameraSeen | None:
    """Reads the camera and looks at what checks want beyond it. Raises TargetError where it cannot be read."""
    from ivn_provision.drivers.axis.driver import AxisReader
    from ivn_provision.drivers.axis.looking import Wanted

    reader.probe()
    number = camera_number(target)
    camera = next((each for each in site.cameras or () if each.number == number), None)
    if not isinstance(reader, AxisReader) or camera is None or camera.axis is None:
        return None
    inputs = frozenset(named_inputs(site, camera))
    return reader.look(Wanted(inputs=inputs, smtp=camera.axis.smtp), clock)


@dataclass(frozen=True, slots=True)
class CameraInputs:
    """Trips physical inputs through the cameras that have them, by VAPIX. `connects` are by camera number."""

    connects: Mapping[int, AxisConnect]
    line: Callable[[AxisConnect], VapixLink] = field(repr=False)

    def has(self, shot: Shot) -> bool:
        """Can the input of this event be tripped so?"""
        return shot.source == "hardware" and shot.wired_to in self.connects

    def trip(self, shot: Shot) -> None:
        """On, and off again after two seconds; never twice, whatever the line does. Its state is asked first: a
        camera that does not answer then was surely not tripped, and an input that is active cannot be.

        Raises Uncertain where nobody knows whether the camera did it, another TargetError where it surely did not.
        """
        from ivn_provision.drivers.axis.extra import check_pulse, inputs_asked, parse_inputs, pulse_asked

        with closing(self.line(self.connects[shot.wired_to])) as link:
            if parse_inputs(link.ask(inputs_asked([shot.input]))).get(shot.input):
                raise Refused(
                    f"input {shot.input} of camera {shot.wired_to} is active already: it cannot be tripped",
                    endpoint=link.endpoint,
                    next_step="close the contact, or correct io_ports.normal; see camera-inputs of `check`",
                )
            check_pulse(link.ask(pulse_asked(shot.input)))


def inputs_of(site: Site, line: Callable[[AxisConnect], VapixLink]) -> CameraInputs:
    """Of all cameras of a site that declare `axis`."""
    cameras = (each for each in site.cameras or () if each.axis is not None)
    return CameraInputs({each.number: each.axis.connect for each in cameras if each.axis}, line)
