"""What the Image Server takes out of the configuration when it starts."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from ivn_provision.lab.nvr.config_active import Unreadable

_MAX_CLIENTS = "10"  # the product's default


@dataclass(frozen=True, slots=True)
class Access:
    """`cameras` are GUID and display name of those that are switched on; `local_port` is the machine's own.

    `basic_users` may log in; those of them in `without_view` see no camera. `max_clients` 0 is unlimited.
    """

    computer: str
    product: str
    version: str
    local_port: int
    cameras: tuple[tuple[str, str], ...]
    basic_users: frozenset[str]
    without_view: frozenset[str] = frozenset()
    max_clients: int = int(_MAX_CLIENTS)

    def seen_by(self, user: str) -> tuple[tuple[str, str], ...]:
        """The cameras that a user may view."""
        return () if user in self.without_view else self.cameras


def access_of(root: etree._Element, computer: str) -> Access:
    """Read `config`. Raises Unreadable."""
    users = [each for each in root.iterfind("Users/User") if _is_basic(each)]
    return Access(
        computer=computer,
        product=root.findtext("ProductInfo/ProductName") or "",
        version=root.findtext("ProductInfo/ProductVersion") or "",
        local_port=_number(root, "ServerAccess/LocalPort", "", 1, 65_535),
        cameras=tuple(
            ((camera.findtext("Guid") or "").strip().lower(), camera.findtext("DisplayName") or "")
            for device in root.iterfind("Devices/*")
            if _on(device)
            for camera in device.iterfind("Cameras/*")
            if _on(camera)
        ),
        basic_users=frozenset(_name(each) for each in users),
        without_view=frozenset(_name(each) for each in users if not _may_view(each)),
        max_clients=_number(root, "ServerAccess/MaxClients", _MAX_CLIENTS, 0, 999_999),
    )


def _number(root: etree._Element, path: str, default: str, least: int, most: int) -> int:
    text = (root.findtext(path) or default).strip()
    if not text.isascii() or not text.isdigit() or len(text) > 6 or not least <= int(text) <= most:
        raise Unreadable(f"{path} is not a number from {least} to {most}: {text[:20]!r}")
    return int(text)


def _on(element: etree._Element) -> bool:
    return (element.findtext("Disabled") or "").strip() != "1"


def _name(user: etree._Element) -> str:
    return user.findtext("Name") or ""


def _is_basic(user: etree._Element) -> bool:
    return (user.findtext("Kind") or "Basic").strip().casefold() == "basic"


def _may_view(user: etree._Element) -> bool:
    """An administrator may always; others unless `View` says no. The element is there only once it was set."""
    administrator = (user.findtext("Administrator") or "").strip() == "1"
    return administrator or (user.findtext("View") or "").strip() != "0"
