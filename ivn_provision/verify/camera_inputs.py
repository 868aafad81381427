"""Which inputs of a camera a site file names, and for what. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ivn_provision.spec.site import Camera, Site


def named_inputs(site: Site, camera: Camera) -> Mapping[int, tuple[str, ...]]:
    """By number, counted from 1: `hardware event 2 H`, `rule Input 1`, `io_ports`."""
    found: dict[int, list[str]] = {}
    for number, what in _named(site, camera):
        uses = found.setdefault(number, [])
        if what not in uses:
            uses.append(what)
    return {number: tuple(uses) for number, uses in sorted(found.items())}


def _named(site: Site, camera: Camera) -> Iterator[tuple[int, str]]:
    for event in site.hardware_events or ():
        if event.camera == camera.number:
            yield event.input, f"hardware event {event.pin} H"
    if camera.axis is None:
        return
    for rule in camera.axis.action_rules or ():
        for condition in (rule.trigger, *rule.conditions):
            if isinstance(condition.input, int):
                yield condition.input, f"rule {rule.name}"
    for port in camera.axis.io_ports or ():
        if port.direction == "input":
            yield port.port, "io_ports"
