"""The scenario of the lab: three sites, or as many generated ones as wanted."""

from __future__ import annotations

from dataclasses import replace

from ivn_provision.errors import LabError
from ivn_provision.lab.scenario import LabCamera, LabSite

MAX_SITES = 10_000


def default_sites() -> tuple[LabSite, ...]:
    """`harbor-marina`; `old-mill-storage`, whose viewer account is still to be made; `airport-parking`."""
    return (
        LabSite("harbor-marina", host="127.0.0.1"),
        LabSite(
            "old-mill-storage", host="127.0.0.2", users=(), cameras=_cameras("192.168.20", "00408C2000", 2)
        ),
        LabSite("airport-parking", host="127.0.0.3", cameras=_cameras("192.168.30", "00408C3000", 4)),
    )


def generated_sites(count: int, host_prefix: str = "127.1") -> tuple[LabSite, ...]:
    """`lab-0001`, `lab-0002`, ...: each on an address of its own below `host_prefix` (two octets).

    Raises LabError for a count that is not 1 to 10,000.
    """
    if not 1 <= count <= MAX_SITES:
        raise LabError(f"the lab can have 1 to {MAX_SITES} sites, not {count}")
    return tuple(_generated(number, host_prefix) for number in range(1, count + 1))


def _generated(number: int, host_prefix: str) -> LabSite:
    high, low = divmod(number, 250)
    # the devices of generated sites need no addresses of their own: no two recorders share a network
    cameras = tuple(
        replace(camera, mac=f"00408C{number:04X}{camera.mac[-2:]}")
        for camera in _cameras("192.168.10", "00408C0000", 2)
    )
    return LabSite(f"lab-{number:04d}", host=f"{host_prefix}.{high}.{low + 1}", cameras=cameras)


def _cameras(network: str, mac_prefix: str, count: int) -> tuple[LabCamera, ...]:
    return tuple(
        LabCamera(f"{network}.{60 + number}", f"{mac_prefix}{60 + number}", name=f"Camera {number}")
        for number in range(1, count + 1)
    )
