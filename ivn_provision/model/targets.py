"""The names of targets: `nvr`, `portal`, and each managed camera for itself, `camera-10`."""

from __future__ import annotations

import re

CAMERA = "camera"
_CAMERA = re.compile(r"camera-([1-9][0-9]{0,2})", re.ASCII)


def camera_target(number: int) -> str:
    """The target of the camera with this number."""
    return f"{CAMERA}-{number}"


def camera_number(target: str) -> int | None:
    """The number in a camera's target; None for another target."""
    found = _CAMERA.fullmatch(target)
    return int(found[1]) if found else None


def family(target: str) -> str:
    """What `Kind.target` says of the kinds of a target: `camera` for every camera."""
    return CAMERA if _CAMERA.fullmatch(target) else target
