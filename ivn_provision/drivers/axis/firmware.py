"""What a reading says of the firmware: its version as numbers, and notes for people."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ivn_provision.drivers.axis.reading import Reading
from ivn_provision.drivers.axis.smtp import has_page

_MENDED: Mapping[str, tuple[int, ...]] = {"M1034-W": (5, 50, 5, 10), "P5512": (5, 50, 4, 7)}
"""CVE-2017-9765 by product number (facts/axis.md, 14); other models are not known here."""
_LEGACY = "Event.E"


def version(text: str) -> tuple[int, ...]:
    """`5.50.5.10` as numbers, so that 10 comes after 9; empty for what is no version."""
    return tuple(map(int, text.split("."))) if re.fullmatch(r"\d{1,6}(\.\d{1,6})*", text, re.ASCII) else ()


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
    mended = _MENDED.get(known.text("Brand.ProdNbr"))
    if mended and firmware and firmware < mended:
        newest = ".".join(map(str, mended))
        yield f"firmware {reading.firmware} has a hole that needs no login (CVE-2017-9765): install {newest}"


def product(reading: Reading) -> str:
    known = reading.params
    return known.text("Brand.ProdFullName") or known.text("Brand.ProdShortName") or "unknown camera"
