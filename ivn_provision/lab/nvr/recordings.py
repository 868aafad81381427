"""What a recorder has of a camera around an alarm, by the configuration in force. ASSUMED (assumptions.yml)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lxml import etree

ALWAYS_SECONDS = 3600.0  # more than any clip asks for
_NUMBER = re.compile(r"([1-9][0-9]{0,2}) ")


@dataclass(frozen=True, slots=True)
class Recording:
    """Of the camera whose name begins with `number`: so many seconds before and after an event."""

    number: int
    before: float
    after: float


def recordings_of(root: etree._Element) -> tuple[Recording, ...]:
    """Cameras that record at an alarm. One that records motion only has nothing: in the lab nothing moves."""
    found = []
    for device in root.iterfind("Devices/*"):
        for camera in device.iterfind("Cameras/*"):
            number = _NUMBER.match(camera.findtext("DisplayName") or "")
            if number and _is_on(device) and _is_on(camera):
                found += _of(camera, int(number[1]))
    return tuple(found)


def _of(camera: etree._Element, number: int) -> list[Recording]:
    mode = _text(camera, "DbSaveMode")
    if mode == "0":
        return [Recording(number, ALWAYS_SECONDS, ALWAYS_SECONDS)]
    if mode == "2" and _text(camera, "SaveOnEvent") == "1":
        return [Recording(number, _seconds(camera, "Pre"), _seconds(camera, "Post"))]
    return []


def _seconds(camera: etree._Element, side: str) -> float:
    text = _text(camera, f"Db{side}Secs")
    on = _text(camera, f"EnableDb{side}Secs") == "1"
    return float(text) if on and re.fullmatch(r"[0-9]{1,5}", text, re.ASCII) else 0.0


def _is_on(element: etree._Element) -> bool:
    return (element.findtext("Disabled") or "").strip() != "1"


def _text(camera: etree._Element, name: str) -> str:
    return (camera.findtext(f"Storage/{name}") or "").strip()
