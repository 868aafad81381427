"""The first configuration.xml of a lab recorder: as a technician leaves it after the wizard.

The element names marked certain in facts/xprotect-e.md, part 2.2 are the product's; every other one is the
lab's own assumption (assumptions.yml).
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from typing import TypeAlias
from xml.sax.saxutils import escape

from ivn_provision.lab.scenario import LabCamera, LabSite

PATH = r"C:\ProgramData\Milestone\Milestone Surveillance\configuration.xml"
BOM = b"\xef\xbb\xbf"
Node: TypeAlias = "tuple[str, str | Sequence[Node]]"
_SPACE = uuid.UUID("6f0cbd0e-52c5-4d0a-8d53-0d6e7a1b9c11")


def guid(site: LabSite, *parts: object) -> str:
    """A GUID that is the same at every start of the same scenario."""
    return str(uuid.uuid5(_SPACE, "/".join([site.key, *map(str, parts)])))


def opaque_hex(*parts: str) -> str:
    """Random-looking hex in the place of an encrypted or hashed value; it holds no secret."""
    return hashlib.sha256("\0".join(parts).encode("utf-8")).hexdigest().upper()


def initial_configuration(site: LabSite, event_port: int) -> bytes:
    """The whole file: UTF-8 with BOM, CRLF, two-space indentation."""
    devices: list[Node] = [_device(site, camera, number) for number, camera in enumerate(site.cameras)]
    server: list[Node] = [
        ("LocalPort", "80"),
        ("InternetAccess", "0"),
        ("InternetPort", "80"),
        ("MaxClients", "10"),
    ]
    root: Node = (
        "config",
        [
            (
                "ProductInfo",
                [("ProductName", site.product), ("ProductVersion", site.version), ("LabLayout", "1")],
            ),
            ("Archiving", [("DynamicArchiving", "0"), ("ArchiveTargets", "")]),
            ("Devices", devices),
            ("Events", _events(site, event_port)),
            ("Notifications", [("Email", _email()), ("EmailServer", _email_server())]),
            ("AlarmDefinitions", [_foreign_alarm(site)]),
            ("ServerAccess", server),
            ("RegisteredServices", [("LogServerPort", "81")]),
            ("Users", [_user(site, name, administrator=admin) for name, _, admin in site.users]),
        ],
    )
    text = "\r\n".join(['<?xml version="1.0" encoding="utf-8"?>', *_lines(root, 0), ""])
    return BOM + text.encode("utf-8")


def user_fields(site: LabSite, name: str, *, administrator: bool, kind: str = "Basic") -> Mapping[str, str]:
    """The elements of one `User`."""
    return {
        "Guid": guid(site, "user", name),
        "Name": name,
        "Kind": kind,
        "Administrator": "1" if administrator else "0",
        "PasswordHash": opaque_hex(site.key, "user", name),
    }


def _user(site: LabSite, name: str, *, administrator: bool) -> Node:
    return ("User", list(user_fields(site, name, administrator=administrator).items()))


def _device(site: LabSite, camera: LabCamera, number: int) -> Node:
    identity: list[Node] = [
        ("DisplayName", f"{camera.model} ({camera.address})"),
        ("Guid", guid(site, "device", camera.mac)),
        ("Disabled", "0"),
        ("IPAddress", camera.address),
        ("MAC", camera.mac),
        ("HttpPort", "80"),
        ("FtpPort", "21"),
        ("DriverName", camera.model),
        ("DeviceId", str(100 + number)),
        ("Password", opaque_hex(site.key, "device", camera.mac)),
    ]
    channels = [_camera(site, camera, channel) for channel in range(camera.channels)]
    return (f"Device{camera.mac}", [*identity, ("Cameras", channels)])


def _camera(site: LabSite, camera: LabCamera, channel: int) -> Node:
    name = camera.name if channel == 0 else f"{camera.name} channel {channel + 1}"
    storage: list[Node] = [
        ("DatabasePathNonUNC", r"C:\MediaDatabase"),
        ("ArchivePathNonUNC", ""),
        ("DBRepairStrategy", "1"),
        ("DbSaveMode", "2"),
        ("EnableDbPreSecs", "0"),
        ("EnableDbPostSecs", "0"),
        ("DbPreSecs", "0"),
        ("DbPostSecs", "0"),
        ("SaveOnEvent", "0"),
        ("SaveOnMotion", "1"),
    ]
    motion: list[Node] = [
        ("MotionDetectionEnabled", "1"),
        ("KeyframeOnly", "0"),
        ("MotionDetectionResolution", "25"),
    ]
    fields: list[Node] = [
        ("DisplayName", name),
        ("Guid", guid(site, "camera", camera.mac, channel)),
        ("Disabled", "0"),
        ("DeviceIndex", str(channel)),
        ("Storage", storage),
        ("PTZ", [("PTZOption", "0")]),
        ("MotionDetection", motion),
        ("FrameRateSettings", [("FPS", "8"), ("LiveFrameRate", "8")]),
        ("VideoFormat", [("Codec", "H264"), ("Resolution", "1280x800")]),
    ]
    return (f"Camera{channel}", fields)


def _events(site: LabSite, event_port: int) -> Sequence[Node]:
    foreign: list[Node] = [
        ("Guid", guid(site, "generic", "foreign")),
        ("Name", "Gate open by guard"),
        ("Enabled", "1"),
        ("Substring", "GATE"),
        ("RuleType", "Search"),
        ("Protocol", "Any"),
        ("Priority", "500"),
        ("SendEmail", "0"),
    ]
    return [
        ("HardwareInputEvents", ""),
        ("GenericEvents", [("GenericEvent", foreign)]),
        ("Handling", [("AlertPort", str(event_port))]),
    ]


def _email() -> Sequence[Node]:
    return [("Enabled", "0"), ("Recipients", ""), ("Subject", ""), ("Message", "")]


def _email_server() -> Sequence[Node]:
    names = ("Sender", "Host", "Port", "Security", "Login", "UserName", "Password")
    return list(zip(names, ("", "", "25", "None", "0", "", ""), strict=True))


def _foreign_alarm(site: LabSite) -> Node:
    fields: list[Node] = [
        ("Guid", guid(site, "alarm", "foreign")),
        ("Name", "Server room temperature"),
        ("Enabled", "1"),
        ("Description", "Made by the site's own technician"),
        ("EventGroup", "External Event"),
        ("SourceEvent", guid(site, "generic", "foreign")),
        ("TimeProfile", "Always"),
    ]
    return ("AlarmDefinition", fields)


def _lines(node: Node, depth: int) -> list[str]:
    name, content = node
    indent = "  " * depth
    if isinstance(content, str):
        return [f"{indent}<{name}>{escape(content)}</{name}>" if content else f"{indent}<{name} />"]
    if not content:
        return [f"{indent}<{name} />"]
    inner = [line for child in content for line in _lines(child, depth + 1)]
    return [f"{indent}<{name}>", *inner, f"{indent}</{name}>"]
