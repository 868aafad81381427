"""The scenario of the lab: three sites, or as many generated ones as wanted."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Literal

from ivn_provision.errors import LabError
from ivn_provision.lab.camera.profile import profile
from ivn_provision.lab.scenario import LabCamera, LabSite

MAX_SITES = 10_000
STORE_B_VERSION = "8.7b"


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


def with_store_b(sites: Iterable[LabSite], keys: Collection[str] | None = None) -> tuple[LabSite, ...]:
    """The sites, those of `keys` (None = all) with a recorder of a later version that keeps its files otherwise.

    Raises LabError for a key that is not there.
    """
    found = tuple(sites)
    known = {site.key for site in found}
    for key in keys or ():
        if key not in known:
            raise LabError(
                f"the lab has no site {key!r}", next_step=f"sites: {', '.join(sorted(known)[:20])}"
            )
    return tuple(
        replace(site, store="b", version=STORE_B_VERSION) if keys is None or site.key in keys else site
        for site in found
    )


def with_onvif(sites: Iterable[LabSite], scheme: Literal["http", "https"] = "https") -> tuple[LabSite, ...]:
    """The sites, all of whose cameras speak ONVIF too."""
    return tuple(
        replace(site, cameras=tuple(replace(each, onvif=scheme) for each in site.cameras)) for site in sites
    )


def with_axis(sites: Iterable[LabSite], name: str) -> tuple[LabSite, ...]:
    """The sites, each with a first camera that the lab plays itself over VAPIX. Raises LabError for no such profile."""
    model = profile(name).product
    return tuple(
        replace(site, cameras=(replace(site.cameras[0], axis=name, model=model), *site.cameras[1:]))
        for site in sites
    )


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
