"""How hard a run over a fleet works at a time: on a network, and on a portal."""

from __future__ import annotations

from dataclasses import dataclass

WORKERS = 32


@dataclass(frozen=True, slots=True)
class FleetLimits:
    """The most at a time; None for as many as there are.

    `workers`: sites. `per_network`: sites of one network segment; those that name none are not counted.
    `per_portal`: requests to one portal that are under way. `portal_per_second`: requests to it that begin; one
    second's worth of them may come together.
    """

    workers: int = WORKERS
    per_network: int | None = 8
    per_portal: int | None = 8
    portal_per_second: float | None = 50.0


STANDARD = FleetLimits()
