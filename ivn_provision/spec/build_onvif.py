"""`cameras[].onvif` of a site -> `Onvif`."""

from __future__ import annotations

from ivn_provision.spec.build_tls import build_tls
from ivn_provision.spec.onvif import Onvif
from ivn_provision.spec.shapes_onvif import OnvifData
from ivn_provision.spec.site import Places


def build_onvif(data: OnvifData, pointer: str, places: Places) -> Onvif:
    """With the default port; a CA's path is relative to the file that says it, and absolute in the result."""
    connect = data["connect"]
    tls = build_tls(connect.get("tls", "verify"), f"{pointer}/connect/tls", places)
    return Onvif(
        host=connect["host"],
        port=connect.get("port", 80 if tls.mode == "off" else 443),
        tls=tls,
        username=connect["username"],
        password=connect["password"],
        pointer=pointer,
    )
