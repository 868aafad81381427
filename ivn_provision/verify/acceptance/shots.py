"""What an acceptance fires: every pin that the site file chooses, one by one. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ivn_provision.spec.site import Acceptance, Pin, Site


@dataclass(frozen=True, slots=True)
class Shot:
    """One pin to fire. `device` and `input` say what a person trips for a hardware event; `camera` is the number of the
    pin's camera, `wired_to` of the one that has the input, 0 for none."""

    pin: int
    source: Literal["hardware", "soft"]
    camera: int
    event_type: str
    label: str = ""
    device: str = ""
    input: int = 0
    edge: str = "rising"
    wired_to: int = 0

    @property
    def name(self) -> str:
        """`2 H` or `2 S`."""
        return f"{self.pin} {'H' if self.source == 'hardware' else 'S'}"


def shots_of(site: Site) -> tuple[Shot, ...]:
    """Enabled pins that are chosen: those with an entry delay first, so that a perimeter alarm follows them."""
    chosen = (site.acceptance or Acceptance()).pins
    pins = [each for each in (site.portal.pins or () if site.portal else ()) if each.enabled]
    found = [_shot(site, each) for each in pins]
    wanted = [each for each in found if chosen == "all" or _is_chosen(each, chosen)]
    return tuple(sorted(wanted, key=lambda each: each.event_type != "entry_delay"))


def _is_chosen(shot: Shot, chosen: tuple[str, ...]) -> bool:
    return shot.name.replace(" ", "") in {each.replace(" ", "") for each in chosen}


def _shot(site: Site, pin: Pin) -> Shot:
    event = next(
        (each for each in site.hardware_events or () if pin.source == "hardware" and each.pin == pin.pin),
        None,
    )
    camera = next((each for each in site.cameras or () if event and each.number == event.camera), None)
    return Shot(
        pin=pin.pin,
        source=pin.source,
        camera=pin.camera,
        event_type=pin.event_type,
        label=(event.label if event else "") or pin.label or "",
        device=camera.hardware.address if camera else "",
        input=event.input if event else 0,
        edge=event.edge if event else "rising",
        wired_to=camera.number if camera else 0,
    )
