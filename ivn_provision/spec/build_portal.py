"""`portal:` -> `Portal`."""

from __future__ import annotations

from ivn_provision.spec.build_tls import build_tls
from ivn_provision.spec.shapes import DeviceData, PinData, PortalData
from ivn_provision.spec.site import Clip, Device, Monitoring, Pin, Places, Portal, PortalAuth


def build_portal(data: PortalData, site: str, places: Places) -> Portal:
    """The portal's side of a site; its account is the site's name if none is declared."""
    return Portal(
        url=data["url"].rstrip("/"),
        tls=build_tls(data.get("tls", "verify"), "/portal/tls", places),
        auth=PortalAuth(data["auth"]["client_id"], data["auth"]["client_secret"]),
        account=data.get("account", site),
        device=_device(data["device"]) if "device" in data else None,
        smtp_account_id=data.get("smtp_account_id"),
        entry_delay_seconds=data.get("entry_delay_seconds"),
        clip=Clip(**data["clip"]) if "clip" in data else None,
        monitoring=Monitoring(**data["monitoring"]) if "monitoring" in data else None,
        pins=_pins(data),
    )


def _device(data: DeviceData) -> Device:
    return Device(
        make=data["make"],
        model=data["model"],
        location_address=data.get("location_address"),
        web_server_port=data.get("web_server_port"),
        event_server_port=data.get("event_server_port"),
        log_server_port=data.get("log_server_port"),
        username=data.get("username"),
        password=data.get("password"),
    )


def _pins(data: PortalData) -> tuple[Pin, ...] | None:
    if "pins" not in data:
        return None
    return tuple(_pin(each, index) for index, each in enumerate(data["pins"]))


def _pin(data: PinData, index: int) -> Pin:
    return Pin(
        pin=data["pin"],
        source=data["source"],
        camera=data["camera"],
        event_type=data["event_type"],
        label=data.get("label"),
        enabled=data.get("enabled", True),
        pointer=f"/portal/pins/{index}",
    )
