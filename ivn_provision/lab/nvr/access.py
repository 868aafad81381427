"""What the Image Server takes out of the configuration when it starts."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from ivn_provision.lab.nvr.config_active import Unreadable


@dataclass(frozen=True, slots=True)
class Access:
    """`cameras` are GUID and display name of those that are switched on; `local_port` is the machine's own."""

    computer: str
    product: str
    version: str
    local_port: int
    cameras: tuple[tuple[str, str], ...]
    basic_users: frozenset[str]


def access_of(root: etree._Element, computer: str) -> Access:
    """Read `config`. Raises Unreadable."""
    port = (root.findtext("ServerAccess/LocalPort") or "").strip()
    if not port.isascii() or not port.isdigit() or not 1 <= int(port[:6]) <= 65_535:
        raise Unreadable(f"ServerAccess/LocalPort is not a port: {port[:20]!r}")
    return Access(
        computer=computer,
        product=root.findtext("ProductInfo/ProductName") or "",
        version=root.findtext("ProductInfo/ProductVersion") or "",
        local_port=int(port),
        cameras=tuple(
            ((camera.findtext("Guid") or "").strip().lower(), camera.findtext("DisplayName") or "")
            for device in root.iterfind("Devices/*")
            if _on(device)
            for camera in device.iterfind("Cameras/*")
            if _on(camera)
        ),
        basic_users=frozenset(
            each.findtext("Name") or "" for each in root.iterfind("Users/User") if _is_basic(each)
        ),
    )


def _on(element: etree._Element) -> bool:
    return (element.findtext("Disabled") or "").strip() != "1"


def _is_basic(user: etree._Element) -> bool:
    return (user.findtext("Kind") or "Basic").strip().casefold() == "basic"
