"""What a reading says of the firmware: notes for people."""

from __future__ import annotations

from collections.abc import Iterator

from ivn_provision.drivers.axis.advisories import version, weaknesses
from ivn_provision.drivers.axis.reading import Reading
from ivn_provision.drivers.axis.smtp import has_page

_LEGACY = "Event.E"


def notes(reading: Reading) -> Iterator[str]:
    """What a plan says of this camera."""
    known, firmware = reading.params, version(reading.firmware)
    if reading.no_rules:
        yield f"{reading.no_rules}: its rules are not managed"
    if events := known.groups(_LEGACY):
        names = ", ".join(f"Event.E{each}" for each in events[:5])
        yield f"{len(events)} event(s) of the older kind ({names}) still fire beside the action rules"
    if has_page(known) or (firmware and firmware < (6,)):
        yield (
            "firmware 5.x: action rules over SOAP, and which mail settings a rule has there, were never verified on it"
        )
    for each in weaknesses(known.text("Brand.ProdNbr"), reading.firmware):
        if not each.perhaps:
            yield f"firmware {reading.firmware} has a hole ({each.advisory.id}): install {each.fixed} or newer"


def product(reading: Reading) -> str:
    known = reading.params
    return known.text("Brand.ProdFullName") or known.text("Brand.ProdShortName") or "unknown camera"
