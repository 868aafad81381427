"""The checks of one site: pure functions over what was gathered (`CHECKS` is the reference)."""

from __future__ import annotations

from ivn_provision.verify.checks import (  # noqa: F401 - imported to register their checks
    camera_seen,
    cameras,
    clocks,
    events,
    mail,
    network,
    onvif,
    portal,
    recorder,
    video,
)
from ivn_provision.verify.registry import Check, registered

CHECKS: tuple[Check, ...] = registered()
